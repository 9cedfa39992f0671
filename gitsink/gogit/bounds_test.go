package gogit

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// deltaChain is a pack of n trees, each but the last a delta on the next one. The names are read from the end on, so it is
// in memory, uncompressed.
func deltaChain(n int) []byte {
	trees := make([][]byte, n)
	for i := range n {
		trees[i] = fmt.Appendf(nil, "100644 %08d\x00%020d", i, i)
	}
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&pack, binary.BigEndian, uint32(n))
	z, _ := zlib.NewWriterLevel(&pack, zlib.NoCompression)
	put := func(data []byte) {
		z.Reset(&pack)
		_, _ = z.Write(data)
		_ = z.Close()
	}
	for i := range n - 1 {
		base := plumbing.ComputeHash(plumbing.TreeObject, trees[i+1])
		delta := append([]byte{byte(len(trees[i+1])), byte(len(trees[i])), byte(len(trees[i]))}, trees[i]...)
		pack.Write(objectHeader(plumbing.REFDeltaObject, len(delta)))
		pack.Write(base[:])
		put(delta)
	}
	pack.Write(objectHeader(plumbing.TreeObject, len(trees[n-1])))
	put(trees[n-1])
	sum := sha1.Sum(pack.Bytes())
	return append(pack.Bytes(), sum[:]...)
}

func TestDeltasThatWaitForEachOtherAreAWorkListOfABoundedLength(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(2)) // the heap is little more than what is alive then, the test's own packs included
	limits := packLimits{1 << 30, 48 << 20}
	got, err := unpack(bytes.NewReader(deltaChain(maxDeltaChain+1)), limits, false)
	require.NoError(t, err)
	require.Len(t, got.trees, maxDeltaChain+1)
	sizes := map[int]string{maxDeltaChain + 2: "a chain of more than 4095 deltas", 100_000: "a chain of more than 4095 deltas", 180_000: "MaxHeldBytes"}
	if os.Getenv("KUBESCRIBE_SOAK") != "" {
		sizes[3_000_000] = "MaxHeldBytes" // 198 MB, which once overflowed the stack
	}
	for n, says := range sizes {
		pack := deltaChain(n)
		before, peak := liveHeap(), watchHeap(t)
		_, err := unpack(bytes.NewReader(pack), limits, false)
		took := int64(peak()) - int64(before)
		require.ErrorIs(t, err, gitsink.ErrTooLarge)
		require.ErrorContains(t, err, says)
		require.Less(t, took, int64(50e6), "%d deltas", n)
	}
}

// A server may leave out a tree that two siblings hold: neither is complete then.
func TestATreeThatTwoSiblingsMissClosesNeither(t *testing.T) {
	s := newStore()
	tree := func(data string) plumbing.Hash {
		o := newObject(plumbing.TreeObject, []byte(data))
		s.add(o.hash, data)
		return o.hash
	}
	folder := func(name string, hash plumbing.Hash) string { return "40000 " + name + "\x00" + string(hash[:]) }
	missing := plumbing.NewHash(strings.Repeat("1", 40))
	one, two := tree(folder("x", missing)), tree(folder("y", missing))
	whole := tree("")
	root := tree(folder("a", one) + folder("b", two) + folder("c", whole))
	found := map[plumbing.Hash]bool{}
	require.NoError(t, s.below(root, found))
	require.Equal(t, map[plumbing.Hash]bool{missing: true}, found)
	require.Equal(t, map[plumbing.Hash]bool{whole: true}, s.closed)
}

// paths of a store alone, as a plan would see them.
func viewOf(s *store, folder plumbing.Hash) *view {
	return &view{
		ctx: context.Background(), chain: newChain(s, plumbing.ZeroHash), folder: folder,
		remote: &remote{sink: &Sink{opts: (*Options)(nil).withDefaults()}},
	}
}

func TestAHundredThousandFoldersDeepIsAnErrorThatNamesThePath(t *testing.T) {
	s := newStore()
	hash := plumbing.ZeroHash
	data := "100644 x\x00" + strings.Repeat("1", 20)
	for range 100_000 {
		o := newObject(plumbing.TreeObject, []byte(data))
		s.add(o.hash, data)
		hash = o.hash
		data = "40000 d\x00" + string(hash[:])
	}
	require.NoError(t, s.below(hash, map[plumbing.Hash]bool{}))
	v := viewOf(s, hash)
	require.Empty(t, paths(v, ""))
	err := v.end()
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
	require.ErrorContains(t, err, `"d/d/d/`)
	require.Less(t, len(err.Error()), 1000)
}

func TestAnEntryWithoutANameIsRefusedInTheFolderAndKeptElsewhere(t *testing.T) {
	s := newStore()
	data := "100644 \x00" + strings.Repeat("1", 20) + "100644 x\x00" + strings.Repeat("2", 20)
	o := newObject(plumbing.TreeObject, []byte(data))
	s.add(o.hash, data)
	v := viewOf(s, o.hash)
	require.Empty(t, paths(v, ""))
	require.ErrorIs(t, v.end(), gitsink.ErrPath)
	e, err := newEditor(s, o.hash)
	require.NoError(t, err)
	require.NoError(t, e.apply("y", gitsink.Change{Data: []byte("1")}))
	_, objects := e.commit()
	require.Contains(t, string(objects[len(objects)-1].data), data)
}

