package queuetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// brokenOptions do not honour what they are made with.
var brokenOptions = []broken{
	{
		name: "it never coalesces",
		by: map[string]string{
			"the newest event of an object wins and stands at the tail": `"a=1 b=1 -c a=2`,
			"Retry drops what was superseded meanwhile":                 `"a=1 b=1`,
			"an event that replaces one of its size needs no room":      "full",
		},
		make: with(func(o *queue.Options) { o.KeepEvery = true }),
	},
	{
		name: "it always coalesces",
		by: map[string]string{
			"every event is kept if that is asked for":                     `"-a b=1"`,
			"the events of an object keep their order, also after a Retry": "the batch is",
			"in a storm every event is kept if that is asked for":          "and none between",
		},
		make: with(func(o *queue.Options) { o.KeepEvery = false }),
	},
	{
		name: "its key is the destination's name",
		by:   map[string]string{"a destination with a changed field has a line of its own": "the batch is"},
		make: with(func(o *queue.Options) {
			if o.Key == nil {
				o.Key = func(d destination.Destination) string { return d.Ref.String() }
			}
		}),
	},
	{
		name: "it has its own idea of keys",
		by:   map[string]string{"a batch holds the events of one key": "the batch of"},
		make: with(func(o *queue.Options) { o.Key = queue.ByRepository }),
	},
	{
		name: "all destinations share one line",
		by: map[string]string{
			"a line that backs off holds up no other":     "the other line's batch came",
			"one line does not use up the room of others": "full",
		},
		make: with(func(o *queue.Options) { o.Key = func(destination.Destination) string { return "all" } }),
	},
	{
		name: "it hands out at once",
		by: map[string]string{
			"a line is due when it has been quiet":                                  "want 1.9 to 2",
			"a line is due after the longest wait, however often an object changes": "want 9 to 10",
		},
		make: with(func(o *queue.Options) { o.Window.Count = 1 }),
	},
	{
		name: "its batches wait for quiet however long it takes",
		by:   map[string]string{"a line is due after the longest wait, however often an object changes": "want 9 to 10"},
		make: with(func(o *queue.Options) { o.Window.Longest = 1000 * time.Hour }),
	},
	{
		name: "it does not count",
		by:   map[string]string{"a line is due at a count of live events, or at its bytes": "a batch of three came"},
		make: with(func(o *queue.Options) { o.Window.Count = 1000 }),
	},
	{
		name: "it counts listings too",
		by:   map[string]string{"a line is due at a count of live events, or at its bytes": "want none"},
		make: func(opts queue.Options) queue.Queue {
			w := &wrapped{Sharded: queue.NewSharded(&opts)}
			n := 0
			w.tryAdd = func(e event.Event) error {
				err := w.Sharded.TryAdd(e)
				if n++; opts.Window.Count > 0 && n%opts.Window.Count == 0 {
					w.Wake(e.Destination)
				}
				return err
			}
			return w
		},
	},
	{
		name: "its batches have no end",
		by: map[string]string{
			"a batch is cut at its bytes, and the rest is due at once": "the batch is",
			"what depends on each other comes in one batch":            "the batch is",
		},
		make: with(func(o *queue.Options) { o.Window.Bytes = 1 << 40 }),
	},
	{
		name: "its lines have no bounds",
		by: map[string]string{
			"a line is bounded in number and bytes, batches in hand included": "want ErrFull",
			"a line that had to refuse an event is due at once":               "want ErrFull",
			"Add blocks until there is room":                                  "although there is no room",
		},
		make: with(func(o *queue.Options) { o.MaxEventsPerKey, o.MaxBytesPerKey = 1<<30, 1<<40 }),
	},
	{
		name: "it has no bounds in total",
		by:   map[string]string{"the queue is bounded in number and bytes": "it took 400 events"},
		make: with(func(o *queue.Options) { o.MaxEvents, o.MaxBytes = 1<<30, 1<<40 }),
	},
	{
		name: "it is tried again at the same pace for ever",
		by: map[string]string{
			"a failing line backs off longer each time, and Done ends it":           " ticks, want ",
			"a permanent failure backs off for the longest time at once, and shows": "the next attempt came",
		},
		make: with(func(o *queue.Options) { o.MaxBackoff = o.MinBackoff }),
	},
}

