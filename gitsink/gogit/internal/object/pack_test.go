package object

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"
)

// blobs are objects of the given sizes that compress to about half.
func blobs(sizes ...int) []Object {
	objects := make([]Object, len(sizes))
	for i, size := range sizes {
		var data bytes.Buffer
		for n := 0; data.Len() < size; n++ {
			fmt.Fprintf(&data, "%x\n", sha256.Sum256(fmt.Append(nil, i, n)))
		}
		data.Truncate(size)
		objects[i] = New(SHA1, plumbing.BlobObject, data.Bytes())
	}
	return objects
}

func TestGitReadsPacksOfObjectsOfAnySize(t *testing.T) {
	objects := blobs(0, 1, 15, 16, 17, 2047, 2048, 2049, 1<<18, 1<<18+1, 3<<20)
	pack := EncodePack(SHA1, append(objects, objects...), nil).Bytes() // each twice

	dir := t.TempDir()
	git := func(stdin []byte, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(stdin), t.Output()
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	git(nil, "init", "--quiet", "--bare")
	git(pack, "index-pack", "--strict", "--stdin")
	for _, o := range objects {
		require.Equal(t, string(o.Data), git(nil, "cat-file", "blob", o.Hash.String()))
	}
	require.Contains(t, git(nil, "count-objects", "-v"), fmt.Sprintf("in-pack: %d\n", len(objects)))

	got, err := Unpack(SHA1, bytes.NewReader(pack), Limits{1 << 30, 1 << 30}, true)
	require.NoError(t, err)
	require.Equal(t, len(objects), got.Blobs.Len())
}

func TestAHundredLanesThatPushAtOnceShareAFewCompressors(t *testing.T) {
	objects := blobs(1000)
	want := EncodePack(SHA1, objects, nil).Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var lanes sync.WaitGroup
	for range 100 {
		lanes.Go(func() {
			if got := EncodePack(SHA1, objects, nil).Bytes(); !bytes.Equal(want, got) {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
	lanes.Wait()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10<<20), "bytes allocated; a compressor for each takes 80 MB")
}
