package gitsinktest

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Observer reads what sinks wrote to a store, and commits to it as somebody else would. It must not
// use the code under test. Paths are relative to the root of the branch, not to a base folder.
// Methods may be called concurrently, and while a plan runs. A [gitservertest.Repo] and a
// [FakeRepo] are observers.
type Observer interface {
	// Files returns all files of the branch as they are now; none if there is no such branch. It
	// leaves the Mode of an ordinary file empty.
	Files(branch string) map[string]gitservertest.File

	// Commit changes files of the branch, and makes the branch if there is none. It returns the
	// hash of the commit, or "" if the store has no commits.
	Commit(branch string, files map[string]gitservertest.File, message string) string
}

// Historian is an Observer of a store that keeps every commit, as Git does.
type Historian interface {
	Observer

	// Branches returns the short names of all branches in byte order.
	Branches() []string

	// Log returns the commits of one of the Branches, the newest first.
	Log(branch string) []gitservertest.CommitInfo

	// Show returns all files of a commit.
	Show(commit string) map[string]gitservertest.File
}

var (
	_ Historian = (*gitservertest.Repo)(nil)
	_ Historian = (*FakeRepo)(nil)
)

// RepoStore makes a [Store] of a repository. Sinks reach it by this URL, which is one of the
// repository's. At the end of the test the repository must pass [gitservertest.Repo.Fsck].
func RepoStore(t testing.TB, r *gitservertest.Repo, url string) Store {
	t.Helper()
	t.Cleanup(r.Fsck)
	return Store{Repository: url, Observer: r, Refuse: func(words string) { refuse(r, words) }}
}

// refuse has a hook decline every push with these words; empty words end that.
func refuse(r *gitservertest.Repo, words string) {
	if words == "" {
		r.OnPreReceive(nil)
		return
	}
	r.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New(words) })
}

// parents yields the folders that a path leads through, outermost first.
func parents(path string) []string {
	var folders []string
	for i := range len(path) {
		if path[i] == '/' {
			folders = append(folders, path[:i])
		}
	}
	return folders
}

// below reports whether a path lies in a folder; "" is the root.
func below(path, folder string) bool { return folder == "" || strings.HasPrefix(path, folder+"/") }

func join(folder, path string) string {
	if folder == "" {
		return path
	}
	return folder + "/" + path
}
