package queuetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/queue"
)

// leaseChecks are about what a holder may do.
var leaseChecks = []check{
	{
		name:    "a lease is settled once",
		promise: "Exactly one of Done and Retry settles it; a second call returns ErrLeaseLost",
		run: func(e *env) error {
			q := e.open()
			for what, settle := range map[string]func(queue.Batch) error{
				"Done":  func(b queue.Batch) error { return b.Done(e.ctx) },
				"Retry": func(b queue.Batch) error { return b.Retry(e.ctx, errPush) },
			} {
				if err := e.add(q, write(prod, "a", "1")); err != nil {
					return err
				}
				b, err := e.next(q)
				if err != nil {
					return err
				}
				if !b.Held(e.ctx) {
					return errors.New("a lease that was just given is not held")
				}
				if err := settled(settle(b)); err != nil {
					return err
				}
				if err := gone(e.ctx, b); err != nil {
					return fmt.Errorf("after %s: %w", what, err)
				}
				if what == "Retry" {
					q.Wake(prod)
					if err := e.done(q, "a=1"); err != nil {
						return err
					}
				}
			}
			return nil
		},
	},
	{
		name:    "in doubt a lease is not held",
		promise: "In doubt, or when ctx has ended, it is false.",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			b, err := e.next(q)
			if err != nil {
				return err
			}
			ended, cancel := context.WithCancel(e.ctx)
			cancel()
			if b.Held(ended) {
				return errors.New("Held is true although its context has ended")
			}
			return settled(b.Done(e.ctx))
		},
	},
	{
		name:    "a lease outlives the context of Next and is settled when contexts have ended",
		promise: "Lease methods must work after the context of Next has ended.",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(e.ctx)
			b, err := q.Next(ctx)
			cancel()
			if err != nil {
				return err
			}
			if !b.Held(e.ctx) {
				return errors.New("the lease is lost with the context of Next")
			}
			return first(
				func() error { return settled(b.Retry(e.ctx, errPush)) },
				func() error { return e.done(q, "a=1") },
			)
		},
	},
	{
		name:    "a lease that is lost settles nothing, and another holder gets the events",
		promise: "A Lease that can be lost must lose it before the key is handed to somebody else.",
		needs:   losing,
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			b, err := e.next(q)
			if err != nil {
				return err
			}
			e.Lose(e.t, q, b)
			if err := gone(e.ctx, b); err != nil {
				return err
			}
			return e.done(q, "a=1")
		},
	},
}

// gone wants a lease to be no longer ours.
func gone(ctx context.Context, b queue.Batch) error {
	if b.Held(ctx) {
		return errors.New("Held is true")
	}
	for what, err := range map[string]error{"Done": b.Done(ctx), "Retry": b.Retry(ctx, errPush)} {
		if !errors.Is(err, queue.ErrLeaseLost) {
			return fmt.Errorf("%s returned %s, want ErrLeaseLost", what, said(err))
		}
	}
	return nil
}

