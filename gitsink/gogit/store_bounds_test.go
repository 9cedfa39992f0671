package gogit

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAStoreCountsWhatItHolds(t *testing.T) {
	t.Parallel()
	s := newStore()
	require.Equal(t, &store{trees: map[plumbing.Hash]string{}, closed: map[plumbing.Hash]bool{}, folders: map[string]bool{}}, s)
	some, other := plumbing.NewHash(someHash), plumbing.NewHash(otherHash)
	s.add(some, "tree")
	s.add(some, "tree")
	require.Equal(t, int64(4+objectOverhead), s.size, "counted once")
	s.addAll(map[plumbing.Hash]string{some: "tree", other: "another"})
	require.Equal(t, int64(11+2*objectOverhead), s.size)
	s.closed[some], s.closed[other] = true, true
	s.blobs.youngSize, s.blobs.oldSize = 1000, 50
	require.Equal(t, 1050, s.blobs.size())
	require.Equal(t, int64(11+2*objectOverhead+1050+objectOverhead), s.memory())

	absent := hashOfTree("absent")
	for hash, want := range map[plumbing.Hash]string{some: "tree", other: "another", absent: "", plumbing.ZeroHash: ""} {
		tree, ok := s.lookup(hash)
		require.Equal(t, want, tree)
		require.Equal(t, want != "", ok)
		require.Equal(t, want != "", s.has(hash))
		tree, err := s.tree(hash)
		require.Equal(t, want, tree)
		if hash == absent {
			require.ErrorIs(t, err, errIncomplete)
			require.ErrorContains(t, err, absent.String())
			continue
		}
		require.NoError(t, err)
	}
}

func TestACompleteStoreTakesOnlyWholeTrees(t *testing.T) {
	t.Parallel()
	commit := plumbing.NewHash(someHash)
	sub := treeWith(fileEntry("x", "1"))
	root := treeWith(fileEntry("a", "1"), folderEntry("d", hashOfTree(sub)), entry{"160000", "m", commit})
	broken := treeWith(folderEntry("e", plumbing.ZeroHash)) + "x"
	wrap := treeWith(folderEntry("broken", hashOfTree(broken)))
	trees := func(all ...string) map[plumbing.Hash]string {
		m := map[plumbing.Hash]string{}
		for _, tree := range all {
			m[hashOfTree(tree)] = tree
		}
		return m
	}
	for _, test := range []struct {
		name  string
		known string
		root  string
		trees map[plumbing.Hash]string
		is    error
		says  string
	}{
		{"all is new", "", root, trees(root, sub), nil, ""},
		{"a folder is known", sub, root, trees(root), nil, ""},
		{"nothing is new", sub, sub, nil, nil, ""},
		{"the root is missing", "", root, trees(sub), errIncomplete, "tree " + hashOfTree(root).String()},
		{"a folder is missing", "", root, trees(root), errIncomplete, `"d" in tree ` + hashOfTree(root).String()},
		{"a folder is damaged", "", wrap, trees(wrap, broken), errDamaged, "tree " + hashOfTree(broken).String()},
	} {
		s := newStore()
		if test.known != "" {
			s.add(hashOfTree(test.known), test.known)
		}
		err := s.receive(commit, hashOfTree(test.root), test.trees)
		require.Equal(t, test.is == nil, s.complete, test.name)
		if test.is != nil {
			require.ErrorIs(t, err, test.is, test.name)
			require.ErrorContains(t, err, test.says, test.name)
			require.Zero(t, s.tip, test.name)
			continue
		}
		require.NoError(t, err, test.name)
		require.Equal(t, commit, s.tip, test.name)
		require.Equal(t, hashOfTree(test.root), s.root, test.name)
	}
}

// grown is a store with a root, a folder of it, and a tree that has been superseded.
func grown() (s *store, superseded plumbing.Hash, left int64) {
	s = newStore()
	s.root = plant(s, fileEntry("a", "1"), folderEntry("d", plant(s, fileEntry("x", "1"))))
	left = s.size
	superseded = plant(s, fileEntry("gone", "1"))
	s.closed[superseded], s.closed[s.root] = true, true
	return s, superseded, left
}

