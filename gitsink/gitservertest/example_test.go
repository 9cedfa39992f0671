package gitservertest_test

import (
	"context"
	"slices"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

// aTest is the test of what pushes to Git, here of a sink: it serves a repository, lets the sink
// push to it, and looks at the commit by means of git.
func aTest(t *testing.T) {
	repo := gitservertest.NewServer(t, nil).NewRepo("team/app.git")
	first := repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "Hello\n"}}, "Somebody else's commit")

	sink := gogit.New(nil)
	t.Cleanup(func() { _ = sink.Close() })
	app := destination.Destination{
		Ref: destination.Ref{Name: "app"}, Repository: repo.URL(), Branch: "main", BaseFolder: "prod",
	}
	result, err := sink.Apply(t.Context(), app, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		return []gitsink.Commit{{
			Message: "Scale web",
			Changes: []gitsink.Change{{Path: "web.yaml", Data: []byte("replicas: 2\n")}},
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}

	repo.Fsck()                // what was pushed is sound
	repo.Linear("main", first) // and builds on what was there
	newest := repo.Log("main")[0]
	if !slices.Equal(result.Commits, []string{newest.Hash}) || newest.Subject != "Scale web" {
		t.Errorf("the newest commit is %s %q, the sink says %s", newest.Hash, newest.Subject, result.Commits)
	}
	if content := repo.Tree("main")["prod/web.yaml"]; content != "replicas: 2\n" {
		t.Errorf("prod/web.yaml is %q", content)
	}
}

// A server lives in a test.
func Example() {
	_ = aTest
}
