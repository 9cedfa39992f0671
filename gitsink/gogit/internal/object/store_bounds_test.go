package object

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAStoreCountsWhatItHolds(t *testing.T) {
	t.Parallel()
	s := NewStore()
	require.Equal(t, &Store{folders: map[string]bool{}}, s)
	some, other := hexID(someHash), hexID(otherHash)
	s.Add(some, "tree")
	s.Add(some, "tree")
	require.Equal(t, int64(4+objectOverhead), s.Size, "counted once")
	s.AddAll(mapOf(map[ID]string{some: "tree", other: "another"}))
	require.Equal(t, int64(11+2*objectOverhead), s.Size)
	s.closed.Set(some, true)
	s.closed.Set(other, true)
	s.Blobs.youngSize, s.Blobs.oldSize = 1000, 50
	require.Equal(t, 1050, s.Blobs.size())
	require.Equal(t, int64(11+2*objectOverhead+1050+objectOverhead), s.Memory())

	absent := hashOfTree("absent")
	for hash, want := range map[ID]string{some: "tree", other: "another", absent: "", {}: ""} {
		tree, ok := s.Lookup(hash)
		require.Equal(t, want, tree)
		require.Equal(t, want != "", ok)
		require.Equal(t, want != "", s.has(hash))
		tree, err := s.Tree(hash)
		require.Equal(t, want, tree)
		if hash == absent {
			require.ErrorIs(t, err, ErrIncomplete)
			require.ErrorContains(t, err, absent.String())
			continue
		}
		require.NoError(t, err)
	}
}

func TestACompleteStoreTakesOnlyWholeTrees(t *testing.T) {
	t.Parallel()
	commit := hexID(someHash)
	sub := treeWith(fileEntry("x", "1"))
	root := treeWith(fileEntry("a", "1"), folderEntry("d", hashOfTree(sub)), Entry{"160000", "m", commit.raw()})
	broken := treeWith(folderEntry("e", ID{})) + "x"
	wrap := treeWith(folderEntry("broken", hashOfTree(broken)))
	trees := func(all ...string) map[ID]string {
		m := map[ID]string{}
		for _, tree := range all {
			m[hashOfTree(tree)] = tree
		}
		return m
	}
	for _, test := range []struct {
		name  string
		known string
		root  string
		trees map[ID]string
		is    error
		says  string
	}{
		{"all is new", "", root, trees(root, sub), nil, ""},
		{"a folder is known", sub, root, trees(root), nil, ""},
		{"nothing is new", sub, sub, nil, nil, ""},
		{"the root is missing", "", root, trees(sub), ErrIncomplete, "tree " + hashOfTree(root).String()},
		{"a folder is missing", "", root, trees(root), ErrIncomplete, `"d" in tree ` + hashOfTree(root).String()},
		{"a folder is damaged", "", wrap, trees(wrap, broken), ErrDamaged, "tree " + hashOfTree(broken).String()},
	} {
		s := NewStore()
		if test.known != "" {
			s.Add(hashOfTree(test.known), test.known)
		}
		err := s.Receive(commit, hashOfTree(test.root), mapOf(test.trees))
		require.Equal(t, test.is == nil, s.Complete, test.name)
		if test.is != nil {
			require.ErrorIs(t, err, test.is, test.name)
			require.ErrorContains(t, err, test.says, test.name)
			require.Zero(t, s.Tip, test.name)
			continue
		}
		require.NoError(t, err, test.name)
		require.Equal(t, commit, s.Tip, test.name)
		require.Equal(t, hashOfTree(test.root), s.Root, test.name)
	}
}

// grown is a store with a root, a folder of it, and a tree that has been superseded.
func grown() (s *Store, superseded ID, left int64) {
	s = NewStore()
	s.Root = plant(s, fileEntry("a", "1"), folderEntry("d", plant(s, fileEntry("x", "1"))))
	left = s.Size
	superseded = plant(s, fileEntry("gone", "1"))
	s.closed.Set(superseded, true)
	s.closed.Set(s.Root, true)
	return s, superseded, left
}

