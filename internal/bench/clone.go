package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	gogitlib "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

const message = "Update one file"

// clone makes a complete clone of the repository in the job's folder, with all files checked out.
// It is copied from the template, which takes less time and leaves the same behind.
func clone(ctx context.Context, job workerJob, template string, env []string) error {
	for _, args := range [][]string{
		{"clone", "--quiet", "--branch", branch, template, job.Dir},
		{"-C", job.Dir, "remote", "set-url", "origin", job.URL},
		{"-C", job.Dir, "config", "gc.auto", "0"},
		{"-C", job.Dir, "status", "--short"},
	} {
		if _, err := git(ctx, "", nil, env, args...); err != nil {
			return err
		}
	}
	return nil
}

// writeFile changes the file in the working tree.
func writeFile(dir string, c change) error {
	name := filepath.Join(dir, filepath.FromSlash(c.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, c.Content, 0o644)
}

// warmClone is the git command in a clone that stays between the rounds.
type warmClone struct{ dir string }

func newWarmClone(_ context.Context, job workerJob) (system, error) {
	return &warmClone{dir: job.Dir}, nil
}

func (w *warmClone) push(ctx context.Context, c change) error {
	if err := w.commit(ctx, c); err != nil {
		return err
	}
	return w.send(ctx)
}

func (w *warmClone) commit(ctx context.Context, c change) error {
	if err := writeFile(w.dir, c); err != nil {
		return err
	}
	return w.git(ctx, []string{"add", "--", c.Path}, []string{"commit", "--quiet", "--message", message})
}

func (w *warmClone) send(ctx context.Context) error {
	return w.git(ctx, []string{"push", "--quiet", "origin", branch})
}

// git runs commands, one after the other.
func (w *warmClone) git(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		if _, err := git(ctx, w.dir, nil, os.Environ(), args...); err != nil {
			return err
		}
	}
	return nil
}

func (w *warmClone) tidy() error { return nil }

// coldClone is the git command with a new clone in each round.
type coldClone struct {
	url  string
	work warmClone
}

func newColdClone(_ context.Context, job workerJob) (system, error) {
	return &coldClone{url: job.URL, work: warmClone{dir: job.Dir}}, nil
}

func (s *coldClone) push(ctx context.Context, c change) error {
	if _, err := git(ctx, "", nil, os.Environ(), "clone", "--quiet", "--depth=1", "--branch", branch, s.url, s.work.dir); err != nil {
		return err
	}
	return s.work.push(ctx, c)
}

func (s *coldClone) tidy() error { return os.RemoveAll(s.work.dir) }

// worktree is go-git's porcelain in a clone that stays open between the rounds.
type worktree struct {
	dir        string
	repository *gogitlib.Repository
	tree       *gogitlib.Worktree
}

func newWorktree(_ context.Context, job workerJob) (system, error) {
	repository, err := gogitlib.PlainOpen(job.Dir)
	if err != nil {
		return nil, err
	}
	tree, err := repository.Worktree()
	return &worktree{dir: job.Dir, repository: repository, tree: tree}, err
}

func (w *worktree) push(ctx context.Context, c change) error {
	if err := writeFile(w.dir, c); err != nil {
		return err
	}
	if _, err := w.tree.Add(c.Path); err != nil {
		return err
	}
	author := &object.Signature{Name: authorName, Email: authorEmail, When: time.Now()}
	if _, err := w.tree.Commit(message, &gogitlib.CommitOptions{Author: author}); err != nil {
		return err
	}
	return w.repository.PushContext(ctx, &gogitlib.PushOptions{RemoteName: "origin"})
}

func (w *worktree) tidy() error { return nil }
