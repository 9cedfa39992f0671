package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// failureChecks are about a store that does not do its part, and about the end.
var failureChecks = []check{
	{
		name:    "a refusal is told in the store's own words, and leaves nothing",
		promise: "Apply returns an *Error with the operation, the destination and the server's own words.",
		needs:   refusal,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			s, d := e.sink(), e.to("base")
			plan := propose(
				gitsink.Commit{Message: "one", Changes: writes("b", "1")}, gitsink.Commit{Message: "two", Changes: writes("c", "1")},
			)
			for range 2 {
				e.Refuse("not on a Friday")
				_, err := s.Apply(ctx, d, plan)
				if err := errors.Join(refused(d, err, gitsink.ErrRejected), refused(d, err, queue.ErrPermanent)); err != nil {
					return err
				}
				if !strings.Contains(err.Error(), "not on a Friday") {
					return fmt.Errorf("the error does not say %q: %w", "not on a Friday", err)
				}
				if err := e.holds("main", "base/a", "1"); err != nil {
					return err
				}
			}
			e.Refuse("")
			_, err := s.Apply(ctx, d, plan)
			return errors.Join(err, e.holds("main", "base/a", "1", "base/b", "1", "base/c", "1"))
		},
	},
	{
		name:    "what changes nothing is not refused",
		promise: "nil means that the remote has it, or that there was nothing to change.",
		needs:   refusal,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			e.Refuse("nobody writes here")
			_, err := e.sink().Apply(ctx, e.to("base"), put("a", "1"))
			return err
		},
	},
	{
		name:    "an outage passes",
		promise: "it does not wait for a server that is down",
		needs:   outage,
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			if _, err := s.Apply(ctx, d, put("a", "1")); err != nil {
				return err
			}
			for n := range 2 {
				e.Down()
				_, err := s.Apply(ctx, d, put("a", fmt.Sprint("lost ", n)))
				if err := refused(d, err, gitsink.ErrUnavailable); err != nil {
					return err
				}
				if errors.Is(err, queue.ErrPermanent) {
					return fmt.Errorf("an outage is said to stay: %w", err)
				}
				e.Up()
				if _, err := s.Apply(ctx, d, increment); err != nil {
					return err
				}
				if err := e.holds("main", "base/a", "1", "base/count", fmt.Sprint(n+1)); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "a store that goes away before the push gets nothing",
		promise: "nil from Apply means that the remote has what the plan wanted.",
		needs:   outage,
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			_, err := s.Apply(ctx, d, onFirst(func() error { e.Down(); return nil }, put("a", "1")).run)
			if err == nil {
				return errors.New("Apply returned nil, although the store went away before the push")
			}
			if err := proper(d, err); err != nil {
				return err
			}
			e.Up()
			_, err = s.Apply(ctx, d, put("b", "1"))
			return errors.Join(err, e.holds("main", "base/b", "1"))
		},
	},
	{
		name:    "Close leaves no goroutine behind",
		promise: "Close ends what the sink keeps open.",
		run: func(ctx context.Context, e *env) error {
			before := goleak.IgnoreCurrent()
			s := e.sink()
			for _, branch := range []string{"main", "dev"} {
				if _, err := s.Apply(ctx, e.on(branch, "base"), put("a", "1")); err != nil {
					return err
				}
			}
			if err := e.close(); err != nil {
				return err
			}
			err := goleak.Find(before)
			// what ends on its own may take a moment
			for start := time.Now(); err != nil && time.Since(start) < e.patience/4; {
				err = goleak.Find(before)
			}
			return err
		},
	},
}
