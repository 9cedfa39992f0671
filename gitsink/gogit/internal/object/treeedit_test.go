package object

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func fileEntry(name, content string) Entry {
	return Entry{Mode: SpelledFile, Name: name, Raw: SHA1.Name(plumbing.BlobObject, []byte(content)).raw()}
}

func folderEntry(name string, tree ID) Entry {
	return Entry{Mode: SpelledTree, Name: name, Raw: tree.raw()}
}

// treeWith writes a tree with these entries in this order.
func treeWith(all ...Entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Mode + " " + e.Name + "\x00" + e.Raw)
	}
	return b.String()
}

func hashOfTree(tree string) ID {
	return SHA1.Name(plumbing.TreeObject, []byte(tree))
}

// plant puts a tree with these entries into a store.
func plant(s *Store, all ...Entry) ID {
	tree := treeWith(all...)
	hash := hashOfTree(tree)
	s.Add(hash, tree)
	return hash
}

// edited makes the changes of one commit, and gives the objects to the store.
func edited(t *testing.T, s *Store, e *Editor, changes ...gitsink.Change) (ID, []Object) {
	t.Helper()
	for _, change := range changes {
		require.NoError(t, e.Apply(change.Path, change))
	}
	root, objects := e.Commit()
	for _, o := range objects {
		require.Equal(t, o.Hash, SHA1.Name(o.Kind, o.Data))
		if o.Kind == plumbing.TreeObject {
			require.Equal(t, len(o.Data), cap(o.Data), "a tree is as large as was said before")
			s.Add(o.Hash, string(o.Data))
		}
	}
	return root, objects
}

func treesIn(objects []Object) (found []Object) {
	for _, o := range objects {
		if o.Kind == plumbing.TreeObject {
			found = append(found, o)
		}
	}
	return found
}

func editing(t *testing.T, s *Store, root ID) *Editor {
	t.Helper()
	e, err := NewEditor(SHA1, s, root)
	require.NoError(t, err)
	return e
}

func TestAnEditMakesTheTreesThatGitWouldMake(t *testing.T) {
	t.Parallel()
	s := NewStore()
	empty := plant(s)
	sub := plant(s, fileEntry("keep", "k"))
	modes := []Entry{fileEntry("a", "1"), fileEntry("m", "2")}
	modes[0].Mode, modes[1].Mode = "100755", "100664"
	for name, test := range map[string]struct {
		before  []Entry
		changes []gitsink.Change
		after   []Entry
	}{
		"added files are put into order": {
			[]Entry{fileEntry("b", "1"), fileEntry("d", "1")}, writes("e", "2", "c", "2", "a", "2", "aa", "2"),
			[]Entry{fileEntry("a", "2"), fileEntry("aa", "2"), fileEntry("b", "1"), fileEntry("c", "2"), fileEntry("d", "1"), fileEntry("e", "2")},
		},
		"a new folder sorts as with a slash": {
			[]Entry{fileEntry("a.b", "1"), fileEntry("a0", "1")}, writes("a/x", "2"),
			[]Entry{fileEntry("a.b", "1"), folderEntry("a", hashOfTree(treeWith(fileEntry("x", "2")))), fileEntry("a0", "1")},
		},
		"what is added stands behind its equal": {
			[]Entry{fileEntry("a/", "1"), fileEntry("b", "1")}, writes("a/x", "2"),
			[]Entry{fileEntry("a/", "1"), folderEntry("a", hashOfTree(treeWith(fileEntry("x", "2")))), fileEntry("b", "1")},
		},
		"a written file keeps its mode": {
			modes, writes("a", "3", "m", "3"),
			[]Entry{{"100755", "a", fileEntry("", "3").Raw}, {"100664", "m", fileEntry("", "3").Raw}},
		},
		"two changes in one folder are both there": {
			[]Entry{folderEntry("d", sub)}, writes("d/a", "1", "d/z", "2", "d/keep", "3"),
			[]Entry{folderEntry("d", hashOfTree(treeWith(fileEntry("a", "1"), fileEntry("keep", "3"), fileEntry("z", "2"))))},
		},
		"a change is kept when the next one changes nothing": {
			[]Entry{folderEntry("d", sub)}, append(writes("a", "1", "d/keep", "k"), removals("d/none", "none", "none/x")...),
			[]Entry{fileEntry("a", "1"), folderEntry("d", sub)},
		},
		"what is removed and written again is there": {
			[]Entry{fileEntry("a", "1"), fileEntry("b", "1")}, append(removals("a"), writes("a", "1", "c", "")...),
			[]Entry{fileEntry("a", "1"), fileEntry("b", "1"), fileEntry("c", "")},
		},
		"what is written and removed again is gone": {
			[]Entry{fileEntry("b", "1")}, append(writes("a", "1", "d/e", "1"), removals("a", "d/e", "b")...), nil,
		},
		"the last file of a folder takes it along": {
			[]Entry{fileEntry("b", "1"), folderEntry("d", sub)}, removals("d/keep"), []Entry{fileEntry("b", "1")},
		},
		"a folder that holds more stays": {
			[]Entry{folderEntry("d", sub)}, append(writes("d/x", "1"), removals("d/keep")...),
			[]Entry{folderEntry("d", hashOfTree(treeWith(fileEntry("x", "1"))))},
		},
		"an empty folder of others stays": {
			[]Entry{folderEntry("d", empty), fileEntry("f", "1")}, removals("d/none", "f/x", "f"), []Entry{folderEntry("d", empty)},
		},
		"a file without data is an empty file": {
			nil, []gitsink.Change{{Path: "a"}, {Path: "d/b"}},
			[]Entry{fileEntry("a", ""), folderEntry("d", hashOfTree(treeWith(fileEntry("b", ""))))},
		},
	} {
		root, objects := edited(t, s, editing(t, s, plant(s, test.before...)), test.changes...)
		got, err := s.Tree(root)
		require.NoError(t, err, name)
		require.Equal(t, treeWith(test.after...), got, name)
		for _, e := range test.after { // each blob that is new has come along
			for _, change := range test.changes {
				if change.Path == e.Name && !change.Remove && !strings.Contains(treeWith(test.before...), e.Raw) {
					require.Contains(t, objects, Object{Kind: plumbing.BlobObject, Hash: e.ID(), Data: append([]byte{}, change.Data...)}, name)
				}
			}
		}
	}
}

