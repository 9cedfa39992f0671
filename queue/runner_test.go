package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
)

// start runs a Runner and returns what ends it and where its result comes.
func start(t *testing.T, q Queue, h Handler, opts *RunOptions) (stop context.CancelFunc, result <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := NewRunner(q, h, opts)
	require.True(t, r.NeedLeaderElection())
	out := make(chan error, 1)
	go func() {
		err := r.Start(ctx)
		if len(r.groups)+len(r.total) > 0 {
			err = errors.Join(err, errors.New("places are still taken"))
		}
		out <- err
	}()
	return cancel, out
}

func TestTheRunnerSettlesWhatTheHandlerReturns(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(b Batch) error
		left   int
		cause  string
	}{
		"nil is Done":              {func(Batch) error { return nil }, 0, ""},
		"an error is Retry":        {func(Batch) error { return errPush }, 2, "push failed"},
		"a panic is Retry":         {func(Batch) error { panic("oops") }, 2, "panicked: panic with a value of the type string"},
		"an exit is Retry":         {func(Batch) error { runtime.Goexit(); return nil }, 2, "ended its goroutine"},
		"a partial error":          {func(b Batch) error { return fmt.Errorf("some: %w", &PartialError{b.Events[1:], errPush}) }, 1, "push failed"},
		"a partial error of none":  {func(Batch) error { return &PartialError{nil, errPush} }, 0, ""},
		"a lease that is not lost": {func(Batch) error { return ErrLeaseLost }, 2, "lease lost"},
		"a lease that is lost": {func(b Batch) error {
			_ = b.Retry(context.Background(), errors.New("somebody else"))
			return ErrLeaseLost
		}, 2, "somebody else"},
	} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{MinBackoff: time.Hour, MaxBackoff: time.Hour})
			add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
			var tries atomic.Int32
			var settled []int // events in hand by then
			stop, result := start(t, q, func(_ context.Context, b Batch) error {
				if tries.Add(1) > 1 {
					return nil
				}
				return c.handle(b)
			}, &RunOptions{Settled: func(d destination.Destination) {
				line, _ := q.Line(d)
				settled = append(settled, line.InHand)
			}})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, []int{0}, settled, name)
			line, _ := q.Line(prod)
			require.Equal(t, c.left, line.Waiting, name)
			require.Zero(t, line.InHand, name)
			if c.cause != "" {
				require.ErrorContains(t, line.Err, c.cause, name)
			}
			stop()
			require.NoError(t, <-result, name)
			drained(t, q)
		})
	}
}

func TestAHungRepositoryHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		hang := make(chan struct{})
		var hanging, most atomic.Int32
		var pushed atomic.Int64
		began := time.Now()
		stop, result := start(t, q, func(ctx context.Context, b Batch) error {
			if b.Events[0].Destination == prod {
				pushed.Store(int64(time.Since(began)))
				return nil
			}
			most.Store(max(most.Load(), hanging.Add(1)))
			defer hanging.Add(-1)
			<-hang
			return nil
		}, &RunOptions{MaxConcurrent: 20, MaxPerGroup: 10})
		for i := range 1000 {
			add(t, q, write(dst("hung", fmt.Sprint(i)), "a", "1"))
		}
		add(t, q, write(prod, "a", "1"))
		time.Sleep(10 * time.Second)
		require.Equal(t, time.Second, time.Duration(pushed.Load()), "as soon as it was due")
		require.Equal(t, int32(10), most.Load())
		close(hang)
		stop()
		require.NoError(t, <-result)
		drained(t, q)
	})
}

func TestTheRunnerBoundsAllGroupsTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		var running atomic.Int32
		stop, result := start(t, q, func(context.Context, Batch) error {
			defer running.Add(-1)
			if running.Add(1) > 3 {
				t.Error("more than MaxConcurrent")
			}
			time.Sleep(time.Second)
			return nil
		}, &RunOptions{MaxConcurrent: 3, Group: func(d destination.Destination) string { return d.Ref.Name }})
		for i := range 10 {
			add(t, q, write(dst("repo", fmt.Sprint(i)), "a", "1"))
		}
		time.Sleep(10 * time.Second)
		stop()
		require.NoError(t, <-result)
		drained(t, q)
	})
}

func TestTheRunnerDrainsWithAContextThatGoesOn(t *testing.T) {
	type key struct{}
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		var handled atomic.Int64
		r := NewRunner(q, func(ctx context.Context, b Batch) error {
			time.Sleep(time.Second)
			if ctx.Value(key{}) == "value" && ctx.Err() == nil {
				handled.Add(int64(len(b.Events)))
			}
			return ctx.Err()
		}, nil)
		result := make(chan error, 1)
		go func() { result <- r.Start(ctx) }()
		add(t, q, write(prod, "a", "1"))
		time.Sleep(1500 * time.Millisecond) // in hand
		add(t, q, write(prod, "b", "1"), write(dev, "a", "1"))
		synctest.Wait()
		cancel()
		require.NoError(t, <-result)
		require.Equal(t, int64(3), handled.Load())
		drained(t, q)
	})
}

