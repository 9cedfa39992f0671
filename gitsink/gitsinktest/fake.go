package gitsinktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Fake is a gitsink.GitSink that keeps its repositories in memory, for tests of what writes through a sink. It passes
// [TestGitSink]: a plan runs on the newest tree and is run again if the branch has moved, however often that happens;
// content that is there makes no commit; a missing branch starts with the commit of the branch main, if there is one. It
// has no network, no Git and no goroutines, so it works in a bubble of testing/synctest. Names of commits look like Git's
// and are not.
//
// A plan runs on the caller's goroutine, and calls for one branch do not wait for each other: the one that lands later
// runs its plan again. Make one with [NewFake].
type Fake struct {
	world *fakeWorld

	// Guarded by world.mu.
	seen   map[fakeFolder]string // the hash of a base folder as this sink left it
	closed bool
}

// fakeFolder is a base folder on a branch.
type fakeFolder struct {
	lane destination.RemoteBranch
	path string
}

var _ gitsink.GitSink = (*Fake)(nil)

// NewFake makes a sink without any repository: each is made, empty, when it is first named.
func NewFake() *Fake { return newFake(&fakeWorld{repos: map[string]*FakeRepo{}}) }

func newFake(w *fakeWorld) *Fake { return &Fake{world: w, seen: map[fakeFolder]string{}} }

// Beside makes another sink on the same repositories, as another process would be.
func (f *Fake) Beside() *Fake { return newFake(f.world) }

// Repo returns the repository of this URL. Spellings with one destination.RemoteBranch are one repository; a URL that has none
// panics.
func (f *Fake) Repo(url string) *FakeRepo {
	lane := destination.Destination{Repository: url}.RemoteBranch()
	if lane.Repository == "" {
		panic("gitsinktest: no URL of a repository")
	}
	return f.world.repo(lane.Repository)
}

// Fail has fault decide about each step towards the repositories, of all sinks that share them: "fetch" before the plan,
// "push" after it if there is something to push. An error fails the step, and is the cause of the *gitsink.Error that
// Apply returns: wrap gitsink.ErrRejected, for example. Calls may be concurrent. Nil ends it.
func (f *Fake) Fail(fault func(op string, d destination.Destination) error) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.fail = fault
}

// Close implements gitsink.GitSink. Apply fails from then on; the repositories stay.
func (f *Fake) Close() error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.closed = true
	return nil
}

// Apply implements gitsink.GitSink.
func (f *Fake) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	var result gitsink.Result
	if err := dst.Validate(); err != nil {
		return result, &gitsink.Error{Op: "fetch", Destination: dst, Err: err}
	}
	for {
		base, foreign, err := f.checkout(ctx, dst)
		if err != nil {
			return gitsink.Result{Attempts: result.Attempts}, &gitsink.Error{Op: "fetch", Destination: dst, Err: err}
		}
		result.Attempts++
		result.Foreign = result.Foreign || foreign
		commits, err := plan(ctx, base.tree(dst.BaseFolder))
		if err != nil {
			return gitsink.Result{Attempts: result.Attempts}, &gitsink.Error{Op: "plan", Destination: dst, Err: err}
		}
		made, err := base.build(dst.BaseFolder, commits)
		if err != nil {
			return gitsink.Result{Attempts: result.Attempts}, &gitsink.Error{Op: "commit", Destination: dst, Err: err}
		}
		landed, err := f.push(ctx, dst, base, made)
		if err != nil {
			return gitsink.Result{Attempts: result.Attempts}, &gitsink.Error{Op: "push", Destination: dst, Err: err}
		}
		if landed {
			result.Commits, result.Tip = made.hashes(), made.tip()
			return result, nil
		}
	}
}

var errFakeClosed = errors.New("the fake is closed")

// checkout returns what a plan is to be run on, and whether its folder is not as this sink left it.
func (f *Fake) checkout(ctx context.Context, dst destination.Destination) (base fakeBase, foreign bool, err error) {
	if ctx.Err() != nil {
		return fakeBase{}, false, ctx.Err()
	}
	if err := f.world.failure("fetch", dst); err != nil {
		return fakeBase{}, false, err
	}
	repo := f.world.repo(dst.RemoteBranch().Repository)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if f.closed {
		return fakeBase{}, false, errFakeClosed
	}
	base.old = repo.branches[dst.Branch]
	base.commit = cmp.Or(base.old, repo.branches[fakeDefaultBranch])
	files := base.files()
	for _, path := range append(parents(dst.BaseFolder), dst.BaseFolder) {
		if _, isFile := files[path]; isFile {
			return fakeBase{}, false, fmt.Errorf("%w: the base folder leads through the file %q", gitsink.ErrPath, path)
		}
	}
	last, known := f.seen[fakeFolder{dst.RemoteBranch(), dst.BaseFolder}]
	return base, known && last != hashFolder(files, dst.BaseFolder), nil
}

// push moves the branch to what was made, unless it is not what the plan was run on: then it returns false.
func (f *Fake) push(ctx context.Context, dst destination.Destination, base fakeBase, made fakeChain) (landed bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if made.moves {
		if err := f.world.failure("push", dst); err != nil {
			return false, err
		}
	}
	repo := f.world.repo(dst.RemoteBranch().Repository)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if repo.branches[dst.Branch] != base.old {
		return false, nil
	}
	files := base.files()
	if made.moves {
		repo.branches[dst.Branch], files = made.last, made.last.files
	}
	f.seen[fakeFolder{dst.RemoteBranch(), dst.BaseFolder}] = hashFolder(files, dst.BaseFolder)
	return true, nil
}

// fakeBase is what a plan is run on.
type fakeBase struct {
	old    *fakeCommit // the branch's tip; nil: there is no such branch
	commit *fakeCommit // to build on: old, or the default branch's; nil: none
}

func (b fakeBase) files() map[string]gitservertest.File {
	if b.commit == nil {
		return nil
	}
	return b.commit.files
}

func (b fakeBase) tree(folder string) gitsink.Tree { return newFakeTree(b.files(), folder) }

// fakeChain is the commits of one plan.
type fakeChain struct {
	commits []*fakeCommit
	last    *fakeCommit // what the branch is to be at; nil: there is none
	moves   bool        // the branch is not at last yet
}

func (c fakeChain) hashes() []string {
	var hashes []string
	for _, commit := range c.commits {
		hashes = append(hashes, commit.info.Hash)
	}
	return hashes
}

func (c fakeChain) tip() string {
	if c.last == nil {
		return ""
	}
	return c.last.info.Hash
}

func isWrite(c gitsink.Change) bool { return !c.Remove }

// build makes the commits of a plan. A branch that is missing and is to have what the default branch has moves without one.
func (b fakeBase) build(folder string, commits []gitsink.Commit) (fakeChain, error) {
	if err := checkPaths(folder, commits); err != nil {
		return fakeChain{}, err
	}
	chain := fakeChain{last: b.commit}
	now := time.Now()
	for _, c := range commits {
		files, err := applyChanges(fakeBase{commit: chain.last}.files(), folder, c.Changes)
		if err != nil {
			return fakeChain{}, err
		}
		if files == nil {
			chain.moves = chain.moves || b.old == nil && chain.last != nil && slices.ContainsFunc(c.Changes, isWrite)
			continue
		}
		chain.last = newFakeCommit(chain.last, files, c, now)
		chain.commits = append(chain.commits, chain.last)
		chain.moves = true
	}
	if !chain.moves {
		chain.last = b.old
	}
	return chain, nil
}
