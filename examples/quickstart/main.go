// Command quickstart shows the main job of kubescribe without a cluster: an API server in this
// process, a bare Git repository in a temporary folder, and two destinations on two branches of it.
// It needs Go and git, nothing else.
//
//	go run ./examples/quickstart [--keep | --repo DIR]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	repo := flag.String("repo", "", "write to a bare repository in this `folder` and keep it")
	keep := flag.Bool("keep", false, "keep the temporary repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	err := run(ctx, *repo, *keep, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run makes the repository, plays the story, and leaves nothing behind unless keep says so or
// folder was given.
func run(ctx context.Context, folder string, keep bool, out io.Writer) error {
	if folder == "" {
		temp, err := os.MkdirTemp("", "kubescribe-quickstart-")
		if err != nil {
			return err
		}
		if !keep {
			defer os.RemoveAll(temp)
		}
		folder = filepath.Join(temp, "repo.git")
	} else {
		keep = true
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	repo := repository{dir: folder, out: out}
	if err := repo.init(ctx); err != nil {
		return err
	}
	if err := play(ctx, repo, out); err != nil {
		return err
	}
	if keep {
		fmt.Fprintf(out, "\nThe repository stays: %s; look at it with: git -C %s log -p --all\n", folder, folder)
	} else {
		fmt.Fprintln(out, "\nThe repository is gone again; --keep keeps it.")
	}
	fmt.Fprintln(out, next)
	return nil
}

// next says where to read on.
const next = `
Where to look next:
  examples/quickstart/manifests   the rules of this story
  examples/mirror                 the same for your cluster; --dry-run shows what it would write
  README.md                       what it needs, and the library in thirty lines
  docs/rules.md                   which objects a rule selects`
