package object

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// packed is an object as it stands in a pack.
type packed struct {
	kind plumbing.ObjectType
	data string
	base string // of a delta: the bytes of its hash, or of its distance
}

// packOf writes these as they are.
func packOf(objects ...packed) []byte {
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&pack, binary.BigEndian, uint32(len(objects)))
	for _, o := range objects {
		pack.Write(objectHeader(o.kind, len(o.data)))
		pack.WriteString(o.base)
		z := zlib.NewWriter(&pack)
		_, _ = z.Write([]byte(o.data))
		_ = z.Close()
	}
	sum := sha1.Sum(pack.Bytes())
	return append(pack.Bytes(), sum[:]...)
}

func refDelta(base ID, delta string) packed {
	return packed{plumbing.REFDeltaObject, delta, base.raw()}
}

// insertDelta makes a short text of a base of so many bytes.
func insertDelta(base int, text string) string {
	d := &deltaWriter{tree: text}
	d.size(base)
	d.size(len(text))
	d.insert(0, len(text))
	d.flush()
	return string(d.out)
}

func blobHash(s string) ID { return SHA1.Name(plumbing.BlobObject, []byte(s)) }

// unpackerOf reads these objects, with so much room.
func unpackerOf(pack []byte, hold, inflating int64) *unpacker {
	return &unpacker{
		pack: newPackReader(SHA1, bytes.NewReader(pack)), keepBlobs: true, limits: Limits{77, hold}, left: hold, inflating: inflating,
		byOffset: map[int64]*kept{},
	}
}

func TestAPackIsReadInAnyOrderOfItsDeltas(t *testing.T) {
	t.Parallel()
	const base, one, two = "some base", "the first", "and second"
	blob := packed{plumbing.BlobObject, base, ""}
	toOne := refDelta(blobHash(base), insertDelta(len(base), one))
	toTwo := refDelta(blobHash(one), insertDelta(len(one), two))
	all := map[ID]string{blobHash(base): base, blobHash(one): one, blobHash(two): two}
	offset := len(packOf(blob)) - packHeader - 20
	byOffset := packed{plumbing.OFSDeltaObject, insertDelta(len(base), one), string([]byte{byte(offset)})}
	tag := packed{plumbing.TagObject, "object " + someHash + "\n", ""}
	for name, objects := range map[string][]packed{
		"bases first": {blob, toOne, toTwo}, "deltas first": {toTwo, toOne, blob}, "in the middle": {toTwo, blob, toOne},
		"by offset": {blob, byOffset, toTwo}, "with a tag": {tag, toTwo, tag, blob, toOne},
		"the base twice": {toTwo, toOne, blob, blob}, "behind one by offset": {toTwo, blob, byOffset},
	} {
		got, err := Unpack(SHA1, bytes.NewReader(packOf(objects...)), Limits{1 << 20, 1 << 20}, true)
		require.NoError(t, err, name)
		require.Equal(t, all, maps.Collect(got.Blobs.All()), name)
		require.Zero(t, got.Trees.Len())
		require.Zero(t, got.Commits.Len())

		got, err = Unpack(SHA1, bytes.NewReader(packOf(objects...)), Limits{1 << 20, 3 * (keptOverhead + 20)}, false)
		require.NoError(t, err, name)
		require.Zero(t, got.Blobs.Len(), "not wanted")

		hold := int64(1 << 20)
		u := unpackerOf(packOf(objects...), hold, 1<<20)
		require.NoError(t, u.run(), name)
		require.Zero(t, u.waiting.Len(), name)
		objectsKept := len(all) + strings.Count(name, "twice")
		bytesKept := len(base) + len(one) + len(two) + strings.Count(name, "twice")*len(base)
		require.Equal(t, hold-int64(bytesKept+objectsKept*keptOverhead), u.left, "%s: deltas count no more", name)
		last, _ := u.byHash.Get(blobHash(two))
		require.EqualValues(t, 2, last.chain, name)
	}
	bomb := strings.Repeat("x", 5000)
	byOffset.base = string([]byte{byte(len(packOf(packed{plumbing.BlobObject, bomb, ""})) - packHeader - 20)})
	_, err := Unpack(SHA1, bytes.NewReader(packOf(packed{plumbing.BlobObject, bomb, ""}, byOffset)), Limits{1 << 20, 1}, false)
	require.NoError(t, err, "blobs that are not wanted take no memory, and nor does what is made of them")
}

