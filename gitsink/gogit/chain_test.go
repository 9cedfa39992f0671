package gogit

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// plainCommit writes a commit that names only what it was made of.
func plainCommit(root, parent plumbing.Hash, commit gitsink.Commit, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, "tree %s\nparent %s\n\n%s\n", root, parent, commit.Message), nil
}

func TestAChainIsOnTopOfTheStore(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.tip, s.root = plumbing.NewHash(someHash), plant(s, fileEntry("a", "1"))
	old := plumbing.NewHash(otherHash)
	ch := newChain(s, old)
	require.Equal(t, &chain{
		store: s, old: old, tip: s.tip, root: s.root, trees: map[plumbing.Hash]string{}, blobs: map[plumbing.Hash][]byte{},
	}, ch)
	ch.trees[old] = "of the chain"
	for hash, want := range map[plumbing.Hash]string{old: "of the chain", s.root: s.trees[s.root], plumbing.ZeroHash: ""} {
		tree, err := ch.tree(hash)
		require.NoError(t, err)
		require.Equal(t, want, tree)
	}
	_, err := ch.tree(s.tip)
	require.ErrorIs(t, err, errIncomplete)

	zero := plumbing.ZeroHash
	for _, test := range []struct {
		create    bool
		old, tip  plumbing.Hash
		storesTip plumbing.Hash
		nothing   bool
	}{
		{false, old, old, old, true}, {true, old, old, old, true}, {false, zero, old, old, true}, {true, zero, old, old, false},
		{true, zero, zero, zero, true}, {false, zero, zero, zero, true}, {false, old, s.root, old, false}, {false, zero, old, zero, false},
	} {
		s.tip = test.storesTip
		ch := &chain{store: s, old: test.old, tip: test.tip, create: test.create}
		require.Equal(t, test.nothing, ch.nothing(), "%+v", test)
	}
	ch = &chain{}
	require.Zero(t, ch.commits())
	ch.parts = []part{{commits: make([]made, 2)}, {}, {commits: make([]made, 3)}}
	require.Equal(t, 5, ch.commits())
}

func TestADraftHoldsACommitForEachChangeOfTheTree(t *testing.T) {
	t.Parallel()
	first, same := gitsink.Commit{Message: "first", Changes: writes("a", "1")}, gitsink.Commit{Message: "same", Changes: writes("a", "1")}
	second := gitsink.Commit{Message: "second", Changes: writes("b", "2")}
	none := gitsink.Commit{Message: "none", Changes: removals("x")}
	for _, test := range []struct {
		name   string
		before []entry
		folder string
		plan   []gitsink.Commit
		want   []string // messages
		writes bool
	}{
		{"no commit", []entry{fileEntry("a", "1")}, "", nil, nil, false},
		{"what is there already", []entry{fileEntry("a", "1")}, "", []gitsink.Commit{same}, nil, true},
		{"some of it there already", nil, "", []gitsink.Commit{first, same, second, none}, []string{"first", "second"}, true},
		{"removals of what is not", []entry{fileEntry("a", "1")}, "", []gitsink.Commit{none}, nil, false},
		{"nothing on a branch that is none", nil, "", []gitsink.Commit{none, {}}, nil, false},
		{"writing and then removing", nil, "", []gitsink.Commit{{Message: "both", Changes: append(writes("y", "1"), removals("y")...)}}, nil, true},
		{"the last file goes", nil, "f", []gitsink.Commit{first, second, {Message: "gone", Changes: removals("a", "b")}}, []string{"first", "second", "gone"}, true},
	} {
		s := newStore()
		if test.before != nil {
			s.tip, s.root = plumbing.NewHash(someHash), plant(s, test.before...)
		}
		ch := newChain(s, s.tip)
		d, err := ch.draft(test.folder, test.plan, plainCommit)
		require.NoError(t, err, test.name)
		require.Equal(t, test.writes, d.writes, test.name)
		tip, root := s.tip, s.root
		var messages []string
		objects := map[plumbing.Hash]object{}
		for _, o := range d.objects {
			objects[o.hash] = o
		}
		for _, c := range d.commits {
			messages = append(messages, c.from.Message)
			tree, err := rootOf(string(objects[c.hash].data))
			require.NoError(t, err, test.name)
			require.Contains(t, objects, tree, test.name)
			require.NotEqual(t, root, tree, test.name)
			want, _ := plainCommit(tree, tip, c.from, time.Time{})
			require.Equal(t, newObject(plumbing.CommitObject, want), objects[c.hash], test.name)
			tip, root = c.hash, tree
		}
		require.Equal(t, test.want, messages, test.name)
		require.Equal(t, tip, d.tip, test.name)
		require.Equal(t, root, d.root, test.name)
		if test.name == "the last file goes" {
			require.Equal(t, emptyTree, d.root)
		}
		for _, o := range d.objects {
			if o.kind == plumbing.BlobObject {
				require.Contains(t, []string{"1", "2"}, string(o.data))
			}
		}
	}
}

func TestADraftThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.tip, s.root = plumbing.NewHash(someHash), plant(s, fileEntry("a", "1"))
	broken := errors.New("no signature")
	refusing := func(plumbing.Hash, plumbing.Hash, gitsink.Commit, time.Time) ([]byte, error) {
		return []byte("x"), broken
	}
	lost := newStore()
	lost.root = plumbing.NewHash(someHash)
	for name, test := range map[string]struct {
		store  *store
		change gitsink.Change
		encode encoder
		want   error
	}{
		"a path":              {s, gitsink.Change{Path: "../x"}, plainCommit, gitsink.ErrPath},
		"a file in the way":   {s, gitsink.Change{Path: "a/b"}, plainCommit, gitsink.ErrPath},
		"a missing root":      {lost, gitsink.Change{Path: "b"}, plainCommit, errIncomplete},
		"a missing signature": {s, gitsink.Change{Path: "b"}, refusing, broken},
	} {
		d, err := newChain(test.store, plumbing.ZeroHash).draft("", []gitsink.Commit{{Changes: []gitsink.Change{test.change}}}, test.encode)
		require.ErrorIs(t, err, test.want, name)
		require.Nil(t, d, name)
	}
}

func TestWhatIsDraftedIsSeenByTheNextAndLands(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.tip, s.root = plumbing.NewHash(someHash), plant(s, fileEntry("a", "1"))
	ch := newChain(s, s.tip)
	calls := []*call{{}, {}, {}}
	var all []object
	var size int64
	for i, plan := range [][]gitsink.Change{removals("none"), writes("b/c", "23"), removals("a")} {
		d, err := ch.draft("", []gitsink.Commit{{Changes: plan}}, plainCommit)
		require.NoError(t, err)
		ch.add(calls[i], d)
		all = append(all, d.objects...)
		for _, o := range d.objects {
			size += int64(len(o.data))
		}
		require.Equal(t, d.tip, ch.tip)
		require.Equal(t, d.root, ch.root)
		require.Equal(t, i > 0, ch.create, "it stays so")
		require.Same(t, calls[i], ch.parts[i].call)
		require.Equal(t, d.commits, ch.parts[i].commits)
	}
	require.Equal(t, all, ch.objects)
	require.Equal(t, size, ch.size)
	require.Equal(t, 2, ch.commits())
	require.Equal(t, map[plumbing.Hash][]byte{blobHash("23"): []byte("23")}, ch.blobs)
	require.Len(t, ch.trees, 3)

	ch.landed()
	require.Equal(t, ch.tip, s.tip)
	require.Equal(t, ch.root, s.root)
	for hash, tree := range ch.trees {
		got, _ := s.lookup(hash)
		require.Equal(t, tree, got)
	}
	data, ok := s.blobs.get(blobHash("23"))
	require.True(t, ok)
	require.Equal(t, "23", data)
}

func TestAPlanIsKnownAgainByAllThatItWants(t *testing.T) {
	t.Parallel()
	seen := map[digest]int{}
	at := time.Unix(5, 0)
	variants := []gitsink.Commit{
		{},
		{Message: "m"},
		{Author: gitsink.Signature{Name: "n"}}, {Author: gitsink.Signature{Email: "n"}}, {Author: gitsink.Signature{When: at}},
		{Committer: gitsink.Signature{Name: "n"}}, {Committer: gitsink.Signature{Email: "n"}}, {Committer: gitsink.Signature{When: at}},
		{Changes: writes("a", "1")}, {Changes: writes("a", "2")}, {Changes: writes("b", "1")}, {Changes: removals("a")},
		{Changes: writes("a", "")}, {Changes: writes("a", "1", "b", "1")}, {Changes: writes("b", "1", "a", "1")},
	}
	for i, c := range variants {
		other, known := seen[digestOf(c)]
		require.False(t, known, "%d is taken for %d", i, other)
		require.Equal(t, digestOf(c), digestOf(c))
		seen[digestOf(c)] = i
	}
}
