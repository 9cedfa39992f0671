package gogit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestACallIsMadeOfWhatItsCallerGives(t *testing.T) {
	t.Parallel()
	d := target("https://host.invalid/app", "main", "base")
	ran := false
	c := newCall(t.Context(), d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { ran = true; return nil, nil })
	require.Equal(t, t.Context(), c.ctx)
	require.Equal(t, d, c.dst)
	require.Equal(t, d.RemoteBranch(), c.lane)
	require.True(t, waits(c))
	_, err := c.plan(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, ran)
}

func TestACallerIsToldWhatItsCallHasEndedWith(t *testing.T) {
	t.Parallel()
	fault := errors.New("x")
	for _, want := range []error{nil, fault} {
		c := newCall(t.Context(), target("https://host.invalid/app", "main", "base"), nothing)
		c.result = gitsink.Result{Tip: "tip", Attempts: 2, Foreign: true, Commits: []string{"1"}}
		c.held = &Auth{}
		c.finish(want)
		require.True(t, c.over)
		require.Nil(t, c.held)
		result, err := newSink(t, nil).wait(c)
		require.Equal(t, want, err)
		if want == nil {
			require.Equal(t, gitsink.Result{Tip: "tip", Attempts: 2, Foreign: true, Commits: []string{"1"}}, result)
		} else {
			require.Equal(t, gitsink.Result{Attempts: 2}, result, "nothing of it holds")
		}
	}
}

func TestACallerLeavesAsSoonAsNothingCanHappenAnyMore(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(s *Sink, c *call)
		takes   time.Duration
		op      string
		unknown bool
	}{
		"it waits for its lane":    {prepare: func(s *Sink, c *call) { s.lanes.submit(c); c.ran = true }, op: opFetch},
		"its plan has not run":     {prepare: func(*Sink, *call) {}, op: opFetch},
		"its plan has run":         {prepare: func(_ *Sink, c *call) { c.ran = true }, takes: leaveTimeout, op: opPush, unknown: true},
		"its plan is running":      {prepare: func(_ *Sink, c *call) { c.turn.Lock() }, takes: leaveTimeout, op: opPush, unknown: true},
		"its push ends meanwhile":  {prepare: func(_ *Sink, c *call) { c.ran = true; time.AfterFunc(3*time.Second, func() { c.finish(nil) }) }, takes: 3 * time.Second},
		"its push fails meanwhile": {prepare: func(_ *Sink, c *call) { c.ran = true; time.AfterFunc(time.Second, func() { c.finish(errMoved) }) }, takes: time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			made := newCall(ctx, target("https://host.invalid/app", "main", "base"), nothing)
			made.result.Attempts = 7
			c.prepare(s, made)
			began := time.Now()
			result, err := s.wait(made)
			require.Equal(t, c.takes, time.Since(began), name)
			if c.op == "" {
				require.Equal(t, made.err, err, name)
				require.Equal(t, 7, result.Attempts, name)
				return
			}
			var e *gitsink.Error
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, c.op, e.Op, name)
			require.Equal(t, made.dst, e.Destination, name)
			require.ErrorIs(t, err, context.Canceled, name)
			require.Equal(t, c.unknown, errors.Is(err, gitsink.ErrUnknown), name)
			require.Zero(t, result, name)
		})
	}
}