func TestAPackThatCannotBeIsMalformed(t *testing.T) {
	t.Parallel()
	tree := packed{plumbing.TreeObject, "xxxx", ""}
	behind := func(distance int) packed {
		return packed{plumbing.OFSDeltaObject, insertDelta(4, "x"), string([]byte{byte(distance)})}
	}
	// The distance of the second object to the first.
	first := len(packOf(tree)) - packHeader - sha1.Size
	version := func(n byte) []byte {
		sum := sha1.Sum([]byte("PACK\x00\x00\x00" + string(n) + "\x00\x00\x00\x00"))
		return append([]byte("PACK\x00\x00\x00"+string(n)+"\x00\x00\x00\x00"), sum[:]...)
	}
	for name, c := range map[string]struct {
		pack []byte
		ok   bool
	}{
		"no object":                    {version(2), true},
		"no object of another version": {version(3), false},
		"a delta of the first object":  {packOf(tree, behind(first)), true},
		"a delta of the header's end":  {packOf(tree, behind(first+1)), false},
		"a delta of the header":        {packOf(tree, behind(first+packHeader)), false},
		"a delta of what is before it": {packOf(tree, behind(first+packHeader+1)), false},
		"a delta of itself":            {packOf(tree, behind(0)), false},
	} {
		_, err := Unpack(SHA1, bytes.NewReader(c.pack), Limits{1 << 20, 1 << 20}, true)
		if c.ok {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, gitsink.ErrProtocol, name)
			require.ErrorContains(t, err, "malformed pack", name)
		}
	}
}

func TestWhatAPackMayHoldHasItsBounds(t *testing.T) {
	t.Parallel()
	tree := func(size int) packed { return packed{plumbing.TreeObject, strings.Repeat("x", size), ""} }
	delta := insertDelta(5000, strings.Repeat("x", 100)) // which waits
	claims := func(size uint64) string { return string(binary.AppendUvarint([]byte{4}, size)) }
	lost := refDelta(hexID(someHash), delta)
	room := int64(len(delta)) + keptOverhead
	grown := tree(4)
	grownHash := hashOfTree("xxxx")
	large := tree(5000)
	toSmall := refDelta(hashOfTree(large.data), insertDelta(5000, "small"))
	deep := packed{plumbing.TreeObject, "", ""}
	broken := packOf(tree(1000))
	broken[packHeader+4] ^= 0xff
	const held, inflated, notUnderstood = "raise MaxHeldBytes", "what comes out of the pack is more than 64 times", "malformed"
	for name, test := range map[string]struct {
		pack   []byte
		limits Limits
		says   string // "": nothing
	}{
		"all that may come out":           {packOf(packed{plumbing.BlobObject, strings.Repeat("x", 64*200), ""}), Limits{200, 1 << 20}, ""},
		"one byte more":                   {packOf(packed{plumbing.BlobObject, strings.Repeat("x", 64*200+1), ""}), Limits{200, 1 << 20}, inflated + " 200 bytes"},
		"more in two":                     {packOf(packed{plumbing.BlobObject, strings.Repeat("x", 64*200), ""}, tree(1)), Limits{200, 1 << 20}, inflated},
		"no bound on what comes":          {packOf(tree(3)), Limits{1 << 62, 1 << 20}, ""},
		"all that may come":               {packOf(tree(3)), Limits{int64(len(packOf(tree(3)))), 1 << 20}, ""},
		"one byte less":                   {packOf(tree(3)), Limits{int64(len(packOf(tree(3)))) - 1, 1 << 20}, ErrTooMuch.Error()},
		"all that may be held":            {packOf(tree(100)), Limits{1 << 20, 100 + keptOverhead}, ""},
		"one byte of memory less":         {packOf(tree(100)), Limits{1 << 20, 99 + keptOverhead}, held},
		"an object larger than all":       {packOf(tree(1000)), Limits{1 << 20, 999}, "more than 999 bytes of memory: " + held},
		"which is not even read":          {broken, Limits{1 << 20, 999}, held},
		"an empty object":                 {packOf(deep), Limits{1 << 20, keptOverhead}, ""},
		"a delta that waits":              {packOf(lost), Limits{1 << 20, room}, ""},
		"and takes more":                  {packOf(lost), Limits{1 << 20, room - 1}, held},
		"a delta that makes too much":     {packOf(grown, refDelta(grownHash, claims(1<<40))), Limits{1 << 20, 1 << 20}, held},
		"a delta that makes all there is": {packOf(grown, refDelta(grownHash, claims(1<<63))), Limits{1 << 20, 1 << 20}, held},
		"which has waited":                {packOf(refDelta(grownHash, claims(1<<40)), grown), Limits{1 << 20, 1 << 20}, held},
		"a small one of a large one":      {packOf(large, toSmall), Limits{1 << 20, 5000 + 5 + 2*keptOverhead}, ""},
		"and one byte less":               {packOf(large, toSmall), Limits{1 << 20, 5000 + 4 + 2*keptOverhead}, held},
		"a delta of nothing":              {packOf(grown, refDelta(grownHash, "")), Limits{1 << 20, 1 << 20}, "delta"},
		"a delta without an end":          {packOf(grown, refDelta(grownHash, strings.Repeat("\xff", 30))), Limits{1 << 20, 1 << 20}, ""},
		"a delta of another base":         {packOf(grown, refDelta(grownHash, insertDelta(5, "x"))), Limits{1 << 20, 1 << 20}, "delta"},
		"which waits, too":                {packOf(refDelta(grownHash, insertDelta(5, "x")), grown), Limits{1 << 20, 1 << 20}, "delta"},
	} {
		_, err := Unpack(SHA1, iotest.OneByteReader(bytes.NewReader(test.pack)), test.limits, true)
		switch {
		case name == "a delta without an end":
			require.Error(t, err)
		case test.says == "":
			require.NoError(t, err, name)
		default:
			require.ErrorContains(t, err, "reading a pack: ", name)
			require.ErrorContains(t, err, test.says, name)
			require.NotContains(t, err.Error(), notUnderstood)
			require.Equal(t, test.says != "delta", errors.Is(err, ErrTooMuch), name)
		}
	}
	u := unpackerOf(nil, 1000, 1000)
	err := u.next(packedHeader{kind: plumbing.TreeObject, length: -1})
	require.EqualError(t, err, "what comes out of the pack is more than 64 times 77 bytes")
	good := packOf(tree(3), packed{plumbing.TagObject, "x", ""}, refDelta(hashOfTree("xxx"), insertDelta(3, "y")))
	for n := range good {
		_, err := Unpack(SHA1, bytes.NewReader(good[:n]), Limits{1 << 20, 1 << 20}, true)
		require.ErrorIs(t, err, gitsink.ErrProtocol, "%d bytes", n)
		u := unpackerOf(good[:n], 1<<20, 1<<20)
		require.Error(t, u.run(), "%d bytes", n)
	}
}