func TestWhatIsSupersededGoesOnceItIsTooMuch(t *testing.T) {
	t.Parallel()
	s, superseded, left := grown()
	require.NoError(t, s.Within(s.Size), "a bound may be reached")
	require.True(t, s.has(superseded))
	require.NoError(t, s.Within(s.Size-1), "without what is superseded")
	require.False(t, s.has(superseded))
	require.Equal(t, left, s.Size)
	require.NoError(t, s.Within(left))
	err := s.Within(left - 1)
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
	require.ErrorContains(t, err, "raise MaxHeldBytes")

	commit := hexID(someHash)
	for _, test := range []struct {
		live, size int64
		swept      bool
	}{
		{0, sweepSlack, false}, {0, sweepSlack + 1, true}, {1000, sweepSlack + 2000, false}, {1000, sweepSlack + 2001, true},
	} {
		s, superseded, left := grown()
		s.live, s.Size = test.live, test.size
		s.Advance(commit, s.Root)
		require.Equal(t, commit, s.Tip)
		require.Equal(t, test.swept, !s.has(superseded), "%+v", test)
		if test.swept {
			require.Equal(t, left, s.live)
			require.Equal(t, left, s.Size)
		}
	}
	s, superseded, _ = grown()
	s.Advance(commit, superseded)
	require.Equal(t, superseded, s.Root)
}

func TestASweepLeavesWhatTheRootReaches(t *testing.T) {
	t.Parallel()
	s, superseded, left := grown()
	s.sweep()
	require.Equal(t, 2, s.Trees.Len())
	require.Equal(t, map[ID]bool{s.Root: true}, maps.Collect(s.closed.All()))
	require.Equal(t, left, s.live)

	missing := hexID(someHash)
	as := func(mode string) Entry { return Entry{mode, "as" + mode, superseded.raw()} }
	s.Add(superseded, treeWith(fileEntry("gone", "1")))
	s.Root = plant(s, folderEntry("missing", missing), as("100644"), as("160000"), as("120000"), folderEntry("zero", ID{}))
	s.sweep()
	require.Equal(t, 1, s.Trees.Len(), "no file stands for a folder, and what is missing is not here")
	require.False(t, s.has(missing))
	require.False(t, s.has(superseded))
	require.Empty(t, maps.Collect(s.closed.All()))

	hash := plant(s, fileEntry("x", "1"))
	for range 200 { // each twice in the next one
		hash = plant(s, folderEntry("a", hash), folderEntry("b", hash))
	}
	s.Root = hash
	s.sweep()
	require.Equal(t, 201, s.Trees.Len())
}

func TestSmallFilesAreKeptForTwoGenerations(t *testing.T) {
	t.Parallel()
	c := &blobCache{}
	some, other, third := hexID(someHash), hexID(otherHash), blobHash("")
	for range 2 {
		data, ok := c.Get(some)
		require.False(t, ok)
		require.Empty(t, data)
	}
	require.Zero(t, c.size())
	c.Put(some, "data")
	c.Put(some, "data")
	require.Equal(t, 4+objectOverhead, c.size())
	c.Put(other, strings.Repeat("x", cachedBlob))
	c.Put(third, strings.Repeat("x", cachedBlob+1))
	require.Equal(t, 4+cachedBlob+2*objectOverhead, c.youngSize)
	_, ok := c.Get(third)
	require.False(t, ok, "larger than is worth keeping")

	c.youngSize = youngBlobs
	c.Put(third, "")
	require.Equal(t, 3, c.young.Len(), "the bound may be reached")
	require.Equal(t, youngBlobs+objectOverhead, c.youngSize)
	c.Put(ID{}, "new")
	require.Equal(t, 1, c.young.Len())
	require.Equal(t, 3, c.old.Len())
	require.Equal(t, youngBlobs+objectOverhead, c.oldSize)
	require.Equal(t, 3+objectOverhead, c.youngSize)

	data, ok := c.Get(some)
	require.True(t, ok)
	require.Equal(t, "data", data)
	require.Equal(t, 2, c.young.Len(), "what is read is young again")
	c.youngSize = youngBlobs + 1
	c.Put(third, "")
	data, ok = c.Get(some)
	require.True(t, ok)
	require.Equal(t, "data", data)
	_, ok = c.Get(other)
	require.False(t, ok, "nobody has read it")
	data, ok = c.Get(third)
	require.True(t, ok)
	require.Empty(t, data)
}

func TestOfAPushTheSmallestFilesAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ files, size, atMost, moreThan int }{
		{manyBlobs - 1, 2000, pushedBlobs, pushedBlobs - 2000 - objectOverhead},
		{manyBlobs, 2000, fewOfMany * (2000 + objectOverhead), 0}, // a seed
	} {
		var s Store
		small, pushed := New(SHA1, plumbing.BlobObject, []byte("owner")), map[ID][]byte{}
		pushed[small.Hash] = small.Data
		for _, o := range blobs(slices.Repeat([]int{c.size}, c.files)...) {
			pushed[o.Hash] = o.Data
		}
		s.Blobs.PutPushed(pushed)
		require.LessOrEqual(t, s.Blobs.size(), c.atMost)
		require.Greater(t, s.Blobs.size(), c.moreThan)
		data, ok := s.Blobs.Get(small.Hash)
		require.True(t, ok)
		require.Equal(t, "owner", data)
	}
}