func TestWhatIsSupersededGoesOnceItIsTooMuch(t *testing.T) {
	t.Parallel()
	s, superseded, left := grown()
	require.NoError(t, s.within(s.size), "a bound may be reached")
	require.True(t, s.has(superseded))
	require.NoError(t, s.within(s.size-1), "without what is superseded")
	require.False(t, s.has(superseded))
	require.Equal(t, left, s.size)
	require.NoError(t, s.within(left))
	err := s.within(left - 1)
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
	require.ErrorContains(t, err, "raise MaxHeldBytes")

	commit := plumbing.NewHash(someHash)
	for _, test := range []struct {
		live, size int64
		swept      bool
	}{
		{0, sweepSlack, false}, {0, sweepSlack + 1, true}, {1000, sweepSlack + 2000, false}, {1000, sweepSlack + 2001, true},
	} {
		s, superseded, left := grown()
		s.live, s.size = test.live, test.size
		s.advance(commit, s.root)
		require.Equal(t, commit, s.tip)
		require.Equal(t, test.swept, !s.has(superseded), "%+v", test)
		if test.swept {
			require.Equal(t, left, s.live)
			require.Equal(t, left, s.size)
		}
	}
	s, superseded, _ = grown()
	s.advance(commit, superseded)
	require.Equal(t, superseded, s.root)
}

func TestASweepLeavesWhatTheRootReaches(t *testing.T) {
	t.Parallel()
	s, superseded, left := grown()
	s.sweep()
	require.Len(t, s.trees, 2)
	require.Equal(t, map[plumbing.Hash]bool{s.root: true}, s.closed)
	require.Equal(t, left, s.live)

	missing := plumbing.NewHash(someHash)
	as := func(mode string) entry { return entry{mode, "as" + mode, superseded} }
	s.add(superseded, treeWith(fileEntry("gone", "1")))
	s.root = plant(s, folderEntry("missing", missing), as("100644"), as("160000"), as("120000"), folderEntry("zero", plumbing.ZeroHash))
	s.sweep()
	require.Len(t, s.trees, 1, "no file stands for a folder, and what is missing is not here")
	require.False(t, s.has(missing))
	require.False(t, s.has(superseded))
	require.Empty(t, s.closed)

	hash := plant(s, fileEntry("x", "1"))
	for range 200 { // each twice in the next one
		hash = plant(s, folderEntry("a", hash), folderEntry("b", hash))
	}
	s.root = hash
	s.sweep()
	require.Len(t, s.trees, 201)
}

func TestSmallFilesAreKeptForTwoGenerations(t *testing.T) {
	t.Parallel()
	c := &blobCache{}
	some, other, third := plumbing.NewHash(someHash), plumbing.NewHash(otherHash), blobHash("")
	for range 2 {
		data, ok := c.get(some)
		require.False(t, ok)
		require.Empty(t, data)
	}
	require.Zero(t, c.size())
	c.put(some, "data")
	c.put(some, "data")
	require.Equal(t, 4+objectOverhead, c.size())
	c.put(other, strings.Repeat("x", cachedBlob))
	c.put(third, strings.Repeat("x", cachedBlob+1))
	require.Equal(t, 4+cachedBlob+2*objectOverhead, c.youngSize)
	_, ok := c.get(third)
	require.False(t, ok, "larger than is worth keeping")

	c.youngSize = youngBlobs
	c.put(third, "")
	require.Len(t, c.young, 3, "the bound may be reached")
	require.Equal(t, youngBlobs+objectOverhead, c.youngSize)
	c.put(plumbing.ZeroHash, "new")
	require.Len(t, c.young, 1)
	require.Len(t, c.old, 3)
	require.Equal(t, youngBlobs+objectOverhead, c.oldSize)
	require.Equal(t, 3+objectOverhead, c.youngSize)

	data, ok := c.get(some)
	require.True(t, ok)
	require.Equal(t, "data", data)
	require.Len(t, c.young, 2, "what is read is young again")
	c.youngSize = youngBlobs + 1
	c.put(third, "")
	data, ok = c.get(some)
	require.True(t, ok)
	require.Equal(t, "data", data)
	_, ok = c.get(other)
	require.False(t, ok, "nobody has read it")
	data, ok = c.get(third)
	require.True(t, ok)
	require.Empty(t, data)
}
