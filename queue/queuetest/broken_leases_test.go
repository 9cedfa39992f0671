package queuetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// brokenLeases go wrong when a batch is settled.
var brokenLeases = []broken{
	{
		name: "Done forgets what came later",
		by: map[string]string{
			"an event that comes in during the push survives Done": "no batch came",
			"a key has one holder":                                 "no batch came",
			"in a storm of producers, failing workers and restarts nothing is lost, doubled or out of order": "the last version is",
		},
		make: leasing(func(w *wrapped, b queue.Batch, l *lease) {
			d := b.Events[0].Destination
			l.done = func(ctx context.Context) error { return errors.Join(b.Lease.Done(ctx), w.Sharded.Forget(ctx, d)) }
		}),
	},
	{
		name: "Done is for nobody",
		by:   map[string]string{"an event is handed out until it is done, and not afterwards": "want none"},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.done = func(ctx context.Context) error { return b.Lease.Retry(ctx, errPush) }
		}),
	},
	{
		name: "Retry drops the batch",
		by: map[string]string{
			"an event is handed out until it is done, and not afterwards":                  "no batch came",
			"a lease outlives the context of Next and is settled when contexts have ended": "no batch came",
		},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.retry = func(ctx context.Context, _ error, _ ...event.Event) error { return b.Lease.Done(ctx) }
		}),
	},
	{
		name: "Retry puts the old over the new",
		by: map[string]string{
			"Retry drops what was superseded meanwhile":                                                      "the batch is",
			"in a storm of producers, failing workers and restarts nothing is lost, doubled or out of order": "object ",
		},
		make: leasing(func(w *wrapped, b queue.Batch, l *lease) {
			all := slices.Clone(b.Events)
			l.retry = func(ctx context.Context, _ error, events ...event.Event) error {
				if len(events) == 0 {
					events = all
				}
				return errors.Join(b.Lease.Done(ctx), w.again(events))
			}
		}),
	},
	{
		name: "Retry of some is Retry of all",
		by:   map[string]string{"Retry of some events is Done for the rest": `"a=1 b=1 c=1 -d"`},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.retry = func(ctx context.Context, cause error, _ ...event.Event) error { return b.Lease.Retry(ctx, cause) }
		}),
	},
	{
		name: "Retry of what is not of the batch drops the batch",
		by:   map[string]string{"Retry of what is not of the batch loses nothing": "no batch came"},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.retry = func(ctx context.Context, cause error, events ...event.Event) error {
				if len(events) == 1 && events[0].Resource.Name == "c" {
					return errors.Join(errors.New("not of the batch"), b.Lease.Done(ctx))
				}
				return b.Lease.Retry(ctx, cause, events...)
			}
		}),
	},
	{
		name: "it tries at once what should not be tried for long",
		by:   map[string]string{"a failure that says when to come back is not tried before": "the next attempt came"},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.retry = func(ctx context.Context, cause error, events ...event.Event) error {
				if errors.As(cause, new(queue.RetryDelayer)) {
					cause = errors.New("busy")
				}
				return b.Lease.Retry(ctx, cause, events...)
			}
		}),
	},
	{
		name: "a lease is held for ever",
		by: map[string]string{
			"a lease is settled once":      "Held is true",
			"in doubt a lease is not held": "although its context has ended",
		},
		make: leasing(func(_ *wrapped, _ queue.Batch, l *lease) { l.held = func(context.Context) bool { return true } }),
	},
	{
		name: "a lease is settled as often as anybody likes",
		by:   map[string]string{"a lease is settled once": "want ErrLeaseLost"},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.done = func(ctx context.Context) error { _ = b.Lease.Done(ctx); return nil }
		}),
	},
	{
		name: "a lease ends with the context of Next",
		by:   map[string]string{"a lease outlives the context of Next and is settled when contexts have ended": "lost with the context of Next"},
		make: but(func(w *wrapped) {
			w.next = func(next context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(next)
				inner := b.Lease
				b.Lease = &lease{Lease: inner, held: func(ctx context.Context) bool { return next.Err() == nil && inner.Held(ctx) }}
				return b, err
			}
		}),
	},
	{
		name: "a lost lease is still held",
		by:   map[string]string{"a lease that is lost settles nothing, and another holder gets the events": "Held is true"},
		make: leasing(func(_ *wrapped, _ queue.Batch, l *lease) { l.held = func(context.Context) bool { return true } }),
		lose: func(b queue.Batch) { _ = b.Retry(context.Background(), errors.New("lost")) },
	},
	{
		name: "a lost lease takes its events along",
		by:   map[string]string{"a lease that is lost settles nothing, and another holder gets the events": "no batch came"},
		make: with(func(*queue.Options) {}),
		lose: func(b queue.Batch) { _ = b.Done(context.Background()) },
	},
	{
		name:   "it forgets when it is opened again",
		by:     map[string]string{"what a queue kept is handed out after it was opened again": "no batch came"},
		make:   with(func(*queue.Options) {}),
		reopen: func(_ queue.Queue, opts queue.Options) queue.Queue { return queue.NewSharded(&opts) },
	},
}

