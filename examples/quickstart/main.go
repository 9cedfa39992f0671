// Command quickstart shows the main job of kubescribe without a cluster: an API server in this
// process, a bare Git repository in a temporary folder, and two destinations on two branches of it.
// It needs Go and git, nothing else.
//
//	go run ./examples/quickstart [--repo DIR]
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	err := run(ctx, *repo, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run makes the repository, plays the story, and leaves nothing behind unless folder was given.
func run(ctx context.Context, folder string, out io.Writer) error {
	keep := folder != ""
	if !keep {
		temp, err := os.MkdirTemp("", "kubescribe-quickstart-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		folder = filepath.Join(temp, "repo.git")
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
	fmt.Fprint(out, next)
	if keep {
		fmt.Fprintf(out, "\nThe repository is %s; look at it with: git -C %s log --stat --all\n", folder, folder)
	} else {
		fmt.Fprintln(out, "\nThe repository was in a temporary folder and is gone. --repo DIR keeps it.")
	}
	return nil
}

// next says where to look next.
const next = `
Next: examples/quickstart/story.go embeds the Mirror in 80 lines, examples/quickstart/manifests has
its rules, and examples/mirror runs against a cluster: go -C examples/mirror run . --help
`