func TestAPlanIsRunWithinItsTimeAndItsTreeEndsWithIt(t *testing.T) {
	made := []gitsink.Commit{{Message: "m"}}
	fault := errors.New("of the plan")
	heeds := func(ctx context.Context, _ gitsink.Tree) ([]gitsink.Commit, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	lateBut := func(after time.Duration) gitsink.Plan {
		return func(ctx context.Context, _ gitsink.Tree) ([]gitsink.Commit, error) {
			<-ctx.Done()
			time.Sleep(after)
			return made, nil
		}
	}
	for name, c := range map[string]struct {
		plan  gitsink.Plan
		at    time.Duration // something happens
		does  func(s *Sink, cancel func())
		takes time.Duration
		made  bool
		is    error
		says  string
		never bool
	}{
		"it makes commits":         {plan: commits(made...), made: true},
		"it fails":                 {plan: func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return made, fault }, made: true, is: fault, says: "of the plan"},
		"it panics":                {plan: func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { panic("x") }, says: "the plan panicked: "},
		"it ends its goroutine":    {plan: func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { runtime.Goexit(); return nil, nil }, is: errPlanEnded},
		"it takes too long":        {plan: heeds, takes: time.Minute, is: context.Canceled, says: "the plan took longer than 1m0s: "},
		"the sink is closed":       {plan: heeds, at: time.Second, does: func(s *Sink, _ func()) { s.close() }, takes: time.Second, is: errClosed, says: "the sink is closed: "},
		"its caller leaves":        {plan: heeds, at: time.Second, does: func(_ *Sink, cancel func()) { cancel() }, takes: time.Second, is: context.Canceled, says: "context canceled"},
		"it ends in time of grace": {plan: lateBut(planGrace - 1), takes: time.Minute + planGrace - 1, made: true},
		"it goes on": {plan: lateBut(planGrace + 1), takes: time.Minute + planGrace,
			says: "the plan took longer than 1m0s, and goes on 2s after the end of its context"},
		"its caller has left": {does: func(_ *Sink, cancel func()) { cancel() }, is: context.Canceled, never: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, &Options{PlanTimeout: time.Minute})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := newCall(ctx, target("https://host.invalid/app", "main", "base"), c.plan)
			if c.at > 0 {
				time.AfterFunc(c.at, func() { c.does(s, cancel) })
			} else if c.does != nil {
				c.does(s, cancel)
			}
			v := &view{}
			began := time.Now()
			got, err := call.run(s, v)
			require.Equal(t, c.takes, time.Since(began), name)
			require.Equal(t, c.made, len(got) > 0, name)
			if c.is != nil {
				require.ErrorIs(t, err, c.is, name)
			}
			if c.says == "" && c.is == nil {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, c.says, name)
			}
			require.Equal(t, !c.never, call.ran, name)
			require.Equal(t, !c.never, v.over, name)
			require.Equal(t, !c.never, v.ctx != nil, name)
			require.Equal(t, !c.never, call.result.Attempts == 1, name)
			require.True(t, call.turn.TryLock(), name)
			call.turn.Unlock()
			time.Sleep(time.Second) // a plan that was left behind ends
		})
	}
}

func TestAPlanThatWasLeftIsNotRun(t *testing.T) {
	t.Parallel()
	c := newCall(t.Context(), target("https://host.invalid/app", "main", "base"), nil)
	require.True(t, c.leave())
	got, err := c.run(newSink(t, nil), &view{})
	require.Empty(t, got)
	require.NoError(t, err, "there is nobody to tell")
	require.False(t, c.ran)
	c.turn.Lock()
	require.False(t, c.leave(), "it is running")
	c.turn.Unlock()
}

func TestWhyAPlanWasCutOffIsSaidOnce(t *testing.T) {
	t.Parallel()
	why, of := errors.New("why"), errors.New("of the plan")
	open, cut := t.Context(), func() context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		return ctx
	}()
	for name, c := range map[string]struct {
		err         error
		ctx, caller context.Context
		says        string
	}{
		"no error":             {nil, cut, open, "<nil>"},
		"not cut off":          {of, open, open, "of the plan"},
		"cut off":              {of, cut, open, "why: of the plan"},
		"by the caller itself": {of, cut, cut, "of the plan"},
		"it says so itself":    {fmt.Errorf("so: %w", why), cut, open, "so: why"},
	} {
		err := planned{err: c.err}.because(c.ctx, c.caller)
		require.Equal(t, c.says, fmt.Sprint(err), name)
		if c.err != nil {
			require.ErrorIs(t, err, c.err, name)
		}
	}
}