func TestAnObjectIsKeptAsWhatItIs(t *testing.T) {
	t.Parallel()
	u := unpackerOf(nil, 1000, 1000)
	o, err := u.object(plumbing.TreeObject, 3, []byte("data"))
	require.NoError(t, err)
	require.Equal(t, &kept{kind: plumbing.TreeObject, chain: 3, hash: hashOfTree("data"), data: "data"}, o)
	require.Equal(t, int64(1000-4-keptOverhead), u.left)

	delta := []byte(insertDelta(4, "made"))
	for chain, says := range map[int32]string{maxDeltaChain - 1: "", maxDeltaChain: "a chain of more than 4095 deltas", maxDeltaChain + 1: "a chain of more"} {
		u := unpackerOf(nil, 1000, 1000)
		got, err := u.patch(&kept{kind: plumbing.TreeObject, chain: chain, data: "data"}, delta)
		if says == "" {
			require.NoError(t, err)
			require.Equal(t, &kept{kind: plumbing.TreeObject, chain: chain + 1, hash: hashOfTree("made"), data: "made"}, got)
			continue
		}
		require.ErrorContains(t, err, says)
		require.ErrorIs(t, err, gitsink.ErrTooLarge)
	}
	for _, test := range []struct {
		size, base, left int64
		fits             bool
	}{
		{0, 0, 0, true}, {10, 0, 10, true}, {11, 0, 10, false}, {-1, 0, 10, false}, {sparable, 0, sparable, true},
		{sparable + 1, 0, sparable + 1, false}, {10, sparable, 10, true}, {10, 2*sparable - 10, 10, true}, {10, 2*sparable - 9, 10, false},
	} {
		u := &unpacker{left: test.left}
		require.Equal(t, test.fits, u.fits(test.size, test.base), "%+v", test)
	}
}