// brokenProducers go wrong on the way in.
var brokenProducers = []broken{
	{
		name: "it takes what is incomplete",
		by:   map[string]string{"an incomplete event is refused": "want ErrIncomplete"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if err := w.Sharded.TryAdd(e); !errors.Is(err, event.ErrIncomplete) {
					return err
				}
				return nil
			}
		}),
	},
	{
		name: "it drops what finds no room",
		by: map[string]string{
			"a line is bounded in number and bytes, batches in hand included": "want ErrFull",
			"Room returns when what was refused may fit":                      "want ErrFull",
		},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if err := w.Sharded.TryAdd(e); !errors.Is(err, queue.ErrFull) {
					return err
				}
				return nil
			}
		}),
	},
	{
		name: "Add does not block",
		by:   map[string]string{"Add blocks until there is room": "although there is no room", "an Add that blocks ends with its context": "want the context's error"},
		make: but(func(w *wrapped) {
			w.add = func(_ context.Context, e event.Event) error { return w.Sharded.TryAdd(e) }
		}),
	},
	{
		name: "Room says yes at once",
		by:   map[string]string{"Room returns when what was refused may fit": "although there is none"},
		make: but(func(w *wrapped) { w.room = func(context.Context, destination.Destination) error { return nil } }),
	},
	{
		name: "it knows objects by their names alone",
		by:   map[string]string{"the same object of another destination is another": "the batch is"},
		make: but(func(w *wrapped) {
			w.next = func(ctx context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(ctx)
				slices.Reverse(b.Events)
				seen := map[event.ID]bool{}
				b.Events = slices.DeleteFunc(b.Events, func(e event.Event) bool {
					old := seen[e.Resource.ID]
					seen[e.Resource.ID] = true
					return old
				})
				slices.Reverse(b.Events)
				return b, err
			}
		}),
	},
	{
		name: "it keeps every SeedSync",
		by:   map[string]string{"the newest SeedSync of a destination speaks for all": `"sync a=1 sync"`},
		make: but(func(w *wrapped) {
			var first sync.Once
			w.next = func(ctx context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(ctx)
				first.Do(func() { b.Events = append([]event.Event{seedSync(prod)}, b.Events...) })
				return b, err
			}
		}),
	},
	{
		name: "it lays conditional writes over what they depend on",
		by: map[string]string{
			"a conditional write is never laid over what it depends on": `want "-a a=1"`,
			"what depends on each other comes in one batch":             "the batch is",
		},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				e.Condition = event.Always
				return w.Sharded.TryAdd(e)
			}
		}),
	},
	{
		name: "it forgets who did it",
		by:   map[string]string{"an event comes out as it went in": "came out as"},
		make: handing(func(events []event.Event) []event.Event {
			for i := range events {
				events[i].Author = event.Author{}
			}
			return events
		}),
	},
	{
		name: "it refuses what alone is larger than its bounds",
		by:   map[string]string{"a line that holds nothing takes an event, whatever its size": "full"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if len(e.Content) > 500 {
					return queue.ErrFull
				}
				return w.Sharded.TryAdd(e)
			}
		}),
	},
	{
		name: "it counts what replaces as more",
		by:   map[string]string{"an event that replaces one of its size needs no room": "full"},
		make: func(opts queue.Options) queue.Queue {
			w := &wrapped{Sharded: queue.NewSharded(&opts)}
			w.tryAdd = func(e event.Event) error {
				if s, ok := w.Sharded.Line(e.Destination); ok && opts.MaxBytesPerKey > 0 && s.Bytes+int64(len(e.Content)) > opts.MaxBytesPerKey {
					return queue.ErrFull
				}
				return w.Sharded.TryAdd(e)
			}
			return w
		},
	},
	{
		name: "a refusal changes nothing",
		by:   map[string]string{"a line that had to refuse an event is due at once": "the batch came"},
		make: func(opts queue.Options) queue.Queue {
			w := &wrapped{Sharded: queue.NewSharded(&opts)}
			w.tryAdd = func(e event.Event) error {
				if s, ok := w.Sharded.Line(e.Destination); ok && opts.MaxEventsPerKey > 0 && s.Waiting >= opts.MaxEventsPerKey {
					return queue.ErrFull
				}
				return w.Sharded.TryAdd(e)
			}
			return w
		},
	},
	{
		name: "the newest takes the place of an older one",
		by: map[string]string{
			"the newest event of an object wins and stands at the tail": `"a=2 b=1 c=1 -d"`,
		},
		make: but(func(w *wrapped) {
			place := map[event.ID]int{}
			w.tryAdd = func(e event.Event) error {
				if _, ok := place[e.Resource.ID]; !ok {
					place[e.Resource.ID] = len(place)
				}
				return w.Sharded.TryAdd(e)
			}
			w.next = func(ctx context.Context) (queue.Batch, error) {
				b, err := w.Sharded.Next(ctx)
				slices.SortStableFunc(b.Events, func(a, b event.Event) int { return cmp.Compare(place[a.Resource.ID], place[b.Resource.ID]) })
				return b, err
			}
		}),
	},
}

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
			w.line = func(d destination.Destination) (queue.LineStats, bool) {
				s, ok := w.Sharded.Line(d)
				return queue.LineStats{Waiting: s.Waiting, InHand: s.InHand}, ok
			}
		}),
	},
	{
		name: "it never shows that a line is empty",
		by:   map[string]string{"an event is handed out until it is done, and not afterwards": "is still there"},
		make: but(func(w *wrapped) {
			w.line = func(d destination.Destination) (queue.LineStats, bool) {
				s, _ := w.Sharded.Line(d)
				return s, true
			}
		}),
	},
}

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
