package gogit

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

func TestOneStrayRefusalDelaysAQueueByTheShortBackoffOnly(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	d := target(repo.URL(), "main", "base")
	reports := make(chan gitsink.Report, 100)
	writer, err := gitsink.NewWriter(newSink(t, nil), "cluster", &gitsink.WriterOptions{OnReport: func(r gitsink.Report) { reports <- r }})
	require.NoError(t, err)
	// Only the short backoff ends within the test: a refusal that is taken for permanent backs off
	// for an hour.
	q := queue.NewSharded(&queue.Options{Window: queue.Window{Debounce: time.Millisecond}, MinBackoff: time.Millisecond, MaxBackoff: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = queue.NewRunner(q, writer.Handle, &queue.RunOptions{DrainTimeout: time.Second}).Start(ctx) })
	defer running.Wait()
	defer stop()
	next := func() gitsink.Report {
		select {
		case r := <-reports:
			return r
		case <-time.After(lookTimeout):
			line, _ := q.Line(d)
			t.Fatalf("nothing is tried: %+v", line)
			panic("not reached")
		}
	}
	add := func(name string) {
		require.NoError(t, q.TryAdd(event.Event{Destination: d, Operation: event.Update, Content: event.NewContent([]byte("a: b\n")),
			Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "shop", Name: name}, Version: "v1", Kind: "ConfigMap"}}))
	}
	var left atomic.Int32
	server.Intercept(func(gitservertest.Request) gitservertest.Fault {
		if left.Add(-1) >= 0 {
			return gitservertest.Fault{Status: http.StatusUnauthorized}
		}
		return gitservertest.Fault{}
	})

	add("first")
	require.NoError(t, next().Err)
	left.Store(1)
	add("stray")
	refused := next()
	require.ErrorIs(t, refused.Err, gitsink.ErrAuth)
	require.NotErrorIs(t, refused.Err, queue.ErrPermanent)
	require.NoError(t, next().Err)
	require.Contains(t, repo.Tree("main"), "base/shop/configmaps/stray.yaml")

	left.Store(1 << 20)
	add("refused")
	for range 2 {
		require.NotErrorIs(t, next().Err, queue.ErrPermanent)
	}
	require.ErrorIs(t, next().Err, queue.ErrPermanent)
	require.Eventually(t, func() bool {
		line, ok := q.Line(d)
		return ok && line.Permanent && line.Until.Sub(line.Parked) >= 30*time.Minute
	}, lookTimeout, time.Millisecond)
	require.Empty(t, reports)
}
