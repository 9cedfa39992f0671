package gitsinktest

import (
	"context"
	"errors"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// turns let one call after another in. The end of the test lets everybody go.
type turns struct {
	free chan struct{}
	over <-chan struct{}
}

func newTurns(t testing.TB) turns {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	free := make(chan struct{}, 1)
	free <- struct{}{}
	return turns{free, over}
}

func (t turns) take(ctx context.Context) error {
	select {
	case <-t.free:
		return nil
	case <-t.over:
		return errors.New("the test is over")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) give() { t.free <- struct{}{} }

var brokenPlans = []broken{
	{
		name: "it swallows a plan's error",
		by: map[string]string{
			"a plan's error is returned, and nothing is written": "Apply returned <nil>",
			"the last run of a plan counts":                      "Apply returned <nil>",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			if errors.Is(err, errOfPlan) {
				err = nil
			}
			return r, err
		}),
	},
	{
		name: "it returns a plan's error in words of its own",
		by:   map[string]string{"a plan's error is returned, and nothing is written": "want an error that matches"},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			var e *gitsink.Error
			if errors.As(err, &e) {
				e.Err = errors.New("the plan failed")
			}
			return r, err
		}),
	},
	{
		name: "it returns an error that does not say where",
		by: map[string]string{
			"a plan's error is returned, and nothing is written":                       "want an *Error",
			"a path that leaves the base folder is refused before anything is written": "want an *Error",
			"an Apply whose context has ended writes nothing":                          "want an *Error",
			"a store that goes away before the push gets nothing":                      "want an *Error",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { return r, errors.Unwrap(err) }),
	},
	{
		name: "it writes the commits that came with an error",
		by:   map[string]string{"a plan's error is returned, and nothing is written": `"base/a" is  "2"`},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			var fault error
			r, err := f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) (commits []gitsink.Commit, err error) {
				commits, fault = plan(ctx, base)
				return commits, nil
			})
			if err == nil && fault != nil {
				err = &gitsink.Error{Op: "plan", Destination: d, Err: fault}
			}
			return r, err
		}),
	},
	{
		name: "it does not open the door again after a panic",
		by:   map[string]string{"a plan that panics or ends its goroutine leaves the sink whole": "after a "},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			lane := newTurns(t)
			return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
				if err := lane.take(ctx); err != nil {
					return gitsink.Result{}, err
				}
				r, err := f.Apply(ctx, d, plan)
				lane.give()
				return r, err
			}}
		},
	},
	{
		name: "it takes a panic for a plan without commits",
		by: map[string]string{
			"a plan that panics or ends its goroutine leaves the sink whole": "returned nil",
			"a call that fails harms no other":                               "returned nil",
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) (commits []gitsink.Commit, err error) {
				if survived(func() error { commits, err = plan(ctx, base); return nil }) != nil {
					return nil, nil
				}
				return commits, err
			})
		}),
	},
	{
		name: "it ignores the context",
		by: map[string]string{
			"an Apply whose context has ended writes nothing":    "want an error that matches context canceled",
			"the context of a plan ends with that of its caller": "want an error that matches context canceled",
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(context.WithoutCancel(ctx), d, plan)
		}),
	},
	{
		name: "it gives plans a context of its own",
		by:   map[string]string{"the context of a plan ends with that of its caller": "the plan's context did not end"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				return plan(context.WithoutCancel(ctx), base)
			})
		}),
	},
	{
		name: "it hides that the context has ended",
		by:   map[string]string{"an Apply whose context has ended writes nothing": "want an error that matches context canceled"},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			var e *gitsink.Error
			if errors.As(err, &e) {
				e.Err = errors.New(e.Err.Error())
			}
			return r, err
		}),
	},
	{
		name: "it says that the context has ended, although it has written",
		by: map[string]string{
			"an error says that nothing is there, or that it may be": "and should not",
			"an Apply whose context has ended writes nothing":        `"base/a" is  "2"`,
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			r, err := f.Apply(context.WithoutCancel(ctx), d, plan)
			if err == nil && ctx.Err() != nil {
				err = &gitsink.Error{Op: "push", Destination: d, Err: ctx.Err()}
			}
			return r, err
		}),
	},
	{
		name: "it makes the best of an invalid destination",
		by:   map[string]string{"an invalid destination is refused": "Apply returned <nil>"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if d.Validate() != nil {
				d.Branch, d.BaseFolder = "main", ""
			}
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it runs the plan before it looks at the destination",
		by:   map[string]string{"an invalid destination is refused": "the plan was run"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if d.Validate() != nil {
				_, _ = plan(ctx, newFakeTree(nil, ""))
			}
			return f.Apply(ctx, d, plan)
		}),
	},
}
