package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
)

var errOfPlan = errors.New("the plan's own error")

// planChecks are about how a plan is run, and what happens when it does not work.
var planChecks = []check{
	{
		name:    "a plan sees the newest tree",
		promise: "It must call the plan with a tree as new as its store can tell",
		run: func(ctx context.Context, e *env) error {
			s, other, d := e.sink(), e.sink(), e.to("base")
			sees := func(file ...string) error {
				_, err := s.Apply(ctx, d, look(func(ctx context.Context, base gitsink.Tree) error { return reads(ctx, base, file...) }))
				return err
			}
			if err := sees("a"); err != nil {
				return err
			}
			e.seed("base/a", "1")
			if err := sees("a", "1"); err != nil {
				return fmt.Errorf("after somebody's first commit: %w", err)
			}
			e.seed("base/a", "2")
			if err := sees("a", "2"); err != nil {
				return fmt.Errorf("after somebody's second commit: %w", err)
			}
			if _, err := other.Apply(ctx, d, put("a", "3")); err != nil {
				return err
			}
			if err := sees("a", "3"); err != nil {
				return fmt.Errorf("after another sink's commit: %w", err)
			}
			e.Observer.Commit("main", map[string]gitservertest.File{"base": {Remove: true}}, "remove")
			return sees("a")
		},
	},
	{
		name:    "a plan's error is returned, and nothing is written",
		promise: "An error of plan is returned as it is, wrapped in an *Error.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			s, d := e.sink(), e.to("base")
			_, err := s.Apply(ctx, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
				return []gitsink.Commit{{Message: "half", Changes: writes("a", "2")}}, errOfPlan
			})
			if err := refused(d, err, errOfPlan); err != nil {
				return err
			}
			var typed *gitsink.Error
			if errors.As(err, &typed) && (typed.Op != "plan" || typed.Err != errOfPlan) { //nolint:errorlint // as it is
				return fmt.Errorf("the *Error has the operation %q and the cause %w", typed.Op, typed.Err)
			}
			if err := e.holds("main", "base/a", "1"); err != nil {
				return err
			}
			_, err = s.Apply(ctx, d, put("a", "3"))
			return errors.Join(err, e.holds("main", "base/a", "3"))
		},
	},
	{
		name:    "a plan that panics or ends its goroutine leaves the sink whole",
		promise: "A plan that panics fails its own call, by an error or the panic, and nothing else.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			for name, end := range map[string]func(){"panic": func() { panic("of the plan") }, "Goexit": runtime.Goexit} {
				err := survived(func() error {
					_, err := s.Apply(ctx, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { end(); return nil, nil })
					return err
				})
				if err == nil {
					return fmt.Errorf("%s: Apply returned nil", name)
				}
				if _, err := s.Apply(ctx, d, put("a", name)); err != nil {
					return fmt.Errorf("after a %s: %w", name, err)
				}
				if err := e.holds("main", "base/a", name); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "an Apply whose context has ended writes nothing",
		promise: "An Apply whose context has ended before its plan ran returns the context's error and writes nothing.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			s, d := e.sink(), e.to("base")
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := s.Apply(ended, d, put("a", "2"))
			return errors.Join(refused(d, err, context.Canceled), e.holds("main", "base/a", "1"))
		},
	},
	{
		name:    "the context of a plan ends with that of its caller",
		promise: "An Apply whose context ends while its plan runs returns as soon as the plan does.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			_, err := s.Apply(ctx, d, func(planned context.Context, _ gitsink.Tree) ([]gitsink.Commit, error) {
				cancel()
				if !e.soon(planned.Done()) {
					return nil, errors.New("the plan's context did not end")
				}
				return nil, planned.Err()
			})
			return errors.Join(refused(d, err, context.Canceled), e.holds("main"))
		},
	},
	{
		name:    "an error says that nothing is there, or that it may be",
		promise: "nil from Apply means that the remote has what the plan wanted.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			_, err := s.Apply(ctx, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
				cancel() // and yet it has commits
				return []gitsink.Commit{{Message: "late", Changes: writes("a", "1")}}, nil
			})
			switch {
			case err == nil:
				return e.holds("main", "base/a", "1")
			case errors.Is(err, gitsink.ErrUnknown):
				return proper(d, err)
			}
			return errors.Join(refused(d, err, context.Canceled), e.holds("main"))
		},
	},
	{
		name:    "an invalid destination is refused",
		promise: "an error that matches queue.ErrPermanent stays until somebody acts.",
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			for _, d := range []destination.Destination{e.on("", "base"), e.on("main", "../base"), e.on("-d", ""), e.on("a..b", "base"), {}} {
				plan := watch(put("a", "1"))
				_, err := s.Apply(ctx, d, plan.run)
				if err := errors.Join(refused(d, err, destination.ErrInvalid), refused(d, err, queue.ErrPermanent)); err != nil {
					return fmt.Errorf("%s: %w", d, err)
				}
				if plan.runs.Load() > 0 {
					return fmt.Errorf("%s: the plan was run", d)
				}
			}
			return e.holds("main")
		},
	},
}
