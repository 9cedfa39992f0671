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

// Fake is a gitsink.GitSink that keeps its repositories in memory, for tests of code that uses a
// sink. It passes [TestGitSink]: a plan runs on the newest tree, and again whenever the branch has
// moved; content that is already there makes no commit; a missing branch starts with the commit of
// the branch main, if there is one. The hashes of its commits look like Git's, and are not.
//
// A Fake has no network, no Git and no goroutines, so it works in a testing/synctest bubble. A plan
// runs on the goroutine of its Apply. Two Applies for one branch do not wait for each other: the
// later one to land runs its plan again. Methods may be called concurrently. Make a Fake with
// [NewFake].
type Fake struct {
	world *fakeWorld

	// Guarded by world.mu.
	seen   map[fakeFolder]string // the hash of a base folder as this sink left it
	closed bool
}

// fakeFolder is a base folder on a branch.
type fakeFolder struct {
	branch destination.RemoteBranch
	path   string
}

var _ gitsink.GitSink = (*Fake)(nil)

// NewFake makes a sink without repositories. A repository is made, empty, when it is first named.
func NewFake() *Fake { return newFake(&fakeWorld{repos: map[string]*FakeRepo{}}) }

func newFake(w *fakeWorld) *Fake { return &Fake{world: w, seen: map[fakeFolder]string{}} }

// Beside makes another sink on the same repositories, as another process would have.
func (f *Fake) Beside() *Fake { return newFake(f.world) }

// Repo returns the repository of this URL. All spellings of one repository, as
// destination.RemoteBranch has them, name the same one. It panics if the URL is not valid.
func (f *Fake) Repo(url string) *FakeRepo {
	remote := destination.Destination{Repository: url}.RemoteBranch()
	if remote.Repository == "" {
		panic("gitsinktest: no URL of a repository")
	}
	return f.world.repo(remote.Repository)
}

// Fail has fault decide about each step of all sinks that share the repositories. The step op is
// "fetch" before the plan, and "push" after it if there is something to push. An error, such as one
// that wraps gitsink.ErrRejected, fails the step: Apply returns a *gitsink.Error with it. fault is
// called concurrently. Nil ends it.
func (f *Fake) Fail(fault func(op string, d destination.Destination) error) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.fail = fault
}

// Close implements gitsink.GitSink. Apply fails from then on. The repositories stay.
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

// checkout returns what a plan is to run on, and whether somebody else changed its folder since
// this sink last wrote it.
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

// push moves the branch to the commits that were made. It reports false, and does nothing, if the
// branch has moved since the plan ran.
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
	last    *fakeCommit // where the branch is to be; nil: there is to be no branch
	moves   bool        // the branch is elsewhere now
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

// build makes the commits of a plan. A missing branch that is to have exactly what the default
// branch has needs none: it moves to the default branch's commit.
func (b fakeBase) build(folder string, commits []gitsink.Commit) (fakeChain, error) {
	if err := checkPaths(folder, commits); err != nil {
		return fakeChain{}, err
	}
	chain := fakeChain{last: b.commit}
	now := time.Now()
	for _, c := range commits {
		files, err := applyChanges(b.files(), fakeBase{commit: chain.last}.files(), folder, c.Changes)
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