func TestTheRunnerEndsHandlersWhenTheDrainTimeIsOverAndTellsWhatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(dev, "a", "1"))
		stop, result := start(t, q, func(ctx context.Context, b Batch) error {
			<-ctx.Done()
			if b.Events[0].Destination == dev {
				return nil // pushed after all
			}
			return ctx.Err()
		}, &RunOptions{DrainTimeout: time.Minute})
		time.Sleep(2 * time.Second)
		stop()
		var remaining *RemainingError
		require.Equal(t, time.Minute, since(func() { require.ErrorAs(t, <-result, &remaining) }))
		require.Equal(t, map[destination.Ref]int{prod.Ref: 1}, remaining.Lines)
	})
}

func TestTheRunnerDoesNotDrainIfToldNotTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 1}})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), write(dev, "a", "1"))
		handled := 0
		stop, result := start(t, q, func(ctx context.Context, b Batch) error {
			handled++
			<-ctx.Done()
			return ctx.Err()
		}, &RunOptions{MaxConcurrent: 1, Drain: func() bool { return false }})
		time.Sleep(2 * time.Second)
		stop()
		var remaining *RemainingError
		require.Zero(t, since(func() { require.ErrorAs(t, <-result, &remaining) }))
		require.Equal(t, map[destination.Ref]int{prod.Ref: 2, dev.Ref: 1}, remaining.Lines)
		require.Equal(t, 1, handled, "what waited for a place was not begun")
		require.ErrorIs(t, q.TryAdd(write(prod, "c", "1")), ErrShutdown)
	})
}

func TestTheRunnerEndsWhenSomebodyElseShutsTheQueueDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		_, result := start(t, q, func(context.Context, Batch) error { return nil }, nil)
		require.NoError(t, q.Shutdown(t.Context()))
		require.NoError(t, <-result)
	})
}

// brokenQueue is a Queue whose Next fails for good.
type brokenQueue struct{ *Sharded }

func (brokenQueue) Next(context.Context) (Batch, error) { return Batch{}, errors.New("disk gone") }

func TestTheRunnerEndsWhenNextFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, result := start(t, brokenQueue{NewSharded(nil)}, func(context.Context, Batch) error { return nil }, nil)
		require.ErrorContains(t, <-result, "disk gone")
	})
}

func TestTheRunnerLogsFailuresWithoutContent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var logged string
		log := funcr.New(func(_, args string) { logged += args + "\n" }, funcr.Options{})
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "password"))
		stop, result := start(t, q, func(_ context.Context, b Batch) error {
			if b.Attempt == 1 {
				panic(fmt.Sprint(b.Events))
			}
			return nil
		}, &RunOptions{Logger: log})
		time.Sleep(time.Minute)
		stop()
		require.NoError(t, <-result)
		require.Contains(t, logged, "runner_test.go", "the stack of the panic")
		require.Contains(t, logged, "team/prod")
		require.NotContains(t, logged, "password")
	})
}

func TestAGroupThatPanicsLosesNothing(t *testing.T) {
	q := NewSharded(&Options{Window: Window{Count: 1}})
	add(t, q, write(prod, "a", "1"))
	r := NewRunner(q, func(context.Context, Batch) error { return nil }, &RunOptions{Group: func(destination.Destination) string { panic("oops") }})
	b := next(t, q)
	require.Panics(t, func() { r.run(t.Context(), b) })
	require.Equal(t, 1, q.Stats().Waiting, "it is back in its line")
}

func TestTheBoundOfAGroupHoldsAlsoForWhoComesWhileOthersWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		var running, most atomic.Int32
		let := make(chan struct{})
		stop, result := start(t, q, func(context.Context, Batch) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			<-let
			return nil
		}, &RunOptions{MaxPerGroup: 1})
		add(t, q, write(dst("repo", "a"), "x", "1"), write(dst("repo", "b"), "x", "1"))
		time.Sleep(2 * time.Second)
		let <- struct{}{} // the first leaves, the second runs
		synctest.Wait()
		add(t, q, write(dst("repo", "c"), "x", "1"))
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, most.Load())
		close(let)
		stop()
		require.NoError(t, <-result)
		require.EqualValues(t, 1, most.Load())
	})
}

func TestALostLeaseIsAnOutcomeOnlyOfALeaseThatIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		require.Equal(t, outcomeFailed, outcome(t.Context(), b, ErrLeaseLost))
		done(t, b)
		require.Equal(t, outcomeLost, outcome(t.Context(), b, ErrLeaseLost))
		require.Equal(t, outcomeFailed, outcome(t.Context(), b, errPush))
	})
}
