package gitsinktest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// fakeDefaultBranch is where a missing branch starts.
const fakeDefaultBranch = "main"

// fakeWorld is the repositories that several [Fake] sinks share.
type fakeWorld struct {
	mu    sync.Mutex           // guards what can change here, in the sinks and in the repositories
	repos map[string]*FakeRepo // by canonical URL
	fail  func(op string, d destination.Destination) error
}

// failure asks outside the lock, so that the test may look at the repositories meanwhile.
func (w *fakeWorld) failure(op string, d destination.Destination) error {
	w.mu.Lock()
	fail := w.fail
	w.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(op, d)
}

func (w *fakeWorld) repo(url string) *FakeRepo {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repos[url] == nil {
		w.repos[url] = &FakeRepo{world: w, branches: map[string]*fakeCommit{}, commits: map[string]*fakeCommit{}}
	}
	return w.repos[url]
}

// FakeRepo is a repository of a [Fake]. It shows what was written, and makes commits by somebody
// else. Its methods may be called concurrently, and while a plan runs.
type FakeRepo struct {
	world *fakeWorld

	// Guarded by world.mu.
	branches map[string]*fakeCommit
	commits  map[string]*fakeCommit // those that a method has shown, by hash
}

// fakeCommit never changes, nor do its files.
type fakeCommit struct {
	info   gitservertest.CommitInfo
	parent *fakeCommit
	files  map[string]gitservertest.File
}

// Branches implements [Historian].
func (r *FakeRepo) Branches() []string {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	return slices.Sorted(maps.Keys(r.branches))
}

// Files implements [Observer].
func (r *FakeRepo) Files(branch string) map[string]gitservertest.File {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if tip := r.branches[branch]; tip != nil {
		return maps.Clone(tip.files)
	}
	return map[string]gitservertest.File{}
}

// Log implements [Historian].
func (r *FakeRepo) Log(branch string) []gitservertest.CommitInfo {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	var log []gitservertest.CommitInfo
	for c := r.branches[branch]; c != nil; c = c.parent {
		r.commits[c.info.Hash] = c
		info := c.info
		info.Parents = slices.Clone(info.Parents)
		log = append(log, info)
	}
	return log
}

// Show implements [Historian]. It knows the commits that Log or Commit has returned; others have no
// files.
func (r *FakeRepo) Show(commit string) map[string]gitservertest.File {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if c := r.commits[commit]; c != nil {
		return maps.Clone(c.files)
	}
	return map[string]gitservertest.File{}
}

// Commit implements [Observer], as [gitservertest.Repo.Commit] does.
func (r *FakeRepo) Commit(branch string, files map[string]gitservertest.File, message string) string {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	parent := r.branches[branch]
	tree := maps.Clone(fakeBase{commit: parent}.files())
	if tree == nil {
		tree = map[string]gitservertest.File{}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if files[path].Remove {
			clearPath(tree, path)
		}
	}
	for path, file := range files {
		if !file.Remove {
			clearPath(tree, path)
			for _, folder := range parents(path) {
				delete(tree, folder)
			}
			if file.Mode == gitservertest.ModeRegular {
				file.Mode = ""
			}
			tree[path] = file
		}
	}
	// as gitservertest's
	outsider := gitsink.Signature{Name: "Outsider", Email: "outsider@example.com"}
	c := newFakeCommit(parent, tree, gitsink.Commit{Message: message, Committer: outsider}, time.Now())
	r.branches[branch], r.commits[c.info.Hash] = c, c
	return c.info.Hash
}

// clearPath takes a file away, or a folder with all that is in it.
func clearPath(tree map[string]gitservertest.File, path string) {
	maps.DeleteFunc(tree, func(p string, _ gitservertest.File) bool { return p == path || below(p, path) })
}

// newFakeCommit fills in what a commit leaves open.
func newFakeCommit(parent *fakeCommit, files map[string]gitservertest.File, commit gitsink.Commit, now time.Time) *fakeCommit {
	committer, author := commit.Committer, commit.Author
	if committer.Name == "" && committer.Email == "" {
		committer.Name, committer.Email = "kubescribe", "kubescribe@localhost"
	}
	if author.Name == "" && author.Email == "" {
		author.Name, author.Email = committer.Name, committer.Email
	}
	if committer.When.IsZero() {
		committer.When = now
	}
	subject, body, _ := strings.Cut(strings.TrimSpace(commit.Message), "\n\n")
	c := &fakeCommit{parent: parent, files: files, info: gitservertest.CommitInfo{
		Author: author.Name, AuthorEmail: author.Email, Committer: committer.Name, CommitterEmail: committer.Email,
		Time: committer.When.UTC().Truncate(time.Second), Subject: strings.ReplaceAll(subject, "\n", " "), Body: body,
	}}
	if parent != nil {
		c.info.Parents = []string{parent.info.Hash}
	}
	c.info.Hash = hashOf(fmt.Sprintf("%s\n%+v", hashFolder(files, ""), c.info))
	return c
}

// hashFolder returns a hash of the files in a folder, with their paths and modes.
func hashFolder(files map[string]gitservertest.File, folder string) string {
	var listing strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if below(path, folder) {
			fmt.Fprintf(&listing, "%q %+v\n", path, files[path])
		}
	}
	return hashOf(listing.String())
}

// blobHash returns the hash by which Git names a file's content (gitformat-loose(5) has the
// header).
func blobHash(content string) string {
	return hashOf(fmt.Sprintf("blob %d\x00%s", len(content), content))
}

func hashOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
