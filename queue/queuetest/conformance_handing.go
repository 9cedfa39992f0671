package queuetest

import (
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// handingChecks are about what is handed out, to whom and in which order.
var handingChecks = []check{
	{
		name:    "an event is handed out until it is done, and not afterwards",
		promise: "Every event that was accepted is handed out until a lease that holds it ends with Done",
		run: func(e *env) error {
			q := e.open()
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), remove(prod, "b"), seedSync(prod)) },
				func() error { return e.retry(q, "a=1 -b sync", errPush) },
				func() error { return e.retry(q, "a=1 -b sync", errPush) },
				func() error { return e.done(q, "a=1 -b sync") },
				func() error { return e.none(q, 100) },
				func() error { return e.empty(q, prod) },
			)
		},
	},
	{
		name:    "an event comes out as it went in",
		promise: "An event comes out as it went in: every field but Inventory",
		run: func(e *env) error {
			q := e.open()
			full := when(event.IfAbsent, "1")
			full.Operation, full.Listed, full.Resource.Group = event.Create, true, "apps"
			full.Author = event.Author{Name: "Jo", Email: "jo@example.com"}
			full.Sensitive = &event.Sensitive{Fields: []string{"/spec/password"}}
			in := []event.Event{write(prod, "b", "x: \"\x00\"\n"), remove(prod, "c"), full, seedSync(prod)}
			if err := e.add(q, in...); err != nil {
				return err
			}
			b, err := e.next(q)
			if err != nil {
				return err
			}
			if len(b.Events) != len(in) {
				return fmt.Errorf("the batch is %q, want %q", texts(b.Events), texts(in))
			}
			for i, got := range b.Events {
				if err := same(got, in[i]); err != nil {
					return err
				}
			}
			return settled(b.Done(e.ctx))
		},
	},
	{
		name:    "an incomplete event is refused",
		promise: "It returns event.ErrIncomplete for an event that must not travel.",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "known", "1")); err != nil {
				return err
			}
			noBranch, noName, noContent, noLive := write(prod, "a", "1"), write(prod, "", "1"), write(prod, "a", ""), seedSync(prod)
			noBranch.Destination.Branch, noLive.Inventory = "", nil
			for what, ev := range map[string]event.Event{"branch": noBranch, "name": noName, "content": noContent, "live": noLive, "everything": {}} {
				if err := q.TryAdd(ev); !errors.Is(err, event.ErrIncomplete) {
					return fmt.Errorf("TryAdd without %s returned %s, want ErrIncomplete", what, said(err))
				}
				if err := q.Add(e.ctx, ev); !errors.Is(err, event.ErrIncomplete) {
					return fmt.Errorf("Add without %s returned %s, want ErrIncomplete", what, said(err))
				}
			}
			return e.done(q, "known=1")
		},
	},
	{
		name:    "a batch holds the events of one key",
		promise: "A batch holds the events of one key, at least one.",
		run: func(e *env) error {
			for name, key := range map[string]func(destination.Destination) string{"ByDestination": queue.ByDestination, "ByRepository": queue.ByRepository} {
				q := e.open(func(o *queue.Options) { o.Key = key })
				wanted := map[string]int{}
				for i := range 30 {
					d := dst(fmt.Sprint("repo", i%2), fmt.Sprint("dest", i%6))
					wanted[key(d)]++
					if err := e.add(q, write(d, fmt.Sprint("o", i), "1")); err != nil {
						return err
					}
				}
				for range len(wanted) {
					b, err := e.next(q)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					for _, ev := range b.Events {
						if key(ev.Destination) != b.Key {
							return fmt.Errorf("%s: the batch of %q holds an event of %q", name, b.Key, key(ev.Destination))
						}
					}
					if len(b.Events) != wanted[b.Key] {
						return fmt.Errorf("%s: the batch of %q holds %d events, want %d", name, b.Key, len(b.Events), wanted[b.Key])
					}
					if err := settled(b.Done(e.ctx)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	},
	{
		name:    "a destination with a changed field has a line of its own",
		promise: "so a destination with any field changed has a line of its own",
		run: func(e *env) error {
			q := e.open()
			moved := []destination.Destination{prod, prod, prod, prod}
			moved[1].Branch, moved[2].BaseFolder, moved[3].RepositoryRef.Name = "next", "elsewhere", "another"
			for _, d := range moved {
				if err := e.add(q, write(d, "a", "1")); err != nil {
					return err
				}
			}
			for range moved {
				if _, err := e.expect(q, "a=1"); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "a key has one holder",
		promise: "A key is leased to one consumer at a time.",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1"); return err },
				func() error { return e.add(q, write(prod, "a", "2"), write(prod, "b", "1")) },
				func() error { return e.none(q, 20) },
				func() error { return settled(b.Done(e.ctx)) },
				func() error { return e.done(q, "a=2 b=1") },
			)
		},
	},
	{
		name:    "the events of an object keep their order, also after a Retry",
		promise: "The events of an object in one destination are handed out in the order in which they came in, also after a Retry.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.KeepEvery = true })
			var b queue.Batch
			return first(
				func() error {
					return e.add(q, write(prod, "a", "1"), remove(prod, "a"), write(prod, "a", "2"), write(prod, "b", "1"))
				},
				func() (err error) { b, err = e.expect(q, "a=1 -a a=2 b=1"); return err },
				func() error { return e.add(q, write(prod, "a", "3")) },
				func() error { return settled(b.Retry(e.ctx, errPush, b.Events[2], b.Events[0])) },
				func() error { return e.done(q, "a=1 a=2 a=3") },
			)
		},
	},
	{
		name:    "what a queue kept is handed out after it was opened again",
		promise: "A durable Queue hands out after it was opened again what was accepted and not done before.",
		needs:   reopening,
		run: func(e *env) error {
			o := e.options()
			q := e.New(e.t, o)
			if err := first(
				func() error { return e.add(q, write(prod, "done", "1"), write(dev, "a", "1"), write(dev, "b", "1")) },
				func() error { return e.add(q, write(prod, "done", "2")) },
				func() error {
					for range 2 {
						b, err := e.next(q)
						if err != nil {
							return err
						}
						if b.Events[0].Destination == prod {
							err = settled(b.Done(e.ctx))
						}
						if err != nil {
							return err
						}
					}
					return nil
				},
				func() error { return e.add(q, write(dev, "a", "2"), write(other, "c", "1")) },
			); err != nil {
				return err
			}
			q = e.Reopen(e.t, q, o)
			seen := map[string]bool{}
			for range 2 {
				b, err := e.next(q)
				if err != nil {
					return err
				}
				seen[texts(b.Events)] = true
				if err := settled(b.Done(e.ctx)); err != nil {
					return err
				}
			}
			if !seen["b=1 a=2"] || !seen["c=1"] {
				return fmt.Errorf("after it was opened again came %v, want b=1 a=2 and c=1", seen)
			}
			return e.none(q, 100)
		},
	},
}
