package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var branches = []string{"main", "dev"}

// repository is a bare repository, read with the git command.
type repository struct {
	dir string
	out io.Writer
}

func (r repository) init(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.dir, "HEAD")); err == nil {
		return nil // from an earlier run
	}
	if err := r.git(ctx, nil, nil, "init", "--quiet", "--bare", "--initial-branch=main", r.dir); err != nil {
		return err
	}
	if err := r.git(ctx, strings.NewReader(firstCommit), nil, "--git-dir", r.dir, "fast-import", "--quiet"); err != nil {
		return err
	}
	return r.git(ctx, nil, nil, "--git-dir", r.dir, "branch", "dev", "main")
}

// firstCommit makes a repository in which somebody has written a README. The Mirror leaves it
// alone.
const firstCommit = `commit refs/heads/main
committer Somebody <somebody@example.com> 1700000000 +0000
data 5
Start
M 100644 inline README.md
data 23
# Not written by a tool

`

// show prints the files and the history of both branches.
func (r repository) show(ctx context.Context) error {
	for _, branch := range branches {
		fmt.Fprintf(r.out, "\n  branch %s\n", branch)
		if err := r.git(ctx, nil, indent{r.out, "    "}, "--git-dir", r.dir, "ls-tree", "-r", "--name-only", branch); err != nil {
			return err
		}
		if err := r.git(ctx, nil, indent{r.out, "      "}, "--git-dir", r.dir, "log", "--format=%h %s", branch); err != nil {
			return err
		}
	}
	return nil
}

// owner prints the file by which a folder belongs to a destination.
func (r repository) owner(ctx context.Context) error {
	fmt.Fprintln(r.out, "\n  .kubescribe says who owns a folder, so that nobody else writes there. That of clusters/prod:")
	return r.git(ctx, nil, indent{r.out, "    "}, "--git-dir", r.dir, "show", "main:clusters/prod/.kubescribe")
}

// changed prints the message of the newest commit of main, and what has become of a file since
// another one.
func (r repository) changed(ctx context.Context, since, path string) error {
	fmt.Fprintln(r.out, "\n  The message of the newest commit of main:")
	if err := r.git(ctx, nil, indent{r.out, "    "}, "--git-dir", r.dir, "log", "-1", "--format=%B", "main"); err != nil {
		return err
	}
	fmt.Fprintln(r.out, "  What has changed in "+path+":")
	return r.git(ctx, nil, indent{r.out, "    "}, "--git-dir", r.dir, "diff", since, "main", "--", path)
}

// tips returns the commits that the branches are at.
func (r repository) tips(ctx context.Context) ([]string, error) {
	var out bytes.Buffer
	err := r.git(ctx, nil, &out, append([]string{"--git-dir", r.dir, "rev-parse"}, branches...)...)
	return strings.Fields(out.String()), err
}

// moved waits until every branch has moved on from before.
func (r repository) moved(ctx context.Context, before []string) error {
	for {
		now, err := r.tips(ctx)
		if err != nil {
			return err
		}
		if now[0] != before[0] && now[1] != before[1] {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r repository) git(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %v: %w", args, err)
	}
	return nil
}

// indent writes lines with a prefix. git writes whole lines.
type indent struct {
	out    io.Writer
	prefix string
}

func (w indent) Write(p []byte) (int, error) {
	start := true
	for _, b := range p {
		if start {
			if _, err := io.WriteString(w.out, w.prefix); err != nil {
				return 0, err
			}
		}
		if _, err := w.out.Write([]byte{b}); err != nil {
			return 0, err
		}
		start = b == '\n'
	}
	return len(p), nil
}