// What one large object has needed is not kept for the small ones, nor is what these need given up.
func TestBuffersAreKeptUpToASize(t *testing.T) {
	t.Parallel()
	large := packed{plumbing.BlobObject, strings.Repeat("x", sparable+1), ""}
	small := packed{plumbing.BlobObject, "small", ""}
	u := unpackerOf(packOf(large, small), 10<<20, 10<<20)
	require.NoError(t, u.run())
	require.LessOrEqual(t, u.content.Cap(), 1<<10)
	for _, size := range []int{sparable / 2, sparable, sparable + 1} {
		u := unpackerOf(packOf(small, refDelta(blobHash("small"), insertDelta(5, "made"))), 10<<20, 10<<20)
		u.content = *bytes.NewBuffer(make([]byte, 0, size))
		u.base = make([]byte, 0, size)
		require.NoError(t, u.run())
		require.Equal(t, size <= sparable, u.content.Cap() == size, "%d bytes", size)
		require.Equal(t, size <= sparable, cap(u.base) == size, "%d bytes", size)
		require.Equal(t, "small", string(u.base))
	}
}

// inTurn gives each of its answers to one Read.
type inTurn []struct {
	n   int
	err error
}

func (r *inTurn) Read([]byte) (int, error) {
	next := (*r)[0]
	*r = (*r)[1:]
	return next.n, next.err
}

func TestABoundedReaderKnowsWhyItHasEnded(t *testing.T) {
	t.Parallel()
	b := &boundedReader{r: strings.NewReader("abc"), left: 2}
	buffer := make([]byte, 1)
	for range 2 {
		n, err := b.Read(buffer)
		require.Equal(t, 1, n)
		require.NoError(t, err)
	}
	n, err := b.Read(buffer)
	require.Zero(t, n)
	require.ErrorIs(t, err, ErrTooMuch)
	require.NoError(t, b.err)

	wire := errors.New("the wire")
	b = &boundedReader{left: 10, r: &inTurn{{1, wire}, {2, nil}, {3, io.EOF}}}
	for _, want := range []error{wire, nil, io.EOF} {
		_, err := b.Read(buffer)
		require.Equal(t, want, err)
		require.Equal(t, wire, b.err, "the first reason stays")
	}
	require.Equal(t, int64(4), b.left)

	text := errors.New("not understood")
	tooMuch := fmt.Errorf("once more: %w", ErrTooMuch)
	for _, test := range []struct {
		left     int64
		wire     error
		err      error
		want     error
		protocol bool
	}{
		{1, nil, nil, nil, false}, {0, wire, nil, nil, false}, {1, wire, tooMuch, tooMuch, false}, {0, wire, text, ErrTooMuch, false},
		{-1, wire, text, ErrTooMuch, false}, {1, wire, text, wire, false}, {1, nil, text, text, true},
	} {
		b := &boundedReader{left: test.left, err: test.wire}
		got := b.cause(test.err)
		require.Equal(t, test.protocol, errors.Is(got, gitsink.ErrProtocol), "%+v", test)
		require.ErrorIs(t, got, test.want)
		if !test.protocol {
			require.Equal(t, test.want, got, "%+v", test)
		}
	}
}

func TestTheTreeOfACommitIsInItsFirstLine(t *testing.T) {
	t.Parallel()
	for commit, want := range map[string]string{
		"tree " + someHash + "\nparent " + otherHash + "\n": someHash, "tree " + someHash: someHash,
		"": "", someHash + "\n": "", "parent " + someHash + "\n": "", "tree \n": "", "tree 12\n": "", "\ntree " + someHash + "\n": "",
	} {
		got, err := RootOf(SHA1, commit)
		require.Equal(t, hexID(want), got, "%q", commit)
		if want == "" {
			require.ErrorIs(t, err, ErrIncomplete)
		} else {
			require.NoError(t, err)
		}
	}
}

// What is dropped has to be what it says, too: TestAnObjectThatIsNotWhatItSaysEndsTheFetch.
func TestADroppedObjectThatIsNotWhatItSaysEndsTheFetch(t *testing.T) {
	t.Parallel()
	for _, kind := range []plumbing.ObjectType{plumbing.BlobObject, plumbing.TagObject} {
		honest := packOf(packed{kind, "0123456789", ""}, packed{plumbing.TreeObject, "", ""})
		for size, fits := range map[byte]bool{9: false, 10: true, 11: false} {
			pack := bytes.Clone(honest[:len(honest)-sha1.Size])
			require.Equal(t, byte(kind)<<4|10, pack[packHeader])
			pack[packHeader] = byte(kind)<<4 | size
			sum := sha1.Sum(pack)
			got, err := Unpack(SHA1, bytes.NewReader(append(pack, sum[:]...)), Limits{1 << 20, 1 << 20}, false)
			if fits {
				require.NoError(t, err)
				require.Equal(t, 1, got.Trees.Len())
				continue
			}
			require.ErrorIs(t, err, gitsink.ErrProtocol, "%s of %d bytes", kind, size)
		}
	}
}
