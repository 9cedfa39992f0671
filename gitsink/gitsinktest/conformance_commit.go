package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// commitChecks are about the commits that are made, and what Apply says of them.
var commitChecks = []check{
	{
		name:    "content that is there makes no commit",
		promise: "Content that is there already makes no commit.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			first, err := s.Apply(ctx, d, put("a", "1", "sub/b", "2"))
			if err != nil {
				return err
			}
			for name, changes := range map[string][]gitsink.Change{
				"the same":        writes("a", "1", "sub/b", "2"),
				"there and back":  writes("a", "2", "sub/b", "3", "a", "1", "sub/b", "2"),
				"made and gone":   append(writes("c", "1", "new/c", "1"), removals("c", "new/c")...),
				"gone and back":   append(removals("sub/b"), writes("sub/b", "2")...),
				"nothing removed": removals("none"),
				"no changes":      nil,
			} {
				again, err := s.Apply(ctx, d, propose(gitsink.Commit{Message: name, Changes: changes}))
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				if len(again.Commits) > 0 || again.Tip != first.Tip {
					return fmt.Errorf("%s: made commits %q, and the tip is %q; it was %q", name, again.Commits, again.Tip, first.Tip)
				}
				s = e.sink() // the others have written nothing themselves
			}
			if _, ok := e.Observer.(Historian); ok {
				return equal("the log", e.subjects("main"), []string{"put"})
			}
			return nil
		},
	},
	{
		name:    "a commit that changes nothing is left out",
		promise: "A commit whose changes change nothing is left out.",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			r, err := e.sink().Apply(ctx, e.to("base"), propose(
				gitsink.Commit{Message: "nothing new", Changes: writes("a", "1")},
				gitsink.Commit{Message: "one", Changes: writes("a", "2")},
				gitsink.Commit{Message: "nothing again", Changes: writes("a", "2")},
				gitsink.Commit{Message: "back", Changes: writes("a", "1")},
				gitsink.Commit{Message: "empty"},
			))
			return errors.Join(err, equal("the log", e.subjects("main"), []string{"outside", "one", "back"}), e.reported("main", r, 2))
		},
	},
	{
		name:    "each commit of a plan is a commit of the branch",
		promise: "Commit is one commit of a Plan; each builds on the one before.",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/old", "1", "other", "x")
			r, err := e.sink().Apply(ctx, e.to("base"), propose(
				gitsink.Commit{Message: "one", Changes: writes("a", "1", "b", "1")},
				gitsink.Commit{Message: "two", Changes: append(writes("a", "2"), removals("b", "old")...)},
				gitsink.Commit{Message: "three", Changes: writes("b", "3")},
			))
			if err := errors.Join(err, equal("the log", e.subjects("main"), []string{"outside", "one", "two", "three"}), e.reported("main", r, 3)); err != nil {
				return err
			}
			for i, files := range []map[string]gitservertest.File{
				contents("other", "x", "base/old", "1", "base/a", "1", "base/b", "1"),
				contents("other", "x", "base/a", "2"),
				contents("other", "x", "base/a", "2", "base/b", "3"),
			} {
				if err := differ("commit "+r.Commits[i], e.historian().Show(r.Commits[i]), files); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "messages arrive whole",
		promise: "Commit is one commit of a Plan; each builds on the one before.",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			_, err := e.sink().Apply(ctx, e.to("base"), propose(gitsink.Commit{
				Message: "A subject with <angles> & ümlauts\n\nA body\nof two lines\n\n# and a third\n", Changes: writes("a", "1"),
			}))
			if err != nil {
				return err
			}
			c := e.log("main")[0]
			return errors.Join(equal("the subject", c.Subject, "A subject with <angles> & ümlauts"),
				equal("the body", c.Body, "A body\nof two lines\n\n# and a third"))
		},
	},
	{
		name:    "authors and committers arrive",
		promise: "a zero Author is the Committer, a zero Committer the sink's",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			jane := gitsink.Signature{Name: "Jane Doe", Email: "jane@example.com", When: time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)}
			bot := gitsink.Signature{Name: "Bot", Email: "bot@example.com", When: time.Date(2021, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))}
			_, err := e.sink().Apply(ctx, e.to("base"), propose(
				gitsink.Commit{Message: "both", Changes: writes("a", "1"), Author: jane, Committer: bot},
				gitsink.Commit{Message: "committer", Changes: writes("a", "2"), Committer: bot},
				gitsink.Commit{Message: "author", Changes: writes("a", "3"), Author: jane},
				gitsink.Commit{Message: "none", Changes: writes("a", "4")},
			))
			log := e.log("main")
			if err != nil || len(log) != 4 {
				return errors.Join(err, fmt.Errorf("the branch has %d commits", len(log)))
			}
			slices.Reverse(log)
			names := func(c gitservertest.CommitInfo) []string {
				return []string{c.Author, c.AuthorEmail, c.Committer, c.CommitterEmail}
			}
			none := log[3]
			if none.Committer == "" || time.Since(none.Time).Abs() > 2*e.patience {
				err = fmt.Errorf("the sink's own committer is %q at %v", none.Committer, none.Time)
			}
			return errors.Join(err,
				equal("both", names(log[0]), []string{jane.Name, jane.Email, bot.Name, bot.Email}),
				equal("committer", names(log[1]), []string{bot.Name, bot.Email, bot.Name, bot.Email}),
				equal("author", names(log[2]), []string{jane.Name, jane.Email, none.Committer, none.CommitterEmail}),
				equal("none", names(none), []string{none.Committer, none.CommitterEmail, none.Committer, none.CommitterEmail}),
				equal("the time", log[0].Time.UTC().String(), bot.When.UTC().String()))
		},
	},
	{
		name:    "the result names the commits, the tip and the attempts",
		promise: "the commits made, oldest first; empty if nothing had to change",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			for _, content := range []string{"1", "2"} {
				plan := watch(propose(
					gitsink.Commit{Message: "one", Changes: writes("a", content)}, gitsink.Commit{Message: "two", Changes: writes("b", content)},
				))
				r, err := s.Apply(ctx, d, plan.run)
				if err != nil {
					return err
				}
				if len(r.Commits) == 0 || r.Tip == "" {
					return fmt.Errorf("the result of a change is %+v", r)
				}
				if err := plan.agrees(r); err != nil {
					return err
				}
				if _, ok := e.Observer.(Historian); ok {
					if err := e.reported("main", r, 2); err != nil {
						return err
					}
				}
			}
			return nil
		},
	},
	{
		name:    "a plan without commits changes nothing",
		promise: "no commits mean that nothing has to change",
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			nothing := func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, nil }
			made, err := s.Apply(ctx, e.to("base"), put("a", "1"))
			if err != nil {
				return err
			}
			r, err := s.Apply(ctx, e.to("base"), nothing)
			if err != nil || len(r.Commits) > 0 || r.Tip != made.Tip || r.Attempts != 1 {
				return errors.Join(err, fmt.Errorf("the result is %+v, want the tip %s", r, made.Tip))
			}
			return e.holds("main", "base/a", "1")
		},
	},
	{
		name:    "a branch is not made for nothing",
		promise: `the branch's commit that has what the plan wanted; "" if there is no branch`,
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			unmade := func(branch string, changes ...gitsink.Change) error {
				r, err := s.Apply(ctx, e.on(branch, "base"), propose(gitsink.Commit{Message: "nothing", Changes: changes}))
				if err != nil || len(r.Commits) > 0 || r.Tip != "" {
					return errors.Join(err, fmt.Errorf("branch %s: the result is %+v, want no commit and no tip", branch, r))
				}
				return nil
			}
			if err := errors.Join(unmade("main"), unmade("main", removals("none")...),
				unmade("main", append(writes("made/and/gone", "1"), removals("made/and/gone")...)...)); err != nil {
				return err
			}
			e.seed("base/a", "1") // now there is a branch to start from
			if err := errors.Join(unmade("dev"), unmade("dev", removals("none")...)); err != nil {
				return err
			}
			return equal("the branches", e.historian().Branches(), []string{"main"})
		},
	},
	{
		name:    "a missing branch is made",
		promise: "nil from Apply means that the remote has what the plan wanted.",
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			for _, branch := range []string{"main", "dev", "team/feature"} {
				if _, err := s.Apply(ctx, e.on(branch, "base"), put(branch+"/a", "1")); err != nil {
					return err
				}
				if got := e.Observer.Files(branch)["base/"+branch+"/a"]; got != (gitservertest.File{Content: "1"}) {
					return fmt.Errorf("branch %s: the file is %s", branch, describe(got))
				}
			}
			return e.holds("main", "base/main/a", "1")
		},
	},
	{
		name:    "a missing branch starts with the default branch",
		promise: "A missing branch starts with the commit of the default branch, if the store has one.",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "other", "x")
			s := e.sink()
			if _, err := s.Apply(ctx, e.on("dev", "base"), func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				return []gitsink.Commit{{Message: "put", Changes: writes("b", "2")}}, reads(ctx, base, "a", "1")
			}); err != nil {
				return err
			}
			// All that the plan wants is inherited: the branch alone is missing.
			inherited, err := s.Apply(ctx, e.on("same", "base"), put("a", "1"))
			return errors.Join(err,
				e.holds("dev", "base/a", "1", "other", "x", "base/b", "2"), e.holds("same", "base/a", "1", "other", "x"),
				e.holds("main", "base/a", "1", "other", "x"), e.reported("same", inherited, 0),
				equal("the log", e.subjects("dev"), []string{"outside", "put"}), equal("the log", e.subjects("same"), []string{"outside"}))
		},
	},
	{
		name:    "only somebody else's changes of the folder are foreign",
		promise: "somebody else changed this folder since the sink last saw it",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/theirs", "0")
			s, d := e.sink(), e.to("base")
			for _, step := range []struct {
				name    string
				before  func() error
				foreign bool
			}{
				{"the first sight", nil, false},
				{"nothing happened", nil, false},
				{"a change elsewhere", func() error { e.seed("elsewhere", "1"); return nil }, false},
				{"our own change of another folder", func() error { _, err := s.Apply(ctx, e.to("other"), put("a", "1")); return err }, false},
				{"a change of theirs here", func() error { e.seed("base/theirs", "1"); return nil }, true},
				{"nothing since", nil, false},
				{"another sink's change here", func() error { _, err := e.sink().Apply(ctx, d, put("a", "changed")); return err }, true},
			} {
				if step.before != nil {
					if err := step.before(); err != nil {
						return err
					}
				}
				for i, plan := range []gitsink.Plan{propose(), put("ours", step.name)} {
					r, err := s.Apply(ctx, d, plan)
					if want := step.foreign && i == 0; err != nil || r.Foreign != want {
						return errors.Join(err, fmt.Errorf("%s: Foreign is %t, want %t", step.name, r.Foreign, want))
					}
				}
			}
			return nil
		},
	},
}

// reported wants a result to name the newest commits of the branch, n of them in a line, and its
// tip.
func (e *env) reported(branch string, r gitsink.Result, n int) error {
	log := e.log(branch)
	if len(log) < max(n, 1) {
		return fmt.Errorf("branch %s has %d commits; Apply made %q", branch, len(log), r.Commits)
	}
	made := []string{}
	for i, c := range log[:n] {
		made = append(made, c.Hash)
		if i+1 < len(log) && !slices.Equal(c.Parents, []string{log[i+1].Hash}) {
			return fmt.Errorf("commit %s has the parents %q, want %s", c.Hash, c.Parents, log[i+1].Hash)
		}
	}
	slices.Reverse(made)
	return errors.Join(equal("Commits", append([]string{}, r.Commits...), made), equal("Tip", r.Tip, log[0].Hash))
}
