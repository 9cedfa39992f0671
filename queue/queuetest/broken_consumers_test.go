package queuetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// again makes a queue that puts events in once more, as if they were new.
func (w *wrapped) again(events []event.Event) error {
	for _, e := range events {
		if err := w.Sharded.TryAdd(e); err != nil {
			return err
		}
	}
	return nil
}

// brokenConsumers go wrong on the way out.
var brokenConsumers = []broken{
	{
		name: "it hands a key to two",
		by: map[string]string{
			"a key has one holder": "want none",
			"in a storm of producers, failing workers and restarts nothing is lost, doubled or out of order": "handed out while its key was in hand",
		},
		make: leasing(func(w *wrapped, b queue.Batch, l *lease) {
			events := slices.Clone(b.Events)
			_ = b.Lease.Done(context.Background())
			var once sync.Once
			settle := func(again []event.Event) error {
				err := queue.ErrLeaseLost
				once.Do(func() { err = w.again(again) })
				return err
			}
			l.done = func(context.Context) error { return settle(nil) }
			l.retry = func(_ context.Context, _ error, some ...event.Event) error {
				if len(some) == 0 {
					some = events
				}
				return settle(some)
			}
		}),
	},
	{
		name: "it hands a batch out backwards",
		by:   map[string]string{"the events of an object keep their order, also after a Retry": "the batch is"},
		make: handing(func(events []event.Event) []event.Event { slices.Reverse(events); return events }),
	},
	{
		name: "it mixes lines in a batch",
		by:   map[string]string{"a batch holds the events of one key": "holds an event of"},
		make: but(func(w *wrapped) {
			w.next = func(ctx context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(ctx)
				if err != nil {
					return b, err
				}
				soon, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				if more, err := w.Sharded.Next(soon); err == nil {
					b.Events = append(b.Events, more.Events...)
				}
				return b, nil
			}
		}),
	},
	{
		name: "one line has all the turns",
		by:   map[string]string{"lines take turns, however full one is": "while another one was due"},
		make: func(opts queue.Options) queue.Queue {
			w := &wrapped{Sharded: queue.NewSharded(&opts)}
			var hidden []queue.Batch
			w.next = func(ctx context.Context) (queue.Batch, error) {
				for {
					b, err := w.Sharded.Next(ctx)
					if err != nil || b.Events[0].Destination == prod {
						return b, err
					}
					hidden = append(hidden, b)
				}
			}
			return w
		},
	},
	{
		name: "listings go first",
		by:   map[string]string{"live changes go before a listing": "the batch 1 is"},
		make: stashing(func(a, b queue.Batch) bool { return a.Events[0].Listed && !b.Events[0].Listed }),
	},
	{
		name: "listings starve",
		by:   map[string]string{"a listing is not starved by the live changes of other lines": "more than four turns"},
		make: stashing(func(a, b queue.Batch) bool { return !a.Events[0].Listed && b.Events[0].Listed }),
	},
	{
		name: "listings of a line starve",
		by:   map[string]string{"a listing is not starved by the live changes of its line": "more than four batches"},
		make: but(func(w *wrapped) {
			var late []event.Event
			w.tryAdd = func(e event.Event) error {
				if e.Listed {
					late = append(late, e)
					return nil
				}
				return w.Sharded.TryAdd(e)
			}
		}),
	},
	{
		name: "it hands the slice of the line out",
		by:   map[string]string{"what a consumer does to its batch does not reach the line": "the batch is"},
		make: leasing(func(_ *wrapped, b queue.Batch, l *lease) {
			l.retry = func(ctx context.Context, cause error, events ...event.Event) error {
				if len(events) == 0 {
					events = b.Events
				}
				return errors.Join(b.Lease.Retry(ctx, cause, slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Operation == "" })...))
			}
		}),
	},
	{
		name: "Next does not end with its context",
		by:   map[string]string{"a key has one holder": "want the context's error"},
		make: but(func(w *wrapped) {
			w.next = func(ctx context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(ctx)
				if ctx.Err() != nil {
					err = errors.New("nothing")
				}
				return b, err
			}
		}),
	},
	{
		name: "a parked line holds up everybody",
		by:   map[string]string{"a line that backs off holds up no other": "the other line's batch came"},
		make: but(func(w *wrapped) {
			w.next = func(ctx context.Context) (queue.Batch, error) {
				for w.Sharded.Stats().Parked > 0 && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				return w.Sharded.Next(ctx)
			}
		}),
	},
	{
		name: "what comes in ends a backoff",
		by:   map[string]string{"a failing line backs off longer each time, and Done ends it": "back"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				w.Wake(e.Destination)
				return w.Sharded.TryAdd(e)
			}
		}),
	},
	{
		name: "Wake does nothing",
		by:   map[string]string{"Wake ends a backoff": "the next attempt came"},
		make: but(func(w *wrapped) { w.wake = func(destination.Destination) {} }),
	},
	{
		name: "it does not show why it waits",
		by: map[string]string{
			"a failing line backs off longer each time, and Done ends it":           "does not show",
			"a permanent failure backs off for the longest time at once, and shows": "does not show",
		},
		make: but(func(w *wrapped) {
			w.line = func(d destination.Destination) (queue.KeyStats, bool) {
				s, ok := w.Sharded.Line(d)
				return queue.KeyStats{Waiting: s.Waiting, InHand: s.InHand}, ok
			}
		}),
	},
	{
		name: "it never shows that a line is empty",
		by:   map[string]string{"an event is handed out until it is done, and not afterwards": "is still there"},
		make: but(func(w *wrapped) {
			w.line = func(d destination.Destination) (queue.KeyStats, bool) {
				s, _ := w.Sharded.Line(d)
				return s, true
			}
		}),
	},
}
