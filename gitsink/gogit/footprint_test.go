package gogit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Without a home, and whatever the server makes the sink fetch, no file is made: not in the working directory, nor in that
// for temporary files.
func TestNoFileIsMadeWhateverTheServerOffers(t *testing.T) {
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

// Where the server knows neither filter nor shallow, it sends all files of all commits. None of them is ever held: all
// memory that is taken while such a pack is read, garbage and all, is a small part of it.
func TestAHistoryOfLargeFilesIsReadInLittleMemory(t *testing.T) {
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	var tip string
	for i := range 3 {
		content := noise(2, "base/a")
		for name, file := range content {
			if name != "base/a" { // so that there are deltas of files, too
				content[name] = gitservertest.File{Content: fmt.Sprint(i) + file.Content + fmt.Sprint(i)}
			}
		}
		content["base/a"] = gitservertest.File{Content: fmt.Sprint(i)}
		tip = repo.Commit("main", content, "outside")
	}
	for name, args := range map[string][]string{
		"deltas by offset": {"--delta-base-offset"}, "deltas by hash": nil, "no deltas": {"--window=0"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "git", append([]string{"pack-objects", "--revs", "--stdout", "-q"}, args...)...)
			cmd.Dir, cmd.Stdin = repo.Dir(), bytes.NewReader([]byte(tip+"\n"))
			pack, err := cmd.Output()
			require.NoError(t, err)
			require.Greater(t, len(pack), 2<<20)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			got, err := unpack(io.MultiReader(bytes.NewReader(pack)), packLimits{1 << 30, 1 << 30}, false)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Len(t, got.commits, 3)
			require.Len(t, got.trees, 9)
			require.Empty(t, got.blobs)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "of a pack of %d bytes", len(pack))
		})
	}
}
