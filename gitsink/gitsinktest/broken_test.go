package gitsinktest

import (
	"context"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/kittest"
)

// broken is a sink that breaks a promise on purpose.
type broken struct {
	name string
	by   map[string]string // the checks that must refuse it, and what they must say
	make func(t testing.TB, f *Fake) gitsink.GitSink
}

func allBroken() []broken {
	var all []broken
	for _, some := range [][]broken{brokenTrees, brokenChanges, brokenCommits, brokenPlans, brokenPushes, brokenCalls} {
		all = append(all, some...)
	}
	return all
}

func TestEachBrokenSinkIsRefused(t *testing.T) {
	kittest.RequireRefused(t, catalogue(), brokenSinks(), errSkipped)
}

func TestEachCheckRefusesABrokenSink(t *testing.T) { kittest.RequireUse(t, catalogue(), brokenSinks()) }

func catalogue() (all []kittest.Check) {
	for _, c := range checks() {
		all = append(all, kittest.Check{Name: c.name, Promise: c.promise})
	}
	return all
}

func brokenSinks() (all []kittest.Broken) {
	named := map[string]check{}
	for _, c := range checks() {
		named[c.name] = c
	}
	for _, b := range allBroken() {
		all = append(all, kittest.Broken{Name: b.name, By: b.by, Run: func(t *testing.T, name string) error {
			h := onFakes(func(f *Fake) gitsink.GitSink { return b.make(t, f) })
			return named[name].against(t, h, time.Second/2)
		}})
	}
	return all
}

// wrapped is a sink whose Apply is another.
type wrapped struct {
	gitsink.GitSink
	apply func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error)
}

func (w wrapped) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	return w.apply(ctx, d, plan)
}

type maker = func(testing.TB, *Fake) gitsink.GitSink

// onTrees changes what plans are shown.
func onTrees(change func(*fakeTree) gitsink.Tree) maker {
	return func(_ testing.TB, f *Fake) gitsink.GitSink {
		return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				return plan(ctx, change(base.(*fakeTree)))
			})
		}}
	}
}

// onProposals changes what plans return.
func onProposals(change func([]gitsink.Commit) []gitsink.Commit) maker {
	return func(_ testing.TB, f *Fake) gitsink.GitSink {
		return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				commits, err := plan(ctx, base)
				return change(commits), err
			})
		}}
	}
}

// onResults changes what Apply returns.
func onResults(change func(gitsink.Result, error) (gitsink.Result, error)) maker {
	return func(_ testing.TB, f *Fake) gitsink.GitSink {
		return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return change(f.Apply(ctx, d, plan))
		}}
	}
}

// onCalls replaces Apply.
func onCalls(apply func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error)) maker {
	return func(_ testing.TB, f *Fake) gitsink.GitSink {
		return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return apply(f, ctx, d, plan)
		}}
	}
}

// flaw replaces steps of Fake.Apply; nil ones are the Fake's.
type flaw struct {
	base  func(f *Fake, d destination.Destination, base fakeBase) fakeBase
	build func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error)
	push  func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) (landed bool)
}

func (fl flaw) make(_ testing.TB, f *Fake) gitsink.GitSink {
	return wrapped{f, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (r gitsink.Result, err error) {
		fail := func(op string, err error) (gitsink.Result, error) {
			return gitsink.Result{Attempts: r.Attempts}, &gitsink.Error{Op: op, Destination: d, Err: err}
		}
		if err := d.Validate(); err != nil {
			return fail("fetch", err)
		}
		for {
			base, foreign, err := f.checkout(ctx, d)
			if err != nil {
				return fail("fetch", err)
			}
			if fl.base != nil {
				base = fl.base(f, d, base)
			}
			r.Attempts++
			r.Foreign = r.Foreign || foreign
			commits, err := plan(ctx, base.tree(d.BaseFolder))
			if err != nil {
				return fail("plan", err)
			}
			build := fl.build
			if build == nil {
				build = fakeBase.build
			}
			made, err := build(base, d.BaseFolder, commits)
			if err != nil {
				return fail("commit", err)
			}
			if fl.push != nil && made.moves {
				r.Commits, r.Tip = made.hashes(), made.tip()
				if fl.push(f, d, base, made) {
					return r, nil
				}
				continue
			}
			landed, err := f.push(ctx, d, base, made)
			if err != nil {
				return fail("push", err)
			}
			if landed {
				r.Commits, r.Tip = made.hashes(), made.tip()
				return r, nil
			}
		}
	}}
}

// head and force are what a push without compare-and-swap does.
func (f *Fake) head(d destination.Destination) *fakeCommit {
	repo := f.Repo(d.Repository)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	return repo.branches[d.Branch]
}

func (f *Fake) force(d destination.Destination, tip *fakeCommit) {
	repo := f.Repo(d.Repository)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	repo.branches[d.Branch] = tip
}
