package gogit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// Without a home, and whatever the server makes the sink fetch, no file is made: not in the
// working directory, nor in that for temporary files.
func TestNoFileIsMadeWhateverTheServerOffers(t *testing.T) {
	testsize.Sampled(t)
	dumb := []string{"shallow", "deepen-since", "deepen-not", "deepen-relative"}
	var servers []*gitservertest.Repo
	for _, opts := range []*gitservertest.ServerOptions{
		nil, {DenyAnySHA1InWant: true}, {DenyFilter: true, DenyAnySHA1InWant: true}, {DenyFilter: true, DenyAnySHA1InWant: true, HideCapabilities: dumb},
	} {
		repo := gitservertest.NewServer(t, opts).NewRepo("app")
		repo.Commit("main", noise(1, "base/a"), "outside")
		servers = append(servers, repo)
	}
	here, temporary := t.TempDir(), t.TempDir()
	t.Chdir(here)
	t.Setenv("TMPDIR", temporary)
	t.Setenv("HOME", "")
	require.NoError(t, os.Unsetenv("HOME"))
	for _, repo := range servers {
		s := newSink(t, nil)
		for _, folder := range []string{"base", ""} {
			apply(t, s, target(repo.URL(), "main", folder), func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
				read, err := tree.Read(ctx, "a", "base/a")
				require.NotEmpty(t, read)
				return []gitsink.Commit{{Changes: writes("b", fmt.Sprint(len(read)))}}, err
			})
		}
	}
	for _, dir := range []string{here, temporary} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// noise is a small file, and some of a mebibyte that cannot be compressed.
func noise(mebibytes int, small string) map[string]gitservertest.File {
	source := rand.NewChaCha8([32]byte{1})
	all := map[string]gitservertest.File{small: {Content: "1"}}
	for i := range mebibytes {
		data := make([]byte, 1<<20)
		_, _ = source.Read(data)
		all[fmt.Sprintf("big/%d", i)] = gitservertest.File{Content: string(data)}
	}
	return all
}
