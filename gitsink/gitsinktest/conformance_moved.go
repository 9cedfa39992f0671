package gitsinktest

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/gitsink"
)

// movedChecks are about a branch that moves while a plan runs.
var movedChecks = []check{
	{
		name:    "a commit that lands while the plan runs is built upon",
		promise: "if somebody else pushes meanwhile, it is run again on theirs.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "other", "x")
			plan := onFirst(func() error { e.seed("base/theirs", "1", "other", "y"); return nil },
				func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
					return []gitsink.Commit{{Message: "ours", Changes: writes("seen", fmt.Sprint(listed(base, "")))}}, nil
				})
			r, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			if err := errors.Join(err, plan.agrees(r),
				e.holds("main", "base/a", "1", "base/theirs", "1", "base/seen", "[a theirs]", "other", "y")); err != nil {
				return err
			}
			if _, ok := e.Observer.(Historian); ok {
				return errors.Join(equal("the log", e.subjects("main"), []string{"outside", "outside", "ours"}), e.reported("main", r, 1))
			}
			return nil
		},
	},
	{
		name:    "a commit elsewhere that lands while the plan runs is built upon",
		promise: "Nobody's commit is lost",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "other", "x")
			plan := onFirst(func() error { e.seed("other", "y", "base2/b", "1"); return nil }, put("a", "2"))
			r, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			return errors.Join(err, plan.agrees(r), e.holds("main", "base/a", "2", "other", "y", "base2/b", "1"))
		},
	},
	{
		name:    "a file that two change at once is not merged by lines",
		promise: "changes are never merged by lines",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/list", "a\nb\nc\n")
			plan := onFirst(func() error { e.seed("base/list", "A\nb\nc\n"); return nil },
				func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
					got, err := base.Read(ctx, "list")
					return []gitsink.Commit{{Message: "ours", Changes: writes("list", string(got["list"])+"d\n", "length", fmt.Sprintln(len(got["list"])))}}, err
				})
			_, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			if err := errors.Join(err, e.holds("main", "base/list", "A\nb\nc\nd\n", "base/length", "6\n")); err != nil {
				return err
			}
			if plan.runs.Load() < 2 {
				return errors.New("the plan was not run again")
			}
			return nil
		},
	},
	{
		name:    "a plan whose files are written anew meanwhile replaces them",
		promise: "changes are never merged by lines",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/list", "a\nb\nc\nd\ne\nf\n")
			plan := onFirst(func() error { e.seed("base/list", "THEIRS\nb\nc\nd\ne\nf\n"); return nil }, put("list", "a\nb\nc\nd\ne\nOURS\n"))
			_, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			return errors.Join(err, e.holds("main", "base/list", "a\nb\nc\nd\ne\nOURS\n"))
		},
	},
	{
		name:    "the last run of a plan counts",
		promise: "it is run any number of times: the last run counts.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			unlessThere := func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				if _, ok := base.Entry("theirs"); ok {
					return nil, nil
				}
				return []gitsink.Commit{{Message: "ours", Changes: writes("ours", "1")}}, nil
			}
			plan := onFirst(func() error { e.seed("base/theirs", "1"); return nil }, unlessThere)
			r, err := s.Apply(ctx, d, plan.run)
			if len(r.Commits) > 0 {
				return fmt.Errorf("it made commits %q", r.Commits)
			}
			if err := errors.Join(err, plan.agrees(r), e.holds("main", "base/theirs", "1")); err != nil {
				return err
			}
			failing := onFirst(func() error { e.seed("base/more", "1"); return nil }, func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				if _, ok := base.Entry("more"); ok {
					return nil, errOfPlan
				}
				return []gitsink.Commit{{Message: "ours", Changes: writes("ours", "1")}}, nil
			})
			_, err = s.Apply(ctx, d, failing.run)
			return errors.Join(refused(d, err, errOfPlan), e.holds("main", "base/theirs", "1", "base/more", "1"))
		},
	},
	{
		name:    "what somebody else has done meanwhile is not done again",
		promise: "Content that is there already makes no commit.",
		run: func(ctx context.Context, e *env) error {
			plan := onFirst(func() error { e.seed("base/a", "1"); return nil }, put("a", "1"))
			r, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			if len(r.Commits) > 0 {
				return fmt.Errorf("it made commits %q", r.Commits)
			}
			return errors.Join(err, e.holds("main", "base/a", "1"))
		},
	},
	{
		name:    "a branch that is made while the plan runs is built upon",
		promise: "Nobody's commit is lost",
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			for _, branch := range []string{"main", "dev"} {
				plan := onFirst(func() error { e.Observer.Commit(branch, contents("base/theirs", branch), "outside"); return nil }, put("ours", branch))
				r, err := s.Apply(ctx, e.on(branch, "base"), plan.run)
				if err := errors.Join(err, plan.agrees(r), e.holds(branch, "base/theirs", branch, "base/ours", branch)); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "another sink's commit that lands while the plan runs is built upon",
		promise: "Nobody's commit is lost",
		run: func(ctx context.Context, e *env) error {
			s, other := e.sink(), e.sink()
			d := e.to("base")
			if _, err := s.Apply(ctx, d, put("count", "1")); err != nil {
				return err
			}
			theirs := func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				commits, err := increment(ctx, base)
				// or both would make the same commit, and one would do
				commits[0].Message = "theirs"
				return commits, err
			}
			plan := onFirst(func() error { _, err := other.Apply(ctx, d, theirs); return err }, increment)
			r, err := s.Apply(ctx, d, plan.run)
			return errors.Join(err, plan.agrees(r), e.holds("main", "base/count", "3"))
		},
	},
	{
		name:    "a branch that keeps moving is followed",
		promise: "If the branch moved meanwhile, plan is run again on the new tree",
		run: func(ctx context.Context, e *env) error {
			plan := watch(nil)
			plan.plan = func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				files := len(listed(base, ""))
				if n := plan.runs.Load(); n <= 3 {
					e.seed(fmt.Sprint("base/theirs-", n), "1")
				}
				return []gitsink.Commit{{Message: "ours", Changes: writes("seen", fmt.Sprint(files))}}, nil
			}
			r, err := e.sink().Apply(ctx, e.to("base"), plan.run)
			return errors.Join(err, plan.agrees(r), e.holds("main",
				"base/theirs-1", "1", "base/theirs-2", "1", "base/theirs-3", "1", "base/seen", "3"))
		},
	},
}

// increment plans the next number in the file count.
func increment(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
	n := 0
	got, err := base.Read(ctx, "count")
	if _, found := got["count"]; found && err == nil {
		_, err = fmt.Sscan(string(got["count"]), &n)
	}
	return []gitsink.Commit{{Message: fmt.Sprint("count ", n+1), Changes: writes("count", fmt.Sprint(n+1))}}, err
}
