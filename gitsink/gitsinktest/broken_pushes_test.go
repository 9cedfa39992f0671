package gitsinktest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// rebased pushes what merge makes of the files of a branch that has moved: theirs is what it holds
// by now.
func rebased(merge func(base, ours, theirs map[string]gitservertest.File) map[string]gitservertest.File) maker {
	return flaw{push: func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) bool {
		head := f.head(d)
		if head == base.old {
			f.force(d, made.last)
			return true
		}
		files := merge(base.files(), made.last.files, fakeBase{commit: head}.files())
		f.force(d, newFakeCommit(head, files, gitsink.Commit{Message: made.last.info.Subject}, time.Now()))
		return true
	}}.make
}

// byFiles takes the newer side of each file, ours if both have changed it.
func byFiles(base, ours, theirs map[string]gitservertest.File) map[string]gitservertest.File {
	merged := maps.Clone(theirs)
	for path := range base {
		if _, kept := ours[path]; !kept {
			delete(merged, path)
		}
	}
	for path, file := range ours {
		if base[path] != file {
			merged[path] = file
		}
	}
	return merged
}

// byLines takes the newer side of each line where both have changed a file.
func byLines(base, ours, theirs map[string]gitservertest.File) map[string]gitservertest.File {
	merged := byFiles(base, ours, theirs)
	for path, file := range theirs {
		if file == base[path] || ours[path] == base[path] {
			continue
		}
		was, us, them := lines(base[path]), lines(ours[path]), lines(file)
		for i := range min(len(was), len(us), len(them)) {
			if us[i] == was[i] {
				us[i] = them[i]
			}
		}
		merged[path] = gitservertest.File{Content: strings.Join(us, "")}
	}
	return merged
}

func lines(f gitservertest.File) []string { return slices.Collect(strings.Lines(f.Content)) }

// gap is the time between a check and what rests on it: calls that are under way together are in it
// together.
type gap struct {
	mu    sync.Mutex // guards what follows
	calls int        // under way
	in    int        // of them in the gap
	open  chan struct{}
}

func newGap() *gap { return &gap{open: make(chan struct{})} }

// call counts a call that begins, or ends.
func (g *gap) call(delta int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls += delta
	g.release()
}

// pass waits until all calls are in the gap.
func (g *gap) pass() {
	for range 100 {
		runtime.Gosched() // so that others may set out
	}
	g.mu.Lock()
	g.in++
	open := g.open
	g.release()
	g.mu.Unlock()
	<-open
}

func (g *gap) release() {
	if g.in > 0 && g.in >= g.calls {
		close(g.open)
		g.in, g.open = 0, make(chan struct{})
	}
}

var brokenPushes = []broken{
	{
		name: "it pushes by force",
		by: map[string]string{
			"a commit that lands while the plan runs is built upon":              `"base/theirs" is not there`,
			"a commit elsewhere that lands while the plan runs is built upon":    `"base2/b" is not there`,
			"another sink's commit that lands while the plan runs is built upon": `"base/count" is  "2"`,
			"a branch that keeps moving is followed":                             `"base/theirs-1" is not there`,
		},
		make: flaw{push: func(f *Fake, d destination.Destination, _ fakeBase, made fakeChain) bool {
			f.force(d, made.last)
			return true
		}}.make,
	},
	{
		name: "it reads what to compare with when it pushes, not when it plans",
		by: map[string]string{
			"a commit that lands while the plan runs is built upon":           "the branch",
			"a commit elsewhere that lands while the plan runs is built upon": "the branch",
			"a branch that is made while the plan runs is built upon":         "the branch",
		},
		make: rebased(func(_, ours, _ map[string]gitservertest.File) map[string]gitservertest.File { return ours }),
	},
	{
		name: "it makes a branch by force",
		by:   map[string]string{"a branch that is made while the plan runs is built upon": `"base/theirs" is not there`},
		make: flaw{push: func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) bool {
			free := base.old == nil || f.head(d) == base.old
			if free {
				f.force(d, made.last)
			}
			return free
		}}.make,
	},
	{
		name: "it looks whether the folder has moved, not the branch",
		by:   map[string]string{"a commit elsewhere that lands while the plan runs is built upon": `"other" is  "x"`},
		make: flaw{push: func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) bool {
			now := fakeBase{commit: f.head(d)}.files()
			free := hashFolder(now, d.BaseFolder) == hashFolder(base.files(), d.BaseFolder)
			if free {
				f.force(d, made.last)
			}
			return free
		}}.make,
	},
	{
		name: "it applies its changes to whatever is there, without planning again",
		by: map[string]string{
			"a commit that lands while the plan runs is built upon": `"base/seen" is  "[a]"`,
			"a file that two change at once is not merged by lines": `"base/list" is`,
			"the last run of a plan counts":                         "it made commits",
		},
		make: rebased(byFiles),
	},
	{
		name: "it merges by lines",
		by: map[string]string{
			"a plan whose files are written anew meanwhile replaces them": "base/list",
			"a file that two change at once is not merged by lines":       "the plan was not run again",
		},
		make: rebased(byLines),
	},
	{
		name: "it plans again and takes what it has planned first",
		by: map[string]string{
			"the last run of a plan counts":                         "it made commits",
			"a file that two change at once is not merged by lines": `"base/list" is`,
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			var first []gitsink.Commit
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				commits, err := plan(ctx, base)
				if first == nil {
					first = commits
				}
				return first, err
			})
		}),
	},
	{
		name: "it gives up when the branch has moved twice",
		by:   map[string]string{"a branch that keeps moving is followed": gitsink.ErrConflict.Error()},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			runs := 0
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				if runs++; runs > 2 {
					return nil, gitsink.ErrConflict
				}
				return plan(ctx, base)
			})
		}),
	},
	{
		name: "it merges",
		by: map[string]string{
			"each commit of a plan is a commit of the branch":     "has the parents",
			"concurrent calls for one folder all land, once each": "is a merge",
		},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
			made, err := base.build(folder, commits)
			for _, c := range made.commits {
				c.info.Parents = append(c.info.Parents, hashOf("another"))
			}
			return made, err
		}}.make,
	},
	{
		name: "it looks, and then it writes",
		by: map[string]string{
			"concurrent calls for one folder all land, once each":   `want  "8"`,
			"concurrent calls of several sinks all land, once each": `want  "8"`,
		},
		make: func() maker {
			between := newGap() // of all sinks
			return func(t testing.TB, f *Fake) gitsink.GitSink {
				s := flaw{push: func(f *Fake, d destination.Destination, base fakeBase, made fakeChain) bool {
					free := f.head(d) == base.old
					between.pass()
					if free {
						f.force(d, made.last)
					}
					return free
				}}.make(t, f)
				return wrapped{s, func(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
					between.call(1)
					defer between.call(-1)
					return s.Apply(ctx, d, plan)
				}}
			}
		}(),
	},
	{
		name: "it runs a plan twice at a time",
		by: map[string]string{
			"the result names the commits, the tip and the attempts": "the plan was",
			"concurrent calls for one folder all land, once each":    "the plan was",
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				other := make(chan struct{})
				go func() {
					defer close(other)
					_, _ = plan(ctx, base)
				}()
				commits, err := plan(ctx, base)
				<-other
				return commits, err
			})
		}),
	},
}

// swallowing is a sink that takes errors of this class for success.
func swallowing(class error) maker {
	return onResults(func(r gitsink.Result, err error) (gitsink.Result, error) {
		if errors.Is(err, class) {
			err = nil
		}
		return r, err
	})
}