func TestAPlanThatIgnoresTheEndOfItsContextIsLeftBehind(t *testing.T) {
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	s := New(&Options{RateLimit: unpaced, PlanTimeout: 50 * time.Millisecond})
	release, seen := make(chan struct{}), make(chan error, 1)
	began := time.Now()
	_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		<-release
		_, err := base.Read(context.Background(), "a")
		seen <- err
		return nil, nil
	})
	require.ErrorContains(t, err, "the plan took longer than 50ms")
	require.Less(t, time.Since(began), 30*time.Second)
	apply(t, s, target(repo.URL(), "main", ""), put("b", "1")) // the lane is free
	require.NoError(t, s.Close())
	close(release)
	require.Error(t, <-seen, "its tree is of no use any more")
}

func TestCloseAndTheEndOfAContextEndAWalk(t *testing.T) {
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	s := New(&Options{RateLimit: unpaced})
	walking, result := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Apply(context.WithoutCancel(t.Context()), target(repo.URL(), "main", ""), func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
			close(walking)
			for found := true; found; {
				found = false
				for range base.Paths("") {
					found = true
				}
			}
			return put("b", "1")(nil, nil)
		})
		result <- err
	}()
	<-walking
	require.NoError(t, s.Close())
	require.ErrorContains(t, <-result, "the sink is closed")
	require.NotContains(t, repo.Tree("main"), "b")
}

// FuzzUnpack reads whatever a server may send for a pack: an error or objects that are what their names say, within the limits.
func FuzzUnpack(f *testing.F) {
	pack, err := encodePack(blobs(0, 15, 100), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pack, true)
	f.Add(deltaChain(5), false)
	f.Fuzz(func(t *testing.T, pack []byte, keep bool) {
		got, err := unpack(io.MultiReader(bytes.NewReader(pack)), packLimits{1 << 20, 1 << 20}, keep)
		if err != nil {
			return
		}
		for kind, objects := range map[plumbing.ObjectType]map[plumbing.Hash]string{
			plumbing.CommitObject: got.commits, plumbing.TreeObject: got.trees, plumbing.BlobObject: got.blobs,
		} {
			for hash, data := range objects {
				require.Equal(t, hash, plumbing.ComputeHash(kind, []byte(data)))
			}
		}
	})
}

// FuzzTree edits whatever may be in a tree: what the change does not name stays, and the walk ends.
func FuzzTree(f *testing.F) {
	hash := strings.Repeat("1", 20)
	for _, tree := range []string{"", "100644 a\x00" + hash, "100644 a\x00" + hash + "40000 a\x00" + hash, "40000 ..\x00" + hash, "100644 \x00" + hash, "x", "0 \x00"} {
		f.Add(tree, "new")
	}
	f.Fuzz(func(t *testing.T, tree, name string) {
		s := newStore()
		o := newObject(plumbing.TreeObject, []byte(tree))
		s.add(o.hash, tree)
		_ = paths(viewOf(s, o.hash), "")
		var before []entry
		for e, err := range entries(tree) {
			if err != nil {
				return
			}
			if e.name != name {
				before = append(before, e)
			}
		}
		e, err := newEditor(s, o.hash)
		require.NoError(t, err)
		if destination.ValidatePath(name) != nil || strings.Contains(name, "/") || e.apply(name, gitsink.Change{Data: []byte("1")}) != nil {
			return
		}
		root, objects := e.commit()
		after := tree
		for _, o := range objects {
			if o.hash == root {
				after = string(o.data)
			}
		}
		var kept []entry
		for e, err := range entries(after) {
			if err == nil && e.name != name {
				kept = append(kept, e)
			}
		}
		require.Equal(t, before, kept)
	})
}

func TestABoundMayBeReached(t *testing.T) {
	w := &walker{left: int64(len("a/b")) + pathOverhead}
	require.True(t, w.take("a/b"))
	require.Zero(t, w.left)

	u := &unpacker{left: 3 * sparable}
	require.True(t, u.fits(2*sparable, 0), "with a copy of it that is not spared")
	require.False(t, u.fits(2*sparable+1, 0))
	require.True(t, u.fits(sparable, 2*sparable))
	require.False(t, u.fits(sparable, 3*sparable+1), "its base is in memory twice, too")
	require.False(t, u.fits(-1, 0))
}

func TestAnObjectThatIsNotWhatItSaysEndsTheFetch(t *testing.T) {
	for name, size := range map[string]byte{"longer": 1, "shorter": 100} {
		var pack bytes.Buffer
		pack.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x01")
		pack.Write([]byte{byte(plumbing.TreeObject)<<4 | 0x80 | size&0xf, size >> 4})
		z := zlib.NewWriter(&pack)
		_, _ = z.Write([]byte("100644 a\x00aaaaaaaaaaaaaaaaaaaa"))
		_ = z.Close()
		sum := sha1.Sum(pack.Bytes())
		pack.Write(sum[:])
		_, err := unpack(&pack, packLimits{receive: 1 << 20, hold: 1 << 20}, false)
		require.ErrorIs(t, err, gitsink.ErrProtocol, name)
	}
}
