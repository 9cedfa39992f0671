package gogit_test

import (
	"context"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

func Example() {
	sink := gogit.New(&gogit.Options{
		Auth: func(context.Context, destination.Destination) (gogit.Auth, error) {
			return gogit.Auth{Password: "an access token"}, nil
		},
		Committer: gitsink.Signature{Name: "Cluster", Email: "cluster@example.com"},
	})
	defer func() { _ = sink.Close() }()

	dst := destination.Destination{
		Ref:        destination.Ref{Namespace: "team-a", Name: "prod"},
		Repository: "https://git.example.com/team-a/config.git",
		Branch:     "main",
		BaseFolder: "clusters/prod",
	}
	result, err := sink.Apply(context.Background(), dst, func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		if _, exists := base.Entry("README.md"); exists {
			return nil, nil
		}
		return []gitsink.Commit{{
			Message: "Say what this is",
			Changes: []gitsink.Change{{Path: "README.md", Data: []byte("Written by a machine.\n")}},
		}}, nil
	})
	fmt.Println(result.Tip, err)
}
