package object

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

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

// Where the server knows neither filter nor shallow, it sends all files of all commits. None of
// them is ever held: all memory that is taken while such a pack is read, garbage and all, is a
// small part of it.
func TestAHistoryOfLargeFilesIsReadInLittleMemory(t *testing.T) {
	testsize.Sampled(t)
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
			got, err := Unpack(SHA1, io.MultiReader(bytes.NewReader(pack)), Limits{1 << 30, 1 << 30}, false)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Equal(t, 3, got.Commits.Len())
			require.Equal(t, 9, got.Trees.Len())
			require.Zero(t, got.Blobs.Len())
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "of a pack of %d bytes", len(pack))
		})
	}
}