// endChecks are about Forget and Shutdown.
var endChecks = []check{
	{
		name:    "Forget drops what waits, and makes the Retry of what is in hand a Done",
		promise: "Forget drops what waits for a destination, and turns the Retry of what is in hand into a Done. What comes in afterwards is kept",
		run: func(e *env) error {
			q := e.open()
			var b queue.Batch
			return first(
				func() error { return q.Forget(e.ctx, prod) },
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1"); return err },
				func() error { return e.add(q, write(prod, "c", "1"), write(dev, "x", "1")) },
				func() error { return q.Forget(e.ctx, prod) },
				func() error { return e.add(q, write(prod, "d", "1")) },
				func() error { return settled(b.Retry(e.ctx, errPush)) },
				func() error {
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
					if !seen["d=1"] || !seen["x=1"] {
						return fmt.Errorf("after Forget came %v, want d=1 and x=1", seen)
					}
					return nil
				},
				func() error { return e.empty(q, prod, dev) },
			)
		},
	},
	{
		name:    "Forget leaves the other destinations of a line",
		promise: "other destinations of the line are not touched",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Key = queue.ByRepository })
			var b queue.Batch
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(dev, "b", "1")) },
				func() (err error) { b, err = e.expect(q, "a=1 b=1"); return err },
				func() error { return e.add(q, write(prod, "c", "1"), write(dev, "d", "1")) },
				func() error { return q.Forget(e.ctx, prod) },
				func() error { return settled(b.Retry(e.ctx, errPush)) },
				func() error { return e.done(q, "b=1 d=1") },
			)
		},
	},
	{
		name:    "Shutdown hands everything out without delay, and returns when all is done",
		promise: "Shutdown refuses new events, hands everything accepted out once more without delay, and returns nil once all is done.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Debounce, o.Window.MaxWait = 500*e.tick, 5000*e.tick })
			var end <-chan error
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { q.Wake(prod); return e.retry(q, "a=1", queue.ErrPermanent) },
				func() error { return e.add(q, write(dev, "b", "1")) },
				func() error {
					end = e.start(func() error { return q.Shutdown(e.ctx) })
					e.pause(1)
					return e.closed(q, false)
				},
				func() error {
					return e.took(0, 0, "the last batches came", func() error {
						for range 2 {
							b, err := e.next(q)
							if err != nil {
								return err
							}
							if len(end) > 0 {
								return fmt.Errorf("Shutdown returned %w although %q is in hand", <-end, texts(b.Events))
							}
							if err := settled(b.Done(e.ctx)); err != nil {
								return err
							}
						}
						return nil
					})
				},
				func() error {
					if err, returned := e.within(1, end); err != nil || !returned {
						return fmt.Errorf("Shutdown did not return, or with %s, although all is done", said(err))
					}
					return e.closed(q, true)
				},
			)
		},
	},
	{
		name:    "Shutdown tries once more and tells what is left",
		promise: "If events are left after that try, or when its context ends, it returns a *RemainingError.",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1"), write(prod, "b", "1"), write(dev, "a", "1")); err != nil {
				return err
			}
			end := e.start(func() error { return q.Shutdown(e.ctx) })
			e.pause(1)
			for range 2 {
				b, err := e.next(q)
				if err != nil {
					return err
				}
				if b.Events[0].Destination == prod {
					err = settled(b.Retry(e.ctx, errPush))
				} else {
					err = settled(b.Done(e.ctx))
				}
				if err != nil {
					return err
				}
			}
			err, returned := e.within(1, end)
			if !returned {
				return errors.New("Shutdown did not return although every line was tried")
			}
			return remaining(err, map[destination.Ref]int{prod.Ref: 2})
		},
	},
	{
		name:    "Shutdown that runs out of time tells what is left, and may be called again",
		promise: "Called again, it waits again.",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1"), write(dev, "a", "1")); err != nil {
				return err
			}
			b, err := e.next(q)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(e.ctx, 3*e.tick)
			defer cancel()
			return first(
				func() error {
					return e.took(2.9, 3, "Shutdown returned", func() error {
						err := q.Shutdown(ctx)
						if !errors.Is(err, context.DeadlineExceeded) {
							return fmt.Errorf("Shutdown returned %s, want the context's error in it", said(err))
						}
						return remaining(err, map[destination.Ref]int{prod.Ref: 1, dev.Ref: 1})
					})
				},
				func() error { return settled(b.Done(e.ctx)) },
				func() error { return e.done(q, "a=1") },
				func() error {
					if err := q.Shutdown(ctx); err != nil {
						return fmt.Errorf("all is done, and Shutdown with a context that has ended returned %w", err)
					}
					return nil
				},
			)
		},
	},
	{
		name:    "Shutdown ends the calls that block",
		promise: "a closed queue refuses with ErrShutdown",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.MaxEventsPerKey = 1 })
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			b, err := e.next(q)
			if err != nil {
				return err
			}
			calls := map[string]<-chan error{
				"Add":  e.start(func() error { return q.Add(e.ctx, write(prod, "b", "1")) }),
				"Next": e.start(func() error { _, err := q.Next(e.ctx); return err }),
			}
			e.pause(1)
			end := e.start(func() error { return q.Shutdown(e.ctx) })
			e.pause(1)
			if err := settled(b.Done(e.ctx)); err != nil {
				return err
			}
			for what, result := range calls {
				if err, returned := e.within(1, result); !returned || !errors.Is(err, queue.ErrShutdown) {
					return fmt.Errorf("%s returned %s, want ErrShutdown", what, said(err))
				}
			}
			if err, returned := e.within(1, end); err != nil || !returned {
				return fmt.Errorf("Shutdown did not return, or with %s", said(err))
			}
			return nil
		},
	},
}

// closed wants a queue to take nothing, and if it is drained to give nothing.
func (e *env) closed(q queue.Queue, drained bool) error {
	calls := map[string]error{
		"Add": q.Add(e.ctx, write(other, "late", "1")), "TryAdd": q.TryAdd(write(other, "late", "1")), "Room": q.Room(e.ctx, other),
	}
	if drained {
		ctx, cancel := context.WithTimeout(e.ctx, time.Duration(5*float64(e.tick)))
		defer cancel()
		_, calls["Next"] = q.Next(ctx)
	}
	for what, err := range calls {
		if !errors.Is(err, queue.ErrShutdown) {
			return fmt.Errorf("%s of a closed queue returned %s, want ErrShutdown", what, said(err))
		}
	}
	return nil
}

// remaining wants the error of Shutdown to name what is left.
func remaining(err error, want map[destination.Ref]int) error {
	var left *queue.RemainingError
	if !errors.As(err, &left) {
		return fmt.Errorf("Shutdown returned %s, want a *RemainingError", said(err))
	}
	if fmt.Sprint(left.Lines) != fmt.Sprint(want) {
		return fmt.Errorf("Shutdown tells that %v is left, want %v", left.Lines, want)
	}
	return nil
}
