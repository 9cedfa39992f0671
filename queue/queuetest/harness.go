package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubescribe/kubescribe/queue"
)

// Harness makes the queues that [TestQueue] checks.
type Harness struct {
	// New makes an empty queue. Of the options the kit sets Key, Window, the bounds, the backoffs
	// and KeepEvery. What the queue needs besides is let go of by t.Cleanup. Required.
	New func(t testing.TB, opts queue.Options) queue.Queue

	// Reopen ends a queue as the end of its process would, without Shutdown, and opens what it kept
	// with the same options. Nil: the queue forgets, and the checks that need it are skipped.
	Reopen func(t testing.TB, q queue.Queue, opts queue.Options) queue.Queue

	// Lose takes the lease of a batch away from its holder, as the queue does that gives it to
	// another. Nil: a lease is never lost, and the checks that need it are skipped.
	Lose func(t testing.TB, q queue.Queue, b queue.Batch)

	// RealTime: the checks run by the clock of the machine. Default: each in a testing/synctest
	// bubble.
	RealTime bool
}

// need is what a check asks of a harness.
type need int

const (
	reopening need = 1 << iota // Reopen
	losing                     // Lose
)

func (n need) lacks(h Harness) string {
	switch {
	case n&reopening != 0 && h.Reopen == nil:
		return "the harness has no Reopen"
	case n&losing != 0 && h.Lose == nil:
		return "the harness has no Lose"
	}
	return ""
}

// check is one promise of a queue.
type check struct {
	name    string // a sentence
	promise string // the words of the documentation that say so
	needs   need
	run     func(e *env) error
}

// checks returns all of them.
func checks() []check {
	var all []check
	for _, some := range [][]check{handingChecks, coalescingChecks, dueChecks, backoffChecks, roomChecks, leaseChecks, endChecks, togetherChecks} {
		all = append(all, some...)
	}
	return all
}

// TestQueue checks that a queue keeps the contract of package queue. Each check is a subtest with
// queues of its own; one that fails quotes the promise that was broken.
func TestQueue(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.against(t, h); errors.Is(err, errSkipped) {
				t.Skip(err)
			} else if err != nil {
				t.Errorf("%v\n%q", err, c.promise)
			}
		})
	}
}

var errSkipped = errors.New("the check cannot be made")

// against runs the check. It must not hang: whatever blocks ends with the context of its env.
func (c check) against(t *testing.T, h Harness) error {
	t.Helper()
	if lack := c.needs.lacks(h); lack != "" {
		return fmt.Errorf("%w: %s", errSkipped, lack)
	}
	var err error
	run := func(t *testing.T) {
		e := &env{Harness: h, t: t, tick: time.Second, patience: time.Hour}
		if h.RealTime {
			e.tick, e.patience = 20*time.Millisecond, time.Minute
		}
		var cancel context.CancelFunc
		e.ctx, cancel = context.WithCancel(t.Context())
		defer e.going.Wait()
		defer cancel()
		err = c.run(e)
	}
	if h.RealTime {
		run(t)
	} else {
		synctest.Test(t, run)
	}
	return err
}

// env is what a check works with.
type env struct {
	Harness
	t        testing.TB
	ctx      context.Context // ends with the check
	tick     time.Duration   // the unit of windows and backoffs
	patience time.Duration   // bounds what a check waits for; nothing that works takes as long
	moved    time.Time       // before the last event went in, or when the last batch came out
	going    sync.WaitGroup
}

// options are those of most checks: a quiet time of a tick, a longest wait of 5, backoffs from 4
// ticks to 60.
func (e *env) options() queue.Options {
	return queue.Options{
		Window:     queue.Window{Debounce: e.tick, MaxWait: 5 * e.tick},
		MinBackoff: 4 * e.tick, MaxBackoff: 60 * e.tick,
	}
}

// open makes a queue with these options, changed.
func (e *env) open(change ...func(o *queue.Options)) queue.Queue {
	o := e.options()
	for _, f := range change {
		f(&o)
	}
	return e.New(e.t, o)
}

// start runs something on a goroutine that ends before the check does, and returns where its result
// comes.
func (e *env) start(f func() error) <-chan error {
	result := make(chan error, 1)
	e.going.Go(func() { result <- f() })
	return result
}

// pause lets time pass.
func (e *env) pause(ticks float64) { time.Sleep(time.Duration(ticks * float64(e.tick))) }

// within returns the result of start, if it comes within so many ticks, or with patience if the
// clock is real.
func (e *env) within(ticks float64, result <-chan error) (error, bool) {
	limit := time.Duration(ticks * float64(e.tick))
	if e.RealTime {
		limit += e.patience
	}
	timer := time.NewTimer(limit + e.tick/1000)
	defer timer.Stop()
	select {
	case err := <-result:
		return err, true
	case <-timer.C:
		return nil, false
	}
}

// took wants f to take as long as least and most say, in ticks. With a real clock only what is far
// too early is refused, and since this goroutine may have been held up, time counts from when
// something happened last.
func (e *env) took(least, most float64, what string, f func() error) error {
	began := time.Now()
	if e.RealTime {
		began, least = e.moved, least/2
	}
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	took := float64(time.Since(began)) / float64(e.tick)
	if took < least-0.001 || took > most+0.001 && !e.RealTime {
		return fmt.Errorf("%s after %.3g ticks, want %g to %g", what, took, least, most)
	}
	return nil
}

// eventually waits until f finds no fault: what is for people may lag.
func (e *env) eventually(f func() error) error { return e.before(10*e.tick, f) }

func (e *env) before(limit time.Duration, f func() error) error {
	for began := time.Now(); ; time.Sleep(e.tick / 10) {
		err := f()
		if err == nil || time.Since(began) > limit {
			return err
		}
	}
}
