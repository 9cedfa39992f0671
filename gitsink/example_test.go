package gitsink_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// printer is a GitSink that shows what it would commit.
type printer struct{ files fstest.MapFS }

func (p printer) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	base, err := gitsink.FolderTree(p.files)
	if err != nil {
		return gitsink.Result{}, err
	}
	commits, err := plan(ctx, base)
	for _, c := range commits {
		fmt.Printf("%s:%s %s\n", dst.Branch, dst.BaseFolder, c.Message)
		for _, change := range c.Changes {
			fmt.Printf("  %s remove=%t\n", change.Path, change.Remove)
		}
	}
	return gitsink.Result{Attempts: 1}, err
}

func (p printer) Close() error { return nil }

func ExampleGitSink() {
	var sink gitsink.GitSink = printer{fstest.MapFS{"old.yaml": {Data: []byte("a: 1\n")}}}
	dst := destination.Destination{Branch: "main", BaseFolder: "clusters/prod"}
	_, err := sink.Apply(context.Background(), dst, func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		var changes []gitsink.Change
		for path := range base.Paths("") {
			changes = append(changes, gitsink.Change{Path: path, Remove: true})
		}
		changes = append(changes, gitsink.Change{Path: "new.yaml", Data: []byte("a: 2\n")})
		return []gitsink.Commit{{Message: "Rename", Changes: changes}}, nil
	})
	fmt.Println(err)
	// Output:
	// main:clusters/prod Rename
	//   old.yaml remove=true
	//   new.yaml remove=false
	// <nil>
}
