package gitsinktest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// inTurns lets one call after another through each of its doors.
func inTurns(t testing.TB, f *Fake, door func(destination.Destination) string, patient func(context.Context) context.Context) gitsink.GitSink {
	var mu sync.Mutex
	doors := map[string]turns{}
	return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
		mu.Lock()
		turn, ok := doors[door(d)]
		if !ok {
			turn = newTurns(t)
			doors[door(d)] = turn
		}
		mu.Unlock()
		if err := turn.take(patient(ctx)); err != nil {
			return gitsink.Result{}, err
		}
		defer turn.give()
		return f.Apply(ctx, d, plan)
	}}
}

// closing is a sink that ends in its own way.
type closing struct {
	gitsink.GitSink
	close func() error
}

func (c closing) Close() error { return c.close() }

var brokenCalls = []broken{
	{
		name: "it waits for its turn whatever the context says",
		by:   map[string]string{"a call that waits can be given up": "it waits although its context has ended"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			return inTurns(t, f, func(d destination.Destination) string { return d.RemoteBranch().String() }, context.WithoutCancel)
		},
	},
	{
		name: "it writes one branch at a time",
		by:   map[string]string{"branches do not wait for each other": "deadline exceeded"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			return inTurns(t, f, func(destination.Destination) string { return "" }, func(ctx context.Context) context.Context { return ctx })
		},
	},
	{
		name: "it fails all calls when one fails",
		by:   map[string]string{"a call that fails harms no other": "one of us has failed"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			failed, once := make(chan struct{}), sync.Once{}
			return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (r gitsink.Result, err error) {
				if survived(func() error { r, err = f.Apply(ctx, d, plan); return err }) != nil {
					once.Do(func() { close(failed) })
					return r, errors.Join(err, errors.New("this one"))
				}
				<-failed
				return gitsink.Result{}, errors.New("one of us has failed")
			}}
		},
	},
	{
		name: "it leaves the others of a call that failed unwritten",
		by:   map[string]string{"a call that fails harms no other": "is not there"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			failed, once := make(chan struct{}), sync.Once{}
			return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (r gitsink.Result, err error) {
				err = survived(func() error {
					_, err := NewFake().Apply(ctx, d, plan)
					return err
				})
				if err != nil {
					once.Do(func() { close(failed) })
				} else {
					<-failed
				}
				return r, err
			}}
		},
	},
	{
		name: "it loses every second of several calls",
		by:   map[string]string{"concurrent calls for several folders all land, once each": "is not there"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			var mu sync.Mutex
			n := 0
			return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
				mu.Lock()
				n++
				lost := n%2 == 0
				mu.Unlock()
				if lost {
					return NewFake().Apply(ctx, d, plan)
				}
				return f.Apply(ctx, d, plan)
			}}
		},
	},
	{
		name: "it writes what it was given up for",
		by:   map[string]string{"a call that waits can be given up": "and should not"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
				r, err := f.Apply(context.WithoutCancel(ctx), d, plan)
				if d.BaseFolder == "other" {
					<-ctx.Done()
					err = &gitsink.Error{Op: "fetch", Destination: d, Err: ctx.Err()}
				}
				return r, err
			}}
		},
	},
	{
		name: "it takes a refusal for success",
		by:   map[string]string{"a refusal is told in the store's own words, and leaves nothing": "Apply returned <nil>"},
		make: swallowing(gitsink.ErrRejected),
	},
	{
		name: "it keeps the store's words to itself",
		by:   map[string]string{"a refusal is told in the store's own words, and leaves nothing": "the error does not say"},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			var e *gitsink.Error
			if errors.As(err, &e) && errors.Is(err, gitsink.ErrRejected) {
				e.Err = gitsink.ErrRejected
			}
			return r, err
		}),
	},
	{
		name: "it takes a refusal for an outage",
		by:   map[string]string{"a refusal is told in the store's own words, and leaves nothing": "want an error that matches " + gitsink.ErrRejected.Error()},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			var e *gitsink.Error
			if errors.As(err, &e) && errors.Is(err, gitsink.ErrRejected) {
				e.Err = gitsink.ErrUnavailable
			}
			return r, err
		}),
	},
	{
		name: "it writes, and then it asks",
		by:   map[string]string{"a refusal is told in the store's own words, and leaves nothing": `"base/b" is there`},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
			made, err := base.build(folder, commits)
			if err == nil && base.old != nil {
				maps.Copy(base.old.files, made.last.files)
			}
			return made, err
		}}.make,
	},
	{
		name: "it asks for leave although it has nothing to write",
		by:   map[string]string{"what changes nothing is not refused": "nobody writes here"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if err := f.world.failure("push", d); err != nil {
				return gitsink.Result{}, &gitsink.Error{Op: "push", Destination: d, Err: err}
			}
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it takes an outage for success",
		by: map[string]string{
			"an outage passes": "nil",
			"a store that goes away before the push gets nothing": "nil",
		},
		make: swallowing(gitsink.ErrUnavailable),
	},
	{
		name: "it takes an outage for the end",
		by:   map[string]string{"an outage passes": "is said to stay"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			return onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
				var e *gitsink.Error
				if errors.As(err, &e) && errors.Is(err, gitsink.ErrUnavailable) {
					err = permanently{e}
				}
				return r, err
			})(t, f)
		},
	},
	{
		name: "it waits for the end of an outage",
		by:   map[string]string{"an outage passes": "want an error that matches " + gitsink.ErrUnavailable.Error()},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			for {
				r, err := f.Apply(ctx, d, plan)
				if !errors.Is(err, gitsink.ErrUnavailable) {
					return r, err
				}
				runtime.Gosched()
			}
		}),
	},
	{
		name: "it leaves a goroutine behind",
		by:   map[string]string{"Close leaves no goroutine behind": "found unexpected goroutines"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			over := make(chan struct{})
			var running sync.WaitGroup
			running.Go(func() { <-over })
			t.Cleanup(func() { close(over); running.Wait() })
			return f
		},
	},
	{
		name: "it cannot be closed",
		by: map[string]string{
			"a plan without commits changes nothing": "Close: it is stuck",
			"Close leaves no goroutine behind":       "Close: it is stuck",
		},
		make: func(_ testing.TB, f *Fake) gitsink.GitSink {
			return closing{f, func() error { return errors.New("it is stuck") }}
		},
	},
}

// permanently is an error that says that trying again cannot help.
type permanently struct{ error }

func (e permanently) Is(target error) bool { return target == queue.ErrPermanent }

func (e permanently) Unwrap() error { return e.error }
