package object

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"io"
	"maps"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestDeltasThatWaitForEachOtherAreAWorkListOfABoundedLength(t *testing.T) {
	testsize.Sampled(t)
	// The heap is little more than what is alive then, the test's own packs included.
	defer debug.SetGCPercent(debug.SetGCPercent(2))
	limits := Limits{1 << 30, 48 << 20}
	got, err := Unpack(SHA1, bytes.NewReader(gogittest.DeltaChain(maxDeltaChain+1)), limits, false)
	require.NoError(t, err)
	require.Equal(t, maxDeltaChain+1, got.Trees.Len())
	sizes := map[int]string{maxDeltaChain + 2: "a chain of more than 4095 deltas", 100_000: "a chain of more than 4095 deltas", 180_000: "MaxHeldBytes"}
	if testsize.Soak() {
		sizes[3_000_000] = "MaxHeldBytes" // 198 MB, which once overflowed the stack
	}
	for n, says := range sizes {
		pack := gogittest.DeltaChain(n)
		before, peak := heap.Live(), heap.Watch()
		_, err := Unpack(SHA1, bytes.NewReader(pack), limits, false)
		took := peak() - before
		require.ErrorIs(t, err, gitsink.ErrTooLarge)
		require.ErrorContains(t, err, says)
		require.Less(t, took, int64(50e6), "%d deltas", n)
	}
}

// A server may leave out a tree that two siblings hold: neither is complete then.
func TestATreeThatTwoSiblingsMissClosesNeither(t *testing.T) {
	s := NewStore()
	tree := func(data string) ID {
		o := New(SHA1, plumbing.TreeObject, []byte(data))
		s.Add(o.Hash, data)
		return o.Hash
	}
	folder := func(name string, hash ID) string { return "40000 " + name + "\x00" + hash.raw() }
	missing := hexID(strings.Repeat("1", 40))
	one, two := tree(folder("x", missing)), tree(folder("y", missing))
	whole := tree("")
	root := tree(folder("a", one) + folder("b", two) + folder("c", whole))
	found := map[ID]bool{}
	require.NoError(t, s.below(root, found))
	require.Equal(t, map[ID]bool{missing: true}, found)
	require.Equal(t, map[ID]bool{whole: true}, maps.Collect(s.closed.All()))
}

func TestWhatIsMissingIsFoundAtAnyDepth(t *testing.T) {
	s := NewStore()
	hash := ID{}
	data := "100644 x\x00" + strings.Repeat("1", 20)
	for range 100_000 {
		o := New(SHA1, plumbing.TreeObject, []byte(data))
		s.Add(o.Hash, data)
		hash = o.Hash
		data = "40000 d\x00" + hash.raw()
	}
	missing := map[ID]bool{}
	require.NoError(t, s.below(hash, missing))
	require.Empty(t, missing)
}

// FuzzUnpack reads whatever a server may send for a pack: an error or objects that are what their
// names say, within the limits.
func FuzzUnpack(f *testing.F) {
	pack := EncodePack(SHA1, blobs(0, 15, 100), nil).Bytes()
	f.Add(pack, true)
	f.Add(gogittest.DeltaChain(5), false)
	f.Fuzz(func(t *testing.T, pack []byte, keep bool) {
		got, err := Unpack(SHA1, io.MultiReader(bytes.NewReader(pack)), Limits{1 << 20, 1 << 20}, keep)
		if err != nil {
			return
		}
		for kind, objects := range map[plumbing.ObjectType]Map[string]{
			plumbing.CommitObject: got.Commits, plumbing.TreeObject: got.Trees, plumbing.BlobObject: got.Blobs,
		} {
			for hash, data := range objects.All() {
				require.Equal(t, hash, SHA1.Name(kind, []byte(data)))
			}
		}
	})
}

func TestABoundOfAPackMayBeReached(t *testing.T) {
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
		_, err := Unpack(SHA1, &pack, Limits{Receive: 1 << 20, Hold: 1 << 20}, false)
		require.ErrorIs(t, err, gitsink.ErrProtocol, name)
	}
}
