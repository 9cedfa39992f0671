package gitsinktest_test

import (
	"context"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

// A test of what writes through a sink needs no Git: the Fake is a sink, and shows what was
// written.
func ExampleFake() {
	sink := gitsinktest.NewFake()
	repo := sink.Repo("https://git.example/team/app.git")
	repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "Hello\n"}}, "Somebody else's commit")

	dst := destination.Destination{
		Ref: destination.Ref{Name: "app"}, Repository: "https://git.example/team/app.git", Branch: "main", BaseFolder: "prod",
	}
	result, err := sink.Apply(context.Background(), dst, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		changes := []gitsink.Change{{Path: "web.yaml", Data: []byte("replicas: 2\n")}}
		return []gitsink.Commit{{Message: "Scale web", Changes: changes}}, nil
	})
	fmt.Println(err, len(result.Commits), result.Attempts)
	for path, file := range repo.Files("main") {
		if path != "README.md" {
			fmt.Printf("%s: %q\n", path, file.Content)
		}
	}
	for _, commit := range repo.Log("main") {
		fmt.Printf("%s: %s\n", commit.Author, commit.Subject)
	}
	// Output:
	// <nil> 1 1
	// prod/web.yaml: "replicas: 2\n"
	// kubescribe: Scale web
	// Outsider: Somebody else's commit
}
