package gogit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestWhatLiesAboveTheFolderIsReadOnceAndOnlyWhereItIs(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("README", "x", "clusters/eu/x", "1", "clusters/us/x", "1"), "outsider")
	s := newSink(t, nil)
	d := target(repo.URL(), "main", "clusters/eu/ns")
	requests := func(want map[string][]byte) (n int) {
		apply(t, s, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
			server.ResetCounts()
			found, err := base.(gitsink.AncestorTree).ReadAbove(ctx, ".gitattributes")
			require.Equal(t, want, found)
			n = server.Count(gitservertest.UploadPack, gitservertest.RPC).Requests
			return nil, err
		})
		return n
	}
	require.Zero(t, requests(map[string][]byte{}), "there is no such file")

	repo.Commit("main", files(".gitattributes", "root", "clusters/eu/.gitattributes", "eu", "clusters/us/.gitattributes", "us"), "outsider")
	want := map[string][]byte{"": []byte("root"), "clusters/eu": []byte("eu")}
	require.Equal(t, 1, requests(want), "all of them together")
	require.Zero(t, requests(want), "they are kept")
}