func TestWhatIsThereAlreadyMakesNoObjects(t *testing.T) {
	t.Parallel()
	s := NewStore()
	sub := plant(s, fileEntry("x", "1"))
	root := plant(s, fileEntry("a", "1"), folderEntry("d", sub))
	for name, changes := range map[string][]gitsink.Change{
		"no change":              nil,
		"the same content":       writes("a", "1", "d/x", "1"),
		"removal of what is not": removals("b", "d/y", "e/f", "a/b"),
	} {
		e := editing(t, s, root)
		got, objects := edited(t, s, e, changes...)
		require.Equal(t, root, got, name)
		require.Empty(t, objects, name)
		require.False(t, e.root.dirty, name)
	}
	e := editing(t, s, root)
	for _, change := range append(writes("d/x", "1"), removals("d/y")...) {
		require.NoError(t, e.Apply(change.Path, change))
		require.False(t, e.root.dirty, "nothing below it differs")
	}
	got, objects := edited(t, s, e, writes("a", "2", "d/x", "2", "a", "1", "d/x", "1")...)
	require.Equal(t, root, got)
	require.Empty(t, treesIn(objects), "there and back again")

	unread := &folder{hash: root}
	require.Equal(t, root, e.flush(unread), "what is not dirty is not written again")
}

func TestEachCommitHoldsWhatIsNewInIt(t *testing.T) {
	t.Parallel()
	s := NewStore()
	root := plant(s, fileEntry("a", "1"), folderEntry("d", plant(s, fileEntry("x", "1"))))
	e := editing(t, s, root)
	first, objects := edited(t, s, e, writes("d/y", "2")...)
	require.Len(t, objects, 3)
	require.Equal(t, Object{Kind: plumbing.BlobObject, Hash: fileEntry("", "2").ID(), Data: []byte("2")}, objects[0])
	require.Equal(t, hashOfTree(treeWith(fileEntry("x", "1"))), objects[1].From)
	require.Equal(t, root, objects[2].From)
	require.Equal(t, first, objects[2].Hash)

	again, objects := edited(t, s, e)
	require.Equal(t, first, again)
	require.Empty(t, objects)

	second, objects := edited(t, s, e, writes("a", "3")...)
	require.Len(t, objects, 2, "the folder d is as it was")
	require.Equal(t, first, objects[1].From)
	require.Equal(t, second, objects[1].Hash)

	_, objects = edited(t, s, e, writes("b", "4")...)
	require.Len(t, objects, 2, "what came with the commit before does not come again")

	e = editing(t, s, ID{})
	got, objects := e.Commit()
	require.Equal(t, SHA1.EmptyTree(), got, "an empty tree is a tree")
	require.Len(t, objects, 1)
	require.Zero(t, objects[0].From)
}

func TestAnEditThatCannotBeMadeSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	s := NewStore()
	gone := hexID(someHash)
	twins := plant(s, fileEntry("twin", "1"), folderEntry("twin", gone))
	root := plant(s,
		folderEntry("dir", plant(s, folderEntry("sub", plant(s, fileEntry("x", "1"))), folderEntry("twins", twins))),
		fileEntry("file", "1"), folderEntry("gone", gone),
		Entry{"120000", "link", fileEntry("", "file").Raw}, Entry{"160000", "mod", gone.raw()}, Entry{"777", "odd", gone.raw()},
	)
	for _, test := range []struct {
		path         string
		write, erase string // the reason; "": none
	}{
		{"dir", "there is a folder", "there is a folder"},
		{"dir/sub", "there is a folder", "there is a folder"},
		{"link", "there is a symbolic link", "there is a symbolic link"},
		{"mod", "there is a submodule", "there is a submodule"},
		{"odd", "there is a entry of mode 777", "there is a entry of mode 777"},
		{"file/x", `"file" is a file, not a folder`, ""},
		{"link/x/y", `"link" is a symbolic link, not a folder`, ""},
		{"dir/sub/x/y", `"x" is a file, not a folder`, ""},
		{"dir/twins/twin", `two entries have the name "twin"`, `two entries have the name "twin"`},
		{"dir/twins/twin/x", `two entries have the name "twin"`, `two entries have the name "twin"`},
	} {
		for _, remove := range []bool{false, true} {
			e := editing(t, s, root)
			err := e.Apply(test.path, gitsink.Change{Path: test.path, Data: []byte("2"), Remove: remove})
			want := map[bool]string{false: test.write, true: test.erase}[remove]
			if want == "" {
				require.NoError(t, err, test.path)
			} else {
				require.Equal(t, &PathError{Path: test.path, Reason: want}, err)
			}
			got, objects := e.Commit()
			require.Equal(t, root, got, test.path)
			require.Empty(t, objects, test.path)
		}
	}
	for _, remove := range []bool{false, true} {
		require.ErrorIs(t, editing(t, s, root).Apply("gone/x", gitsink.Change{Remove: remove}), ErrIncomplete)
	}
	_, err := NewEditor(SHA1, s, gone)
	require.ErrorIs(t, err, ErrIncomplete)
	const damaged = "100644 a\x00short"
	s.Add(hashOfTree(damaged), damaged)
	_, err = NewEditor(SHA1, s, hashOfTree(damaged))
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, hashOfTree(damaged).String())
}

func TestEveryPathOfAPlanIsLookedAt(t *testing.T) {
	t.Parallel()
	long := append(bytes.Repeat([]byte("x"), maxAttributesLine), '\n')
	huge := make([]byte, maxAttributes+1)
	huge[maxAttributesLine-1], huge[2*maxAttributesLine] = '\n', '\n'
	require.NoError(t, CheckPaths("base", nil))
	for _, test := range []struct {
		folder string
		change gitsink.Change
		says   string // "": nothing
	}{
		{"base", gitsink.Change{Path: "a/b"}, ""},
		{"", gitsink.Change{Path: "a/b", Remove: true}, ""},
		{"base", gitsink.Change{Path: "../x"}, `".."`},
		{"base", gitsink.Change{Path: "../x", Remove: true}, `".."`},
		{"base", gitsink.Change{Path: "/x"}, `begins with "/"`},
		{".git", gitsink.Change{Path: "x"}, ".git"},
		{".git", gitsink.Change{Path: "x", Remove: true}, ".git"},
		{"", gitsink.Change{Path: ".gitattributes", Data: long[1:]}, ""},
		{"", gitsink.Change{Path: ".gitattributes", Data: long}, "a line has 2048 bytes, more than the 2047 that Git reads"},
		{"", gitsink.Change{Path: "x/.gitattributes", Data: append([]byte("a\nb\n"), long...)}, "a line has 2048 bytes"},
		{"", gitsink.Change{Path: ".gitattributes", Data: long, Remove: true}, ""},
		{"", gitsink.Change{Path: "x.gitattributes", Data: long}, ""},
		{"", gitsink.Change{Path: ".gitattributes", Data: huge}, "it has 104857601 bytes, more than the 104857600 that Git reads"},
		{"", gitsink.Change{Path: ".gitattributes", Data: huge[:maxAttributes]}, "a line has 2048 bytes"},
	} {
		err := CheckPaths(test.folder, []gitsink.Commit{{Changes: []gitsink.Change{test.change}}})
		if test.says == "" {
			require.NoError(t, err, test.change.Path)
			continue
		}
		require.ErrorIs(t, err, gitsink.ErrPath)
		var wrong *PathError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, test.change.Path, wrong.Path)
		require.Contains(t, wrong.Reason, test.says)
		require.NotContains(t, wrong.Reason, "base")
		require.EqualError(t, wrong.Err, wrong.Reason)
		require.ErrorIs(t, err, wrong.Err)
	}
	err := CheckPaths("", []gitsink.Commit{{Changes: writes("../a", "", "fine", "")}, {Changes: writes("b/", "")}})
	require.ErrorContains(t, err, `"../a"`)
	require.ErrorContains(t, err, `"b/"`)
	require.NotContains(t, err.Error(), "fine")
	require.Equal(t, []error{gitsink.ErrPath}, (&PathError{}).Unwrap())
	require.Equal(t, "a", Join("", "a"))
	require.Equal(t, "f/a", Join("f", "a"))
}
