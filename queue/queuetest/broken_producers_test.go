package queuetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// brokenProducers go wrong on the way in.
var brokenProducers = []broken{
	{
		name: "it copies content that is shared",
		by:   map[string]string{"content that lines share counts in each of them, and once in total": "full"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if e.Content != nil {
					e.Content = event.NewContent(e.Content.Bytes())
				}
				return w.Sharded.TryAdd(e)
			}
		}),
	},
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
				e.Precondition = event.Always
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
		name: "it forgets what is sensitive",
		by:   map[string]string{"an event comes out as it went in": "for what is sensitive"},
		make: handing(func(events []event.Event) []event.Event {
			for i := range events {
				events[i].Sensitive = nil
			}
			return events
		}),
	},
	{
		name: "it refuses what alone is larger than its bounds",
		by:   map[string]string{"a line that holds nothing takes an event, whatever its size": "full"},
		make: but(func(w *wrapped) {
			w.tryAdd = func(e event.Event) error {
				if e.Content.Size() > 500 {
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
				if s, ok := w.Sharded.Line(e.Destination); ok && opts.MaxBytesPerKey > 0 && s.Bytes+int64(e.Content.Size()) > opts.MaxBytesPerKey {
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
