package queuetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// coalescingChecks are about what supersedes what.
var coalescingChecks = []check{
	{
		name:    "the newest event of an object wins and stands at the tail",
		promise: "A new event supersedes the waiting ones of its ID and destination, and stands at the tail of the line.",
		run: func(e *env) error {
			q := e.open()
			return first(
				func() error {
					return e.add(q, write(prod, "a", "1"), write(prod, "b", "1"), remove(prod, "c"), write(prod, "a", "2"), remove(prod, "d"), write(prod, "c", "1"))
				},
				func() error { return e.done(q, "b=1 a=2 -d c=1") },
				func() error { return e.empty(q, prod) },
			)
		},
	},
	{
		name:    "the same object of another destination is another",
		promise: "A new event supersedes the waiting ones of its ID and destination",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Key = queue.ByRepository })
			return first(
				func() error {
					return e.add(q, write(prod, "a", "1"), write(dev, "a", "2"), seedSync(prod), seedSync(dev))
				},
				func() error { return e.done(q, "a=1 a=2 sync sync") },
			)
		},
	},
	{
		name:    "the newest SeedSync of a destination speaks for all",
		promise: "A new SeedSync supersedes the waiting one of its destination, since its Inventory speaks for all collections.",
		run: func(e *env) error {
			for _, keep := range []bool{false, true} {
				q := e.open(func(o *queue.Options) { o.KeepEvery = keep })
				if err := first(
					func() error { return e.add(q, seedSync(prod), listed(prod, "a"), seedSync(prod)) },
					func() error { return e.done(q, "a=1 sync") },
				); err != nil {
					return fmt.Errorf("KeepEvery %t: %w", keep, err)
				}
			}
			return nil
		},
	},
	{
		name:    "a conditional write is never laid over what it depends on",
		promise: "A write with a Precondition supersedes only writes with the same one",
		run: func(e *env) error {
			for _, c := range []struct {
				events []event.Event
				want   string
			}{
				{[]event.Event{remove(prod, "a"), when(event.IfAbsent, "1")}, "-a a=1"},
				{[]event.Event{when(event.Always, "1"), when(event.IfPresent, "2")}, "a=1 a=2"},
				{[]event.Event{when(event.IfAbsent, "1"), when(event.IfAbsent, "2")}, "a=2"},
				{[]event.Event{when(event.IfAbsent, "1"), when(event.Always, "2")}, "a=2"},
				{[]event.Event{remove(prod, "a"), when(event.IfAbsent, "1"), remove(prod, "a")}, "-a"},
			} {
				q := e.open()
				if err := first(
					func() error { return e.add(q, c.events...) },
					func() error { return e.retry(q, c.want, errPush) },
					func() error { return e.done(q, c.want) },
				); err != nil {
					return fmt.Errorf("%s: %w", texts(c.events), err)
				}
			}
			return nil
		},
	},
	{
		name:    "what depends on each other comes in one batch",
		promise: "Where it does not supersede, both are kept and handed out in order, in one batch.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Bytes = 300 })
			large := strings.Repeat("x", 250)
			return first(
				func() error {
					return e.add(q, write(prod, "b", large), write(prod, "a", "1"), when(event.IfPresent, large))
				},
				func() error { return e.done(q, "b=xxxxxxxxxxxxxxxxxxxx") },
				func() error { return e.done(q, "a=1 a=xxxxxxxxxxxxxxxxxxxx") },
			)
		},
	},
	{
		name:    "an event that comes in during the push survives Done",
		promise: "An event that comes in while its object is being pushed is no part of that batch, and stays when the batch is done.",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1"); return err },
				func() error { return e.add(q, write(prod, "a", "2"), write(prod, "c", "1")) },
				func() error {
					if texts(b.Events) != "a=1 b=1" {
						return fmt.Errorf("the batch in hand became %q", texts(b.Events))
					}
					return settled(b.Done(e.ctx))
				},
				func() error { return e.done(q, "a=2 c=1") },
				func() error { return e.empty(q, prod) },
			)
		},
	},
	{
		name:    "Retry drops what was superseded meanwhile",
		promise: "Retry drops those events of its batch that a newer one has superseded meanwhile.",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1"), seedSync(prod)) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1 sync"); return err },
				func() error { return e.add(q, write(prod, "c", "1"), remove(prod, "a"), seedSync(prod)) },
				func() error { return settled(b.Retry(e.ctx, errPush)) },
				func() error { return e.done(q, "b=1 c=1 -a sync") },
			)
		},
	},
	{
		name:    "Retry of some events is Done for the rest",
		promise: "the rest of the batch is done",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error {
					return e.add(q, write(prod, "a", "1"), write(prod, "b", "1"), write(prod, "c", "1"), remove(prod, "d"))
				},
				func() (err error) { b, err = e.expect(q, "a=1 b=1 c=1 -d"); return err },
				func() error { return settled(b.Retry(e.ctx, errPush, b.Events[3], b.Events[1])) },
				func() error { return e.done(q, "b=1 -d") },
				func() error { return e.empty(q, prod) },
			)
		},
	},
	{
		name:    "Retry of what is not of the batch loses nothing",
		promise: "A Retry that names events which are not of the batch puts all of it back, and returns an error.",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1"); return err },
				func() error {
					if b.Retry(e.ctx, errPush, write(prod, "c", "1")) == nil {
						return fmt.Errorf("Retry of an event that is not of the batch returned nil")
					}
					return nil
				},
				func() error { return e.done(q, "a=1 b=1") },
			)
		},
	},
	{
		name:    "every event is kept if that is asked for",
		promise: "With Options.KeepEvery changes are not coalesced, for a commit per change, and a line is strictly first in, first out.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.KeepEvery = true })
			return first(
				func() error {
					return e.add(q, write(prod, "a", "1"), listed(prod, "b"), write(prod, "a", "2"), remove(prod, "a"), remove(prod, "a"))
				},
				func() error { return e.done(q, "a=1 b=1 a=2 -a -a") },
			)
		},
	},
	{
		name:    "what a consumer does to its batch does not reach the line",
		promise: "What a consumer does to the slice Batch.Events does not reach the line.",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1"); return err },
				func() error {
					slices.Reverse(b.Events)
					b.Events[0] = event.Event{}
					return settled(b.Retry(e.ctx, errPush))
				},
				func() error { return e.done(q, "a=1 b=1") },
			)
		},
	},
}
