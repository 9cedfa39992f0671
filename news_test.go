package kubescribe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

func TestOnStatusIsToldOfEachChangeOnceAndOfNothingElse(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	look := func() int {
		before := len(m.told)
		m.news.lookAtAll(m.Mirror)
		return len(m.told) - before
	}
	require.Equal(t, 1, look(), "the first time")
	report := func(st gitsink.Status) { st.Destination = m.to; m.observe(gitsink.Report{Status: st}) }
	seed := func(change func(*gitsink.Status)) func() {
		return func() {
			st := gitsink.Status{Tip: "c", LastSeed: someTime}
			change(&st)
			report(st)
		}
	}
	for what, change := range map[string]func(){
		"a tip":           seed(func(st *gitsink.Status) { st.Tip = "d" }),
		"a seed":          seed(func(st *gitsink.Status) { st.LastSeed = someTime.Add(1) }),
		"a commit":        seed(func(st *gitsink.Status) { st.LastCommit = someTime }),
		"held files":      seed(func(st *gitsink.Status) { st.Held = &orphan.TooManyError{Found: orphan.Found{Count: 1}} }),
		"excluded files":  seed(func(st *gitsink.Status) { st.Excluded = orphan.NewFound([]string{"a"}) }),
		"uncovered files": seed(func(st *gitsink.Status) { st.Uncovered = orphan.NewFound([]string{"a"}) }),
		"other files":     seed(func(st *gitsink.Status) { st.Uncovered = orphan.NewFound([]string{"b"}) }),
		"unadopted files": seed(func(st *gitsink.Status) { st.Unadopted = []string{"a"} }),
		"filtered files":  seed(func(st *gitsink.Status) { st.Filtered = []gitsink.Filtered{{}} }),
		"skipped objects": seed(func(st *gitsink.Status) { st.Skipped = []gitsink.Skipped{{Err: errors.New("too long")}} }),
		"an error":        func() { report(gitsink.Status{Err: errors.New("down")}) },
	} {
		seed(func(*gitsink.Status) {})()
		look()
		require.Zero(t, look(), what)
		change()
		require.Equal(t, 1, look(), what)
		change()
		require.Zero(t, look(), what)
	}
	m.move(t, "elsewhere")
	require.Equal(t, 1, look())
	require.NoError(t, m.SetRules(Rules{}))
	require.Zero(t, look(), "it is gone")
	require.Empty(t, m.news.told)
}

func TestADestinationThatIsNotValidIsToldAndInTheStatus(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	spec := destination.Spec{Ref: m.ref, RepositoryRef: m.ref, Branch: "main"}
	require.ErrorIs(t, m.SetRules(Rules{Destinations: []destination.Spec{spec, spec}}), destination.ErrInvalid)
	m.news.look(m.Mirror, m.destinations())
	require.Len(t, m.told, 1)
	require.Error(t, m.told[0].Err)
	require.Equal(t, map[destination.Ref]DestinationStatus{m.ref: m.told[0]}, m.Status().Destinations)
	done, err := m.synced()
	require.True(t, done, "there is nothing to wait for")
	require.NoError(t, err)
}

func TestOnStatusIsToldOfABatchWhenThatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var inHand []int
		m := newReported(t).Mirror
		m.news = newNews(logr.Discard(), func(_ destination.Ref, st DestinationStatus) {
			mu.Lock()
			defer mu.Unlock()
			inHand = append(inHand, st.Line.InHand)
		})
		end := m.tellNews()
		to, _ := m.set.Get(m.destinations()[0])
		written := make(chan struct{})
		runner := queue.NewRunner(m.queue, func(context.Context, queue.Batch) error {
			m.observe(gitsink.Report{Status: gitsink.Status{Destination: to, Tip: "c"}})
			<-written
			return nil
		}, m.runOptions(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- runner.Start(ctx) }()
		require.NoError(t, m.queue.TryAdd(event.Event{
			Destination: to, Operation: event.Delete,
			Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "default", Name: "a"}, Version: "v1", Kind: "ConfigMap"},
		}))
		time.Sleep(newsInterval - time.Second)
		mu.Lock()
		require.Empty(t, inHand)
		mu.Unlock()
		close(written)
		synctest.Wait()
		mu.Lock()
		require.Equal(t, []int{0}, inHand, "at once")
		mu.Unlock()
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, end())
		require.Len(t, inHand, 1, "nothing has changed since")
	})
}

func TestAnOnStatusThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, release := newReported(t).Mirror, make(chan struct{})
		m.news = newNews(logr.Discard(), func(destination.Ref, DestinationStatus) { <-release })
		end := m.tellNews()
		m.news.of(m.destinations()[0])
		synctest.Wait()
		began := time.Now()
		err := end()
		require.ErrorIs(t, err, queue.ErrLeftBehind)
		require.ErrorContains(t, err, "OnStatus")
		require.Equal(t, newsEnd, time.Since(began))
		close(release)
	})
}

func TestTheLogSaysWhenADestinationIsInSync(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	n := newNews(m.logs.logger(), func(destination.Ref, DestinationStatus) {})
	for _, c := range []struct {
		synced bool
		err    error
		says   bool
	}{
		{},
		{synced: true, says: true},
		{synced: true},
		{}, // something is written
		{synced: true},
		{err: errors.New("down")},
		{synced: true, says: true},
	} {
		m.logs.take()
		st := DestinationStatus{Synced: c.synced, Line: queue.KeyStats{Err: c.err}}
		n.lookAt(m.ref, &st)
		require.Equal(t, c.says, m.logs.take() != "")
	}
}

// BenchmarkNews is a look at a thousand destinations of which nothing has changed.
func BenchmarkNews(b *testing.B) {
	m, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, &Options{OnStatus: func(destination.Ref, DestinationStatus) {}})
	require.NoError(b, err)
	repository := destination.Ref{Namespace: "default", Name: "repo"}
	rules := Rules{Repositories: []destination.Repository{{Ref: repository, URL: "https://git.example/org/r.git"}}}
	for i := range 1000 {
		name := fmt.Sprint(i)
		rules.Destinations = append(rules.Destinations, destination.Spec{
			Ref: destination.Ref{Namespace: "default", Name: name}, RepositoryRef: repository, Branch: "main", BaseFolder: name,
		})
	}
	require.NoError(b, m.SetRules(rules))
	m.news.lookAtAll(m)
	for b.Loop() {
		m.news.lookAtAll(m)
	}
}
