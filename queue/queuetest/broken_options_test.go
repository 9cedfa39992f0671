package queuetest

import (
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
		make: with(func(o *queue.Options) { o.Window.MaxWait = 1000 * time.Hour }),
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
			"a batch is cut at its bytes, and the rest is due at once if the batch was due by its age": "the batch is",
			"what depends on each other comes in one batch":                                            "the batch is",
		},
		make: with(func(o *queue.Options) { o.Window.Bytes = 1 << 40 }),
	},
	{
		name: "its lines have no bounds",
		by: map[string]string{
			"a line is bounded in number and bytes, batches in hand included":    "want ErrFull",
			"a line that had to refuse an event is due at once":                  "want ErrFull",
			"Add blocks until there is room":                                     "although there is no room",
			"content that lines share counts in each of them, and once in total": "in a line: ",
		},
		make: with(func(o *queue.Options) { o.MaxEventsPerKey, o.MaxBytesPerKey = 1<<30, 1<<40 }),
	},
	{
		name: "it has no bounds in total",
		by: map[string]string{
			"the queue is bounded in number and bytes":                  "it took 400 events",
			"an event that replaces shared content needs room in total": "it took 10 contents",
		},
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
