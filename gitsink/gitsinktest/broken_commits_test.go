package gitsinktest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// eachCommit changes each commit of a plan.
func eachCommit(edit func(*gitsink.Commit)) maker {
	return onProposals(func(commits []gitsink.Commit) []gitsink.Commit {
		commits = slices.Clone(commits)
		for i := range commits {
			edit(&commits[i])
		}
		return commits
	})
}

// always makes a commit of each proposal, whether it changes anything or not.
func always(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
	if err := checkPaths(folder, commits); err != nil {
		return fakeChain{}, err
	}
	chain := fakeChain{last: base.commit}
	for _, c := range commits {
		files, err := applyChanges(base.files(), fakeBase{commit: chain.last}.files(), folder, c.Changes)
		if err != nil {
			return fakeChain{}, err
		}
		if files == nil {
			files = maps.Clone(fakeBase{commit: chain.last}.files())
		}
		chain.last, chain.moves = newFakeCommit(chain.last, files, c, time.Now()), true
		chain.commits = append(chain.commits, chain.last)
	}
	return chain, nil
}

var brokenCommits = []broken{
	{
		name: "it makes empty commits",
		by: map[string]string{
			"content that is there makes no commit":                   "made commits",
			"a commit that changes nothing is left out":               `the log: ["outside" "nothing new"`,
			"what somebody else has done meanwhile is not done again": "it made commits",
			"a branch is not made for nothing":                        "want no commit",
		},
		make: flaw{build: always}.make,
	},
	{
		name: "it makes a commit of a file that it has not seen before",
		by:   map[string]string{"content that is there makes no commit": "made commits"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			seen := map[string]bool{}
			return flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
				for _, c := range commits {
					for _, change := range c.Changes {
						if path := join(folder, change.Path); !seen[path] {
							seen[path] = true
							return always(base, folder, commits)
						}
					}
				}
				return base.build(folder, commits)
			}}.make(t, f)
		},
	},
	{
		name: "it squashes",
		by: map[string]string{
			"each commit of a plan is a commit of the branch":          `the log: ["outside" "three"]`,
			"the result names the commits, the tip and the attempts":   "has 1 commits",
			"concurrent calls for several folders all land, once each": "want 16",
		},
		make: onProposals(func(commits []gitsink.Commit) []gitsink.Commit {
			if len(commits) == 0 {
				return nil
			}
			all := commits[len(commits)-1]
			all.Changes = nil
			for _, c := range commits {
				all.Changes = append(all.Changes, c.Changes...)
			}
			return []gitsink.Commit{all}
		}),
	},
	{
		name: "it gives each commit the files of the last",
		by:   map[string]string{"each commit of a plan is a commit of the branch": `commit`},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
			made, err := base.build(folder, commits)
			for _, c := range made.commits {
				c.files = made.last.files
			}
			return made, err
		}}.make,
	},
	{
		name: "it keeps the first line of a message",
		by:   map[string]string{"messages arrive whole": "the body"},
		make: eachCommit(func(c *gitsink.Commit) { c.Message, _, _ = strings.Cut(c.Message, "\n") }),
	},
	{
		name: "it strips comments from messages",
		by:   map[string]string{"messages arrive whole": "the body"},
		make: eachCommit(func(c *gitsink.Commit) { c.Message = strings.ReplaceAll(c.Message, "# ", "") }),
	},
	{
		name: "it drops the author",
		by:   map[string]string{"authors and committers arrive": "author: "},
		make: eachCommit(func(c *gitsink.Commit) { c.Author = gitsink.Signature{} }),
	},
	{
		name: "it drops the committer",
		by:   map[string]string{"authors and committers arrive": "committer: "},
		make: eachCommit(func(c *gitsink.Commit) { c.Committer = gitsink.Signature{} }),
	},
	{
		name: "it takes the author for the committer",
		by:   map[string]string{"authors and committers arrive": "both: "},
		make: eachCommit(func(c *gitsink.Commit) {
			if c.Author != (gitsink.Signature{}) {
				c.Committer = c.Author
			}
		}),
	},
	{
		name: "it stamps commits with the time of the push",
		by:   map[string]string{"authors and committers arrive": "the time"},
		make: eachCommit(func(c *gitsink.Commit) { c.Committer.When = time.Now() }),
	},
	{
		name: "it names no commits",
		by: map[string]string{
			"the result names the commits, the tip and the attempts": "{Commits:[]",
			"concurrent calls for one folder all land, once each":    "one commit is reported as []",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { r.Commits = nil; return r, err }),
	},
	{
		name: "it names the commits newest first",
		by:   map[string]string{"the result names the commits, the tip and the attempts": "Commits: "},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { slices.Reverse(r.Commits); return r, err }),
	},
	{
		name: "it names the oldest of its commits as the tip",
		by:   map[string]string{"the result names the commits, the tip and the attempts": "Tip: "},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			if len(r.Commits) > 0 {
				r.Tip = r.Commits[0]
			}
			return r, err
		}),
	},
	{
		name: "it has always run the plan once",
		by: map[string]string{
			"a commit that lands while the plan runs is built upon": "Attempts is 1",
			"a branch that keeps moving is followed":                "Attempts is 1",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { r.Attempts = 1; return r, err }),
	},
	{
		name: "it counts the runs of a plan from zero",
		by: map[string]string{
			"a plan without commits changes nothing":                 "Attempts",
			"the result names the commits, the tip and the attempts": "Attempts",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { r.Attempts--; return r, err }),
	},
	{
		name: "it forgets the tip when it makes no commit",
		by: map[string]string{
			"a plan without commits changes nothing": "tip",
			"content that is there makes no commit":  "tip",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
			if len(r.Commits) == 0 {
				r.Tip = ""
			}
			return r, err
		}),
	},
	{
		name: "it makes a branch before the plan has run",
		by:   map[string]string{"a branch is not made for nothing": "want no commit and no tip"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if d.Validate() == nil && f.head(d) == nil {
				f.Repo(d.Repository).Commit(d.Branch, nil, "the beginning")
			}
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it makes a branch, and does not say so",
		by:   map[string]string{"a branch is not made for nothing": "the branches"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			r, err := f.Apply(ctx, d, plan)
			if err == nil && f.head(d) == nil {
				f.Repo(d.Repository).Commit(d.Branch, nil, "too late")
			}
			if len(r.Commits) == 0 {
				r.Tip = ""
			}
			return r, err
		}),
	},
	{
		name: "it wants the branch to be there",
		by:   map[string]string{"a missing branch is made": "no such branch"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if d.Validate() == nil && f.head(d) == nil {
				return gitsink.Result{}, &gitsink.Error{Op: "fetch", Destination: d, Err: errors.New("no such branch")}
			}
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it does not make a branch, and says nothing",
		by:   map[string]string{"a missing branch is made": "branch main: the file is"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			if d.Validate() == nil && f.head(d) == nil {
				plan = propose()
			}
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it starts a branch with nothing",
		by:   map[string]string{"a missing branch starts with the default branch": `Read of ["a"]`},
		make: flaw{base: func(_ *Fake, _ destination.Destination, base fakeBase) fakeBase {
			base.commit = base.old
			return base
		}}.make,
	},
	{
		name: "it starts a branch with the files of the default branch, not with its commit",
		by:   map[string]string{"a missing branch starts with the default branch": `the log: ["put"]`},
		make: flaw{base: func(_ *Fake, _ destination.Destination, base fakeBase) fakeBase {
			if base.old == nil && base.commit != nil {
				base.commit = &fakeCommit{files: base.commit.files, info: gitservertest.CommitInfo{Subject: "root"}}
			}
			return base
		}, push: func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) bool {
			if base.old == nil && len(made.commits) > 0 {
				made.commits[0].parent = nil
			}
			f.force(d, made.last)
			return true
		}}.make,
	},
	{
		name: "nobody is a stranger to it",
		by:   map[string]string{"only somebody else's changes of the folder are foreign": "a change of theirs here: Foreign is false"},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { r.Foreign = false; return r, err }),
	},
	{
		name: "everybody is a stranger to it",
		by: map[string]string{
			"only somebody else's changes of the folder are foreign":   "Foreign",
			"concurrent calls for several folders all land, once each": "Foreign",
		},
		make: onResults(func(r gitsink.Result, err error) (gitsink.Result, error) { r.Foreign = true; return r, err }),
	},
	{
		name: "it takes every new commit for one in its folder",
		by:   map[string]string{"only somebody else's changes of the folder are foreign": "a change elsewhere: Foreign is true"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			var last *fakeCommit
			return onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
				before := f.head(d)
				r, err := f.Apply(ctx, d, plan)
				r.Foreign = last != nil && before != last
				last = f.head(d)
				return r, err
			})(t, f)
		},
	},
}
