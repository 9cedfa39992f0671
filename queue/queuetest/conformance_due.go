package queuetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe/queue"
)

// dueChecks are about when a batch is handed out, and whose turn it is.
var dueChecks = []check{
	{
		name:    "a line is due when it has been quiet",
		promise: "A line is due when it has been quiet for Window.Debounce",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Debounce, o.Window.MaxWait = 2*e.tick, 100*e.tick })
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			e.pause(1)
			return first(
				func() error { return e.add(q, write(prod, "b", "1")) },
				func() error {
					return e.took(1.9, 2, "a batch came", func() error { return e.done(q, "a=1 b=1") })
				},
			)
		},
	},
	{
		name:    "a line is due after the longest wait, however often an object changes",
		promise: "when its oldest event has waited for Window.MaxWait",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Debounce, o.Window.MaxWait = 4*e.tick, 10*e.tick })
			changes := e.start(func() error {
				for i := range 40 {
					if err := q.TryAdd(write(prod, "a", fmt.Sprint(i))); err != nil {
						return err
					}
					e.pause(0.5)
				}
				return nil
			})
			return first(
				func() error {
					return e.took(9, 10, "a batch came", func() error {
						b, err := e.next(q)
						if err != nil {
							return err
						}
						return settled(b.Done(e.ctx))
					})
				},
				func() error {
					if err, ended := e.within(100, changes); err != nil || !ended {
						return fmt.Errorf("changing all the time: %w", err)
					}
					return nil
				},
			)
		},
	},
	{
		name:    "a line is due at a count of live events, or at its bytes",
		promise: "when Window.Count live events or Window.Bytes of content wait, whichever comes first",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) {
				o.Window = queue.Window{Debounce: 50 * e.tick, MaxWait: 500 * e.tick, Count: 3, Bytes: 1000}
			})
			kilo := strings.Repeat("x", 1000)
			return first(
				func() error { return e.add(q, write(prod, "a", "1"), write(prod, "b", "1")) },
				func() error { return e.none(q, 5) },
				func() error { return e.add(q, write(prod, "c", "1")) },
				func() error {
					return e.took(0, 0, "a batch of three came", func() error { return e.done(q, "a=1 b=1 c=1") })
				},
				func() error { return e.add(q, write(prod, "d", kilo)) },
				func() error {
					return e.took(0, 0, "a batch of 1,000 bytes came", func() error { return e.done(q, "d="+kilo[:20]) })
				},
				func() error {
					return e.add(q, listed(prod, "a"), listed(prod, "b"), listed(prod, "c"), listed(prod, "d"))
				},
				func() error { return e.none(q, 5) },
			)
		},
	},
	{
		name:    "a batch is cut at its bytes, and the rest is due at once if the batch was due by its age",
		promise: "If age made it due, the remainder is due at once; if size did, the remainder waits for its own window",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) {
				o.Window = queue.Window{Debounce: 10 * e.tick, MaxWait: 50 * e.tick, Bytes: 100}
			})
			half, large := strings.Repeat("x", 60), strings.Repeat("y", 300)
			parts := func(wants ...string) func() error {
				return func() error {
					for _, want := range wants {
						if err := e.done(q, want); err != nil {
							return err
						}
					}
					return nil
				}
			}
			return first(
				func() error {
					return e.add(q, write(prod, "a", half), write(prod, "b", strings.Repeat("x", 40)), write(prod, "c", large), write(prod, "d", "1"))
				},
				func() error {
					return e.took(0, 0, "the full parts came", parts("a="+half[:20]+" b="+half[:20], "c="+large[:20]))
				},
				func() error { return e.took(10, 10, "the rest came", parts("d=1")) },
				func() error { return e.add(q, write(prod, "e", half)) },
				func() error {
					time.Sleep(60 * e.tick) // the line is old by now, although nobody asked for it
					return e.add(q, write(prod, "f", half))
				},
				func() error { return e.took(0, 0, "both parts came", parts("e="+half[:20], "f="+half[:20])) },
			)
		},
	},
	{
		name:    "a line that had to refuse an event is due at once",
		promise: "A line that had to refuse an event is due at once.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) {
				o.Window.Debounce, o.Window.MaxWait, o.MaxEventsPerKey = 50*e.tick, 500*e.tick, 1
			})
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.none(q, 5) },
				func() error { return e.full(q, write(prod, "b", "1")) },
				func() error {
					return e.took(0, 0, "the batch came", func() error { return e.done(q, "a=1") })
				},
			)
		},
	},
	{
		name:    "lines take turns, however full one is",
		promise: "Lines that are due take turns",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Bytes = 10 })
			flood := func(n int) error {
				for i := range 20 {
					if err := e.add(q, write(prod, fmt.Sprint("o", n, "-", i), "0123456789")); err != nil {
						return err
					}
				}
				return nil
			}
			if err := flood(0); err != nil {
				return err
			}
			for round := range 5 {
				if err := first(
					func() error { return flood(round + 1) },
					func() error { return e.add(q, write(dev, "quiet", "0123456789")) },
				); err != nil {
					return err
				}
				for turns := 0; ; turns++ {
					b, err := e.next(q)
					if err == nil {
						err = settled(b.Done(e.ctx))
					}
					switch {
					case err != nil:
						return err
					case turns > 2:
						return fmt.Errorf("a flooded line has had %d turns while another one was due", turns)
					}
					if b.Events[0].Destination == dev {
						break
					}
				}
			}
			return nil
		},
	},
	{
		name:    "live changes go before a listing",
		promise: "those with live changes first",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, listed(dev, "x"), listed(prod, "y"), seedSync(prod), write(prod, "a", "1"), write(other, "b", "1")); err != nil {
				return err
			}
			e.pause(20)
			for i, live := range []bool{true, true, false} {
				b, err := e.next(q)
				if err != nil {
					return err
				}
				if got := !b.Events[0].Listed; got != live {
					return fmt.Errorf("the batch %d is %q", i+1, texts(b.Events))
				}
				if b.Events[0].Destination == prod && texts(b.Events) != "a=1 y=1 sync" {
					return fmt.Errorf("the batch is %q, want %q", texts(b.Events), "a=1 y=1 sync")
				}
			}
			return nil
		},
	},
	{
		name:    "a listing is not starved by the live changes of other lines",
		promise: "A line that holds nothing but what a listing found waits four turns at most.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Count = 1 })
			if err := e.add(q, listed(dev, "x")); err != nil {
				return err
			}
			e.pause(20)
			for turns := 0; ; turns++ {
				for i := range 9 {
					if err := e.add(q, write(dst("app", fmt.Sprint("busy", i)), "a", "1")); err != nil {
						return err
					}
				}
				b, err := e.next(q)
				switch {
				case err != nil:
					return err
				case b.Events[0].Destination == dev:
					return nil
				case turns >= 4:
					return errors.New("a listing has waited for more than four turns of others")
				}
				if err := settled(b.Done(e.ctx)); err != nil {
					return err
				}
			}
		},
	},
	{
		name:    "a listing is not starved by the live changes of its line",
		promise: "Within a line a listing waits four batches at most.",
		run: func(e *env) error {
			q := e.open(func(o *queue.Options) { o.Window.Bytes = 10 })
			if err := e.add(q, listed(prod, "x")); err != nil {
				return err
			}
			for batches := 0; ; batches++ {
				if err := e.add(q, write(prod, "a", "0123456789")); err != nil {
					return err
				}
				b, err := e.next(q)
				switch {
				case err != nil:
					return err
				case strings.Contains(texts(b.Events), "x=1"):
					return nil
				case batches >= 4:
					return errors.New("a listing has waited for more than four batches of its line")
				}
				if err := settled(b.Done(e.ctx)); err != nil {
					return err
				}
			}
		},
	},
}