// brokenEnds go wrong in Forget and Shutdown.
var brokenEnds = []broken{
	{
		name: "Forget does nothing",
		by:   map[string]string{"Forget drops what waits, and makes the Retry of what is in hand a Done": "after Forget came"},
		make: but(func(w *wrapped) { w.forget = func(context.Context, destination.Destination) error { return nil } }),
	},
	{
		name: "Forget drops the whole line",
		by:   map[string]string{"Forget leaves the other destinations of a line": "no batch came"},
		make: but(func(w *wrapped) {
			w.forget = func(ctx context.Context, _ destination.Destination) error {
				return errors.Join(w.Sharded.Forget(ctx, prod), w.Sharded.Forget(ctx, dev))
			}
		}),
	},
	{
		name: "Shutdown does not wait",
		by: map[string]string{
			"Shutdown hands everything out without delay, and returns when all is done":  "is in hand",
			"Shutdown that runs out of time tells what is left, and may be called again": "Shutdown returned",
		},
		make: but(func(w *wrapped) {
			w.shutdown = func(ctx context.Context) error {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				_ = w.Sharded.Shutdown(ended)
				return nil
			}
		}),
	},
	{
		name: "Shutdown does not say what is left",
		by: map[string]string{
			"Shutdown tries once more and tells what is left":                            "want a *RemainingError",
			"Shutdown that runs out of time tells what is left, and may be called again": "want a *RemainingError",
		},
		make: but(func(w *wrapped) {
			w.shutdown = func(ctx context.Context) error {
				if err := w.Sharded.Shutdown(ctx); err != nil {
					return errors.Join(errors.New("something is left"), ctx.Err())
				}
				return nil
			}
		}),
	},
	{
		name: "Shutdown looks at its context first",
		by:   map[string]string{"Shutdown that runs out of time tells what is left, and may be called again": "all is done, and"},
		make: but(func(w *wrapped) {
			w.shutdown = func(ctx context.Context) error {
				return errors.Join(w.Sharded.Shutdown(ctx), ctx.Err())
			}
		}),
	},
	{
		name: "Shutdown takes new events",
		by:   map[string]string{"Shutdown hands everything out without delay, and returns when all is done": "want ErrShutdown"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if err := w.Sharded.TryAdd(e); !errors.Is(err, queue.ErrShutdown) {
					return err
				}
				return nil
			}
		}),
	},
	{
		name: "Shutdown waits for windows",
		by:   map[string]string{"Shutdown hands everything out without delay, and returns when all is done": "the last batches came"},
		make: but(func(w *wrapped) {
			closing := false
			w.shutdown = func(ctx context.Context) error { closing = true; return w.Sharded.Shutdown(ctx) }
			w.next = func(ctx context.Context) (queue.Batch, error) {
				if closing {
					time.Sleep(time.Second)
				}
				return w.Sharded.Next(ctx)
			}
		}),
	},
	{
		name: "Shutdown leaves those who wait alone",
		by:   map[string]string{"Shutdown ends the calls that block": "want ErrShutdown"},
		make: but(func(w *wrapped) {
			w.add = func(ctx context.Context, e event.Event) error {
				err := w.Sharded.Add(ctx, e)
				if errors.Is(err, queue.ErrShutdown) && strings.HasPrefix(e.Resource.Name, "b") {
					<-ctx.Done()
				}
				return err
			}
		}),
	},
}
