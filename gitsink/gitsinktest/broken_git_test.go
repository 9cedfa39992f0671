package gitsinktest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// script is a sink as a script would be: clone, write, add, commit, push, and from the start if the
// push fails.
type script struct {
	t    testing.TB
	env  []string
	push []string // options
}

func (s script) Close() error { return nil }

func (s script) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (r gitsink.Result, err error) {
	for r.Attempts < 5 {
		clone := s.t.TempDir()
		git := func(args ...string) error {
			cmd := exec.CommandContext(ctx, "git", args...)
			cmd.Dir, cmd.Env = clone, s.env
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("git %v: %w: %s", args, err, out)
			}
			return nil
		}
		if err := git("clone", "--quiet", "--branch="+d.Branch, d.Repository, "."); err != nil {
			return r, err
		}
		base, err := gitsink.FolderTree(os.DirFS(filepath.Join(clone, d.BaseFolder)))
		if err != nil {
			return r, err
		}
		r.Attempts++
		commits, err := plan(ctx, base)
		if err != nil {
			return r, err
		}
		for _, c := range commits {
			for _, change := range c.Changes {
				if err := os.WriteFile(filepath.Join(clone, d.BaseFolder, change.Path), change.Data, 0o600); err != nil {
					return r, err
				}
			}
			if err := git("add", "."); err != nil {
				return r, err
			}
			if err := git("commit", "--quiet", "--message="+c.Message); err != nil {
				return r, err
			}
		}
		if err := git(append(append([]string{"push", "--quiet"}, s.push...), "origin", d.Branch)...); err == nil {
			return r, nil
		}
	}
	return r, gitsink.ErrConflict
}

func TestARealPushByForceIsSeenByGit(t *testing.T) {
	testsize.Sampled(t)
	for _, c := range movedChecks {
		if c.name != "a commit elsewhere that lands while the plan runs is built upon" {
			continue
		}
		against := func(push ...string) error {
			var server *gitservertest.Server
			return c.against(t, Harness{
				Store: func(t testing.TB) Store {
					server = gitservertest.NewServer(t, nil)
					repo := server.NewRepo("app.git")
					return RepoStore(t, repo, repo.FileURL())
				},
				New: func(t testing.TB, _ Store) gitsink.GitSink { return script{t, server.Env(), push} },
			}, patience)
		}
		require.ErrorContains(t, against("--force"), `"base2/b" is not there`)
		require.NoError(t, against())
		return
	}
	t.Fatal("the check is gone")
}