// delayed is an error that says when to come back.
type delayed time.Duration

// Error implements error.
func (d delayed) Error() string { return "busy" }

// RetryDelay implements queue.RetryDelayer.
func (d delayed) RetryDelay() time.Duration { return time.Duration(d) }

// backoffChecks are about lines whose batch failed.
var backoffChecks = []check{
	{
		name:    "a failing line backs off longer each time, and Done ends it",
		promise: "A line whose batch failed backs off, exponentially and with jitter, whatever comes in meanwhile",
		run: func(e *env) error {
			q := e.open()
			if err := e.add(q, write(prod, "a", "1")); err != nil {
				return err
			}
			b, err := e.next(q)
			for attempt := 1; attempt <= 7 && err == nil; attempt++ {
				if b.Attempt != attempt {
					return fmt.Errorf("the attempt %d is said to be %d", attempt, b.Attempt)
				}
				full := float64(min(60, 4<<(attempt-1)))
				err = first(
					func() error { return settled(b.Retry(e.ctx, errPush)) },
					func() error { return e.add(q, write(prod, "b", fmt.Sprint(attempt))) },
					func() error {
						return e.shows(q, prod, func(s queue.KeyStats) string {
							switch {
							case s.Attempts != attempt || !errors.Is(s.Err, errPush) && (s.Err == nil || s.Err.Error() != errPush.Error()):
								return "it does not show why and how often it failed"
							case s.Parked.IsZero() || s.Until.Before(s.Parked):
								return "it does not show that it backs off"
							}
							return ""
						})
					},
					func() error {
						return e.took(full/2-1.1, full, fmt.Sprintf("the attempt %d came", attempt+1), func() (err error) { b, err = e.next(q); return err })
					},
				)
			}
			if err != nil {
				return err
			}
			return first(
				func() error { return settled(b.Done(e.ctx)) },
				func() error { return e.add(q, write(prod, "c", "1")) },
				func() (err error) { b, err = e.next(q); return err },
				func() error {
					if b.Attempt != 1 {
						return fmt.Errorf("after Done the attempt is %d, want 1", b.Attempt)
					}
					return nil
				},
			)
		},
	},
	{
		name:    "a line that backs off holds up no other",
		promise: "the others go on.",
		run: func(e *env) error {
			q := e.open()
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.retry(q, "a=1", queue.ErrPermanent) },
				func() error { return e.add(q, write(dev, "b", "1")) },
				func() error {
					return e.took(0.9, 1, "the other line's batch came", func() error { return e.done(q, "b=1") })
				},
			)
		},
	},
	{
		name:    "a permanent failure backs off for the longest time at once, and shows",
		promise: "A failure that matches ErrPermanent makes it back off for the longest time at once",
		run: func(e *env) error {
			q := e.open()
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.retry(q, "a=1", fmt.Errorf("credentials: %w", queue.ErrPermanent)) },
				func() error {
					return e.shows(q, prod, func(s queue.KeyStats) string {
						if !s.Permanent || s.Waiting != 1 || s.Err == nil || s.Parked.IsZero() {
							return "it does not show that somebody must act"
						}
						return ""
					})
				},
				func() error {
					return e.took(29, 60, "the next attempt came", func() error { return e.done(q, "a=1") })
				},
			)
		},
	},
	{
		name:    "a failure that says when to come back is not tried before",
		promise: "One that names a time (RetryDelayer) is not tried before.",
		run: func(e *env) error {
			q := e.open()
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.retry(q, "a=1", fmt.Errorf("push: %w", delayed(100*e.tick))) },
				func() error {
					return e.took(99, 130, "the next attempt came", func() error { return e.done(q, "a=1") })
				},
			)
		},
	},
	{
		name:    "Wake ends a backoff",
		promise: "Done ends the row of failures, Wake the backoff.",
		run: func(e *env) error {
			q := e.open()
			q.Wake(other) // of which there is nothing
			return first(
				func() error { return e.add(q, write(prod, "a", "1")) },
				func() error { return e.retry(q, "a=1", queue.ErrPermanent) },
				func() error { return e.none(q, 2) },
				func() error {
					q.Wake(prod)
					return e.took(0, 0, "the next attempt came", func() error { return e.done(q, "a=1") })
				},
			)
		},
	},
}
