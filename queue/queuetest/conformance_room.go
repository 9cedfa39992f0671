package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// roomChecks are about the bounds of a queue.
var roomChecks = []check{
	{
		name:    "a line is bounded in number and bytes, batches in hand included",
		promise: "Room is bounded, for each line and in total, in number and bytes, batches in hand included.",
		run: func(e *env) error {
			for what, bound := range map[string]func(o *queue.Options){
				"number": func(o *queue.Options) { o.MaxEventsPerKey = 4 },
				"bytes":  func(o *queue.Options) { o.MaxBytesPerKey = 40 },
			} {
				q := e.open(bound, func(o *queue.Options) { o.Window.Bytes = 20 })
				var b queue.Batch
				if err := first(
					func() error { return e.fill(q, 4) },
					func() error { return e.full(q, write(prod, "more", "0123456789")) },
					func() (err error) { b, err = e.expect(q, "o0=0123456789 o1=0123456789"); return err },
					func() error { return e.full(q, write(prod, "more", "0123456789")) },
					func() error { return e.add(q, write(dev, "more", "0123456789")) },
					func() error { return settled(b.Done(e.ctx)) },
					func() error { return e.add(q, write(prod, "more", "0123456789"), write(prod, "more2", "0123456789")) },
					func() error { return e.full(q, write(prod, "more3", "0123456789")) },
				); err != nil {
					return fmt.Errorf("in %s: %w", what, err)
				}
			}
			return nil
		},
	},
	{
		name:    "the queue is bounded in number and bytes",
		promise: "Room is bounded, for each line and in total, in number and bytes",
		run: func(e *env) error {
			for what, bound := range map[string]func(o *queue.Options){
				"number": func(o *queue.Options) { o.MaxEvents = 100 },
				"bytes":  func(o *queue.Options) { o.MaxBytes = 1000 },
			} {
				q := e.open(bound)
				taken := 0
				for i := range 40 {
					for line := range 10 {
						if err := q.TryAdd(write(dst("app", fmt.Sprint("dest", line)), fmt.Sprint("o", i), "0123456789")); err == nil {
							taken++
						} else if !errors.Is(err, queue.ErrFull) {
							return err
						}
					}
				}
				if taken > 100 || taken < 50 {
					return fmt.Errorf("in %s: it took %d events where 100 have room", what, taken)
				}
			}
			return nil
		},
	},
	{
		name:    "content that lines share counts in each of them, and once in total",
		promise: "Content that several events share, as one pointer, counts for each of them in its line, and once in total.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxBytesPerKey, o.MaxBytes = 250, 700 })
			events, err := e.share(q, 10)
			if err != nil {
				return err
			}
			for _, more := range events {
				more.Resource.Name = "c"
				if err := e.full(q, more); err != nil {
					return fmt.Errorf("in a line: %w", err)
				}
			}
			return nil
		},
	},
	{
		name:    "an event that replaces shared content needs room in total",
		promise: "If another event shares the content that is replaced, it needs room in total.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxBytesPerKey, o.MaxBytes = 250, 700 })
			events, err := e.share(q, 10)
			if err != nil {
				return err
			}
			taken := 0
			for _, own := range events {
				own.Content = event.NewContent(bytes.Clone(own.Content.Bytes()))
				if err := q.TryAdd(own); err == nil {
					taken++
				} else if !errors.Is(err, queue.ErrFull) {
					return err
				}
			}
			if taken > 5 {
				return fmt.Errorf("it took %d contents where 5 have room", taken)
			}
			return nil
		},
	},
	{
		name:    "one line does not use up the room of others",
		promise: "A line may hold at most what is left in the queue's total.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxEventsPerKey, o.MaxEvents = 100, 100 })
			for i := range 1000 {
				if err := q.TryAdd(write(prod, fmt.Sprint("o", i), "1")); err != nil {
					break
				}
			}
			return e.add(q, write(dev, "a", "1"), write(dev, "b", "1"), write(dev, "c", "1"))
		},
	},
	{
		name:    "a line that holds nothing takes an event, whatever its size",
		promise: "An empty line always accepts one event of any size",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxBytesPerKey, o.MaxBytes = 10, 20 })
			large := strings.Repeat("x", 1000)
			return first(
				func() error {
					return e.add(q, write(prod, "a", large), write(dev, "a", large), write(other, "a", large))
				},
				func() error { return e.full(q, write(prod, "b", "1")) },
			)
		},
	},
	{
		name:    "an event that replaces one of its size needs no room",
		promise: "An event that replaces one of its size needs none.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxBytesPerKey, o.MaxEventsPerKey = 100, 3 })
			return first(
				func() error {
					return e.add(q, write(prod, "a", strings.Repeat("x", 60)), write(prod, "b", strings.Repeat("x", 40)))
				},
				func() error { return e.full(q, write(prod, "c", "1")) },
				func() error {
					return e.add(q, write(prod, "a", strings.Repeat("y", 60)), write(prod, "b", "1"), write(prod, "c", "1"))
				},
				func() error { return e.full(q, write(prod, "d", "1")) },
			)
		},
	},
	{
		name:    "Add blocks until there is room",
		promise: "What finds no room blocks in Add until there is",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxEventsPerKey = 1 })
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			blocked := e.start(func() error { return q.Add(e.ctx, write(prod, "b", "1")) })
			e.pause(3)
			if len(blocked) > 0 {
				return fmt.Errorf("Add returned %w although there is no room", <-blocked)
			}
			return first(
				func() error { return e.done(q, "a=1") },
				func() error {
					if err, returned := e.within(0.5, blocked); err != nil || !returned {
						return fmt.Errorf("Add did not return, or with %s, although there is room", said(err))
					}
					return nil
				},
				func() error { return e.done(q, "b=1") },
			)
		},
	},
	{
		name:    "an Add that blocks ends with its context",
		promise: "blocks in Add until there is, or until its context ends",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxEventsPerKey = 1 })
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(e.ctx)
			defer cancel()
			blocked := e.start(func() error { return q.Add(ctx, write(prod, "b", "1")) })
			room := e.start(func() error { return q.Room(ctx, prod) })
			next := e.start(func() error { _, err := e.open().Next(ctx); return err })
			e.pause(3)
			cancel()
			for what, result := range map[string]<-chan error{"Add": blocked, "Next": next} {
				if err, returned := e.within(0.5, result); !returned || !errors.Is(err, context.Canceled) {
					return fmt.Errorf("%s returned %s, want the context's error", what, said(err))
				}
			}
			if err, returned := e.within(0.5, room); !returned || err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Room returned %s, want the context's error", said(err))
			}
			return e.done(q, "a=1")
		},
	},
	{
		name:    "Room returns when what was refused may fit",
		promise: "Room returns when a TryAdd of what was refused last may succeed.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxEventsPerKey = 1 })
			return first(
				func() error { return q.Room(e.ctx, prod) },
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.full(q, write(prod, "b", "1")) },
				func() error {
					room := e.start(func() error { return q.Room(e.ctx, prod) })
					e.pause(3)
					if len(room) > 0 {
						return fmt.Errorf("Room returned %w although there is none", <-room)
					}
					if err := e.done(q, "a=1"); err != nil {
						return err
					}
					if err, returned := e.within(0.5, room); !returned || err != nil {
						return fmt.Errorf("Room did not return, or with %s, although there is room", said(err))
					}
					return nil
				},
				func() error { return e.add(q, write(prod, "b", "1")) },
			)
		},
	},
}

// share puts two contents of a hundred bytes into each of so many lines. It returns the first event
// of each line.
func (e *env) share(q queue.Queue, lines int) (events []event.Event, err error) {
	a, b := write(prod, "a", strings.Repeat("a", 100)), write(prod, "b", strings.Repeat("b", 100))
	for i := range lines {
		a.Destination = dst("app", fmt.Sprint("dest", i))
		b.Destination = a.Destination
		if err := e.add(q, a, b); err != nil {
			return nil, err
		}
		events = append(events, a)
	}
	return events, nil
}

// fill puts so many events of ten bytes into the line of prod.
func (e *env) fill(q queue.Queue, n int) error {
	for i := range n {
		if err := e.add(q, write(prod, fmt.Sprint("o", i), "0123456789")); err != nil {
			return err
		}
	}
	return nil
}
