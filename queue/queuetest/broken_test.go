package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/kittest"
	"github.com/kubescribe/kubescribe/queue"
)

// broken is a queue that breaks a promise on purpose.
type broken struct {
	name string
	by   map[string]string // the checks that must refuse it, and what they must say
	make func(opts queue.Options) queue.Queue
	// reopen and lose are for the checks that need them.
	reopen func(q queue.Queue, opts queue.Options) queue.Queue
	lose   func(b queue.Batch)
}

func (b broken) harness() Harness {
	h := Harness{New: func(_ testing.TB, opts queue.Options) queue.Queue { return b.make(opts) }}
	if b.reopen != nil {
		h.Reopen = func(_ testing.TB, q queue.Queue, opts queue.Options) queue.Queue { return b.reopen(q, opts) }
	}
	if b.lose != nil {
		h.Lose = func(_ testing.TB, _ queue.Queue, batch queue.Batch) { b.lose(batch) }
	}
	return h
}

func allBroken() []broken {
	var all []broken
	for _, some := range [][]broken{brokenOptions, brokenProducers, brokenConsumers, brokenLeases, brokenEnds} {
		all = append(all, some...)
	}
	return all
}

func TestEachBrokenQueueIsRefused(t *testing.T) {
	kittest.RequireRefused(t, catalogue(), brokenQueues(), errSkipped)
}

func TestEachCheckRefusesABrokenQueue(t *testing.T) {
	kittest.RequireUse(t, catalogue(), brokenQueues())
}

func catalogue() (all []kittest.Check) {
	for _, c := range checks() {
		all = append(all, kittest.Check{Name: c.name, Promise: c.promise})
	}
	return all
}

func brokenQueues() (all []kittest.Broken) {
	named := map[string]check{}
	for _, c := range checks() {
		named[c.name] = c
	}
	for _, b := range allBroken() {
		all = append(all, kittest.Broken{Name: b.name, By: b.by, Run: func(t *testing.T, name string) error {
			return named[name].against(t, b.harness())
		}})
	}
	return all
}

// wrapped is a Sharded with some methods replaced.
type wrapped struct {
	*queue.Sharded
	add      func(ctx context.Context, e event.Event) error
	tryAdd   func(e event.Event) error
	room     func(ctx context.Context, d destination.Destination) error
	next     func(ctx context.Context) (queue.Batch, error)
	forget   func(ctx context.Context, d destination.Destination) error
	wake     func(d destination.Destination)
	line     func(d destination.Destination) (queue.KeyStats, bool)
	shutdown func(ctx context.Context) error
}

func (w *wrapped) Add(ctx context.Context, e event.Event) error {
	if w.add != nil {
		return w.add(ctx, e)
	}
	return w.Sharded.Add(ctx, e)
}

func (w *wrapped) TryAdd(e event.Event) error {
	if w.tryAdd != nil {
		return w.tryAdd(e)
	}
	return w.Sharded.TryAdd(e)
}

func (w *wrapped) Room(ctx context.Context, d destination.Destination) error {
	if w.room != nil {
		return w.room(ctx, d)
	}
	return w.Sharded.Room(ctx, d)
}

func (w *wrapped) Next(ctx context.Context) (queue.Batch, error) {
	if w.next != nil {
		return w.next(ctx)
	}
	return w.Sharded.Next(ctx)
}

func (w *wrapped) Forget(ctx context.Context, d destination.Destination) error {
	if w.forget != nil {
		return w.forget(ctx, d)
	}
	return w.Sharded.Forget(ctx, d)
}

func (w *wrapped) Wake(d destination.Destination) {
	if w.wake != nil {
		w.wake(d)
		return
	}
	w.Sharded.Wake(d)
}

func (w *wrapped) Line(d destination.Destination) (queue.KeyStats, bool) {
	if w.line != nil {
		return w.line(d)
	}
	return w.Sharded.Line(d)
}

func (w *wrapped) Shutdown(ctx context.Context) error {
	if w.shutdown != nil {
		return w.shutdown(ctx)
	}
	return w.Sharded.Shutdown(ctx)
}

type maker = func(opts queue.Options) queue.Queue

// but makes a Sharded with something replaced.
func but(replace func(w *wrapped)) maker {
	return func(opts queue.Options) queue.Queue {
		w := &wrapped{Sharded: queue.NewSharded(&opts)}
		replace(w)
		return w
	}
}

// with makes a Sharded of other options.
func with(change func(o *queue.Options)) maker {
	return func(opts queue.Options) queue.Queue {
		change(&opts)
		return queue.NewSharded(&opts)
	}
}

// lease is a Lease with some methods replaced.
type lease struct {
	queue.Lease
	held  func(ctx context.Context) bool
	done  func(ctx context.Context) error
	retry func(ctx context.Context, cause error, events ...event.Event) error
}

func (l *lease) Held(ctx context.Context) bool {
	if l.held != nil {
		return l.held(ctx)
	}
	return l.Lease.Held(ctx)
}

func (l *lease) Done(ctx context.Context) error {
	if l.done != nil {
		return l.done(ctx)
	}
	return l.Lease.Done(ctx)
}

func (l *lease) Retry(ctx context.Context, cause error, events ...event.Event) error {
	if l.retry != nil {
		return l.retry(ctx, cause, events...)
	}
	return l.Lease.Retry(ctx, cause, events...)
}

// leasing makes a Sharded whose leases have something replaced.
func leasing(replace func(w *wrapped, b queue.Batch, l *lease)) maker {
	return but(func(w *wrapped) {
		w.next = func(ctx context.Context) (queue.Batch, error) {
			b, err := w.Sharded.Next(ctx)
			if err == nil {
				l := &lease{Lease: b.Lease}
				replace(w, b, l)
				b.Lease = l
			}
			return b, err
		}
	})
}

// handing makes a Sharded whose batches are changed.
func handing(change func(events []event.Event) []event.Event) maker {
	return but(func(w *wrapped) {
		w.next = func(ctx context.Context) (queue.Batch, error) {
			b, err := w.Sharded.Next(ctx)
			b.Events = change(b.Events)
			return b, err
		}
	})
}

// stashing makes a Sharded that leases whatever is due and hands out of it what better prefers.
func stashing(better func(a, b queue.Batch) bool) maker {
	return but(func(w *wrapped) {
		var stash []queue.Batch
		w.next = func(ctx context.Context) (queue.Batch, error) {
			for {
				soon, cancel := context.WithTimeout(ctx, time.Millisecond)
				b, err := w.Sharded.Next(soon)
				cancel()
				if err != nil {
					break
				}
				stash = append(stash, b)
			}
			if len(stash) == 0 {
				return w.Sharded.Next(ctx)
			}
			best := 0
			for i := range stash {
				if better(stash[i], stash[best]) {
					best = i
				}
			}
			b := stash[best]
			stash = append(stash[:best], stash[best+1:]...)
			return b, nil
		}
	})
}
