package gogit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/spans/spanstest"
)

func TestAPushIsBelowItsFirstCallerAndHasLinksToTheOthers(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	r := &spanstest.Recorder{}
	s := newSink(t, &Options{TracerProvider: r})
	entered, proceed := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { // holds the lane until the others wait for it
		apply(t, s, target(repo.URL(), "main", "first"), func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
			close(entered)
			<-proceed
			return nil, nil
		})
	})
	<-entered
	for _, name := range []string{"a", "b"} {
		running.Go(func() {
			ctx, span := r.Tracer("").Start(t.Context(), "caller of "+name)
			defer span.End()
			d := target(repo.URL(), "main", name)
			d.Ref.Name = name
			_, err := s.Apply(ctx, d, put("x", "1"))
			require.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool {
		s.lanes.mu.Lock()
		defer s.lanes.mu.Unlock()
		for _, l := range s.lanes.all {
			return len(l.waiting) == 2
		}
		return false
	}, 10*time.Second, time.Millisecond)
	close(proceed)
	running.Wait()
	pushes := r.Named("kubescribe.push")
	require.Len(t, pushes, 1)
	callers := map[string]bool{
		r.Named("caller of a")[0].SpanContext().SpanID().String(): true, r.Named("caller of b")[0].SpanContext().SpanID().String(): true,
	}
	require.Len(t, pushes[0].Links, 1)
	require.True(t, callers[pushes[0].Parent.SpanID().String()])
	require.True(t, callers[pushes[0].Links[0].SpanID().String()])
	require.NotEqual(t, pushes[0].Parent.SpanID(), pushes[0].Links[0].SpanID())
	require.Equal(t, int64(2), pushes[0].Attributes["kubescribe.plans"].AsInt64())
	require.Equal(t, int64(2), pushes[0].Attributes["kubescribe.commits"].AsInt64())
	require.Equal(t, outcomeOK, pushes[0].Attributes["kubescribe.outcome"].AsString())
}

func TestASpanOfAPlanSaysWhyItFailed(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	r := &spanstest.Recorder{}
	_, err := newSink(t, &Options{TracerProvider: r}).Apply(t.Context(), target(repo.URL(), "main", ""), func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		return nil, errors.New("no idea")
	})
	require.Error(t, err)
	plan := r.Named("kubescribe.plan")[0]
	require.Equal(t, []string{"no idea"}, plan.Errors)
	require.Equal(t, gitsink.ReasonFailed, plan.Attributes["kubescribe.outcome"].AsString())
	require.Empty(t, r.Named("kubescribe.push"))
}

func TestASinkWithoutATracerProviderTracesNothing(t *testing.T) {
	s := newSink(t, nil)
	c := newCall(t.Context(), target("https://host/r", "main", ""), nothing)
	g := &pushGroup{remote: newRemote(s, nil, c.dst), callers: &refCountedContext{ctx: t.Context()}}
	ch := &pushStack{parts: []stackPart{{call: c}}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, end := s.tracePlan(c)
		end(nil, nil)
		_, span := g.tracePush(ch)
		span.End(outcomeOK, false)
	}))
}
