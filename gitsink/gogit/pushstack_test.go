package gogit

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// plainCommit writes a commit that names only what it was made of.
func plainCommit(root, parent object.ID, commit gitsink.Commit, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, "tree %s\nparent %s\n\n%s\n", root, parent, commit.Message), nil
}

func TestAChainIsOnTopOfTheStore(t *testing.T) {
	t.Parallel()
	s := object.NewStore()
	s.Tip, s.Root = hexID(someHash), plant(s, fileEntry("a", "1"))
	old := hexID(otherHash)
	ch := newPushStack(object.SHA1, s, old)
	require.Equal(t, &pushStack{
		store: s, old: old, tip: s.Tip, root: s.Root, trees: map[object.ID]string{}, blobs: map[object.ID][]byte{},
	}, ch)
	ch.trees[old] = "of the chain"
	rootTree, _ := s.Trees.Get(s.Root)
	for hash, want := range map[object.ID]string{old: "of the chain", s.Root: rootTree, {}: ""} {
		tree, err := ch.Tree(hash)
		require.NoError(t, err)
		require.Equal(t, want, tree)
	}
	_, err := ch.Tree(s.Tip)
	require.ErrorIs(t, err, object.ErrIncomplete)

	zero := object.ID{}
	for _, test := range []struct {
		create    bool
		old, tip  object.ID
		storesTip object.ID
		nothing   bool
	}{
		{false, old, old, old, true}, {true, old, old, old, true}, {false, zero, old, old, true}, {true, zero, old, old, false},
		{true, zero, zero, zero, true}, {false, zero, zero, zero, true}, {false, old, s.Root, old, false}, {false, zero, old, zero, false},
	} {
		s.Tip = test.storesTip
		ch := &pushStack{store: s, old: test.old, tip: test.tip, create: test.create}
		require.Equal(t, test.nothing, ch.empty(), "%+v", test)
	}
	ch = &pushStack{}
	require.Zero(t, ch.commits())
	ch.parts = []stackPart{{commits: make([]builtCommit, 2)}, {}, {commits: make([]builtCommit, 3)}}
	require.Equal(t, 5, ch.commits())
}

func TestADraftHoldsACommitForEachChangeOfTheTree(t *testing.T) {
	t.Parallel()
	first, same := gitsink.Commit{Message: "first", Changes: writes("a", "1")}, gitsink.Commit{Message: "same", Changes: writes("a", "1")}
	second := gitsink.Commit{Message: "second", Changes: writes("b", "2")}
	none := gitsink.Commit{Message: "none", Changes: removals("x")}
	for _, test := range []struct {
		name   string
		before []object.Entry
		folder string
		plan   []gitsink.Commit
		want   []string // messages
		writes bool
	}{
		{"no commit", []object.Entry{fileEntry("a", "1")}, "", nil, nil, false},
		{"what is there already", []object.Entry{fileEntry("a", "1")}, "", []gitsink.Commit{same}, nil, true},
		{"some of it there already", nil, "", []gitsink.Commit{first, same, second, none}, []string{"first", "second"}, true},
		{"removals of what is not", []object.Entry{fileEntry("a", "1")}, "", []gitsink.Commit{none}, nil, false},
		{"nothing on a branch that is none", nil, "", []gitsink.Commit{none, {}}, nil, false},
		{"writing and then removing", nil, "", []gitsink.Commit{{Message: "both", Changes: append(writes("y", "1"), removals("y")...)}}, nil, true},
		{"the last file goes", nil, "f", []gitsink.Commit{first, second, {Message: "gone", Changes: removals("a", "b")}}, []string{"first", "second", "gone"}, true},
	} {
		s := object.NewStore()
		if test.before != nil {
			s.Tip, s.Root = hexID(someHash), plant(s, test.before...)
		}
		ch := newPushStack(object.SHA1, s, s.Tip)
		d, err := ch.build(test.folder, test.plan, plainCommit)
		require.NoError(t, err, test.name)
		require.Equal(t, test.writes, d.writes, test.name)
		tip, root := s.Tip, s.Root
		var messages []string
		objects := map[object.ID]object.Object{}
		for _, o := range d.objects {
			objects[o.Hash] = o
		}
		for _, c := range d.commits {
			messages = append(messages, c.from.Message)
			tree, err := object.RootOf(object.SHA1, string(objects[c.hash].Data))
			require.NoError(t, err, test.name)
			require.Contains(t, objects, tree, test.name)
			require.NotEqual(t, root, tree, test.name)
			want, _ := plainCommit(tree, tip, c.from, time.Time{})
			require.Equal(t, object.New(object.SHA1, plumbing.CommitObject, want), objects[c.hash], test.name)
			tip, root = c.hash, tree
		}
		require.Equal(t, test.want, messages, test.name)
		require.Equal(t, tip, d.tip, test.name)
		require.Equal(t, root, d.root, test.name)
		if test.name == "the last file goes" {
			require.Equal(t, object.SHA1.EmptyTree(), d.root)
		}
		for _, o := range d.objects {
			if o.Kind == plumbing.BlobObject {
				require.Contains(t, []string{"1", "2"}, string(o.Data))
			}
		}
	}
}

func TestADraftThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	s := object.NewStore()
	s.Tip, s.Root = hexID(someHash), plant(s, fileEntry("a", "1"))
	broken := errors.New("no signature")
	refusing := func(object.ID, object.ID, gitsink.Commit, time.Time) ([]byte, error) {
		return []byte("x"), broken
	}
	lost := object.NewStore()
	lost.Root = hexID(someHash)
	for name, test := range map[string]struct {
		store  *object.Store
		change gitsink.Change
		encode encoder
		want   error
	}{
		"a path":              {s, gitsink.Change{Path: "../x"}, plainCommit, gitsink.ErrPath},
		"a file in the way":   {s, gitsink.Change{Path: "a/b"}, plainCommit, gitsink.ErrPath},
		"a missing root":      {lost, gitsink.Change{Path: "b"}, plainCommit, object.ErrIncomplete},
		"a missing signature": {s, gitsink.Change{Path: "b"}, refusing, broken},
	} {
		d, err := newPushStack(object.SHA1, test.store, object.ID{}).build("", []gitsink.Commit{{Changes: []gitsink.Change{test.change}}}, test.encode)
		require.ErrorIs(t, err, test.want, name)
		require.Nil(t, d, name)
	}
}

func TestWhatIsDraftedIsSeenByTheNextAndLands(t *testing.T) {
	t.Parallel()
	s := object.NewStore()
	s.Tip, s.Root = hexID(someHash), plant(s, fileEntry("a", "1"))
	ch := newPushStack(object.SHA1, s, s.Tip)
	calls := []*call{{}, {}, {}}
	var all []object.Object
	var size int64
	for i, plan := range [][]gitsink.Change{removals("none"), writes("b/c", "23"), removals("a")} {
		d, err := ch.build("", []gitsink.Commit{{Changes: plan}}, plainCommit)
		require.NoError(t, err)
		ch.add(calls[i], d)
		all = append(all, d.objects...)
		for _, o := range d.objects {
			size += int64(len(o.Data))
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
	require.Equal(t, map[object.ID][]byte{blobHash("23"): []byte("23")}, ch.blobs)
	require.Len(t, ch.trees, 3)

	ch.moveStore()
	require.Equal(t, ch.tip, s.Tip)
	require.Equal(t, ch.root, s.Root)
	for hash, tree := range ch.trees {
		got, _ := s.Lookup(hash)
		require.Equal(t, tree, got)
	}
	data, ok := s.Blobs.Get(blobHash("23"))
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
