package gogit

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func fileEntry(name, content string) entry {
	return entry{mode: spelledFile, name: name, hash: plumbing.ComputeHash(plumbing.BlobObject, []byte(content))}
}

func folderEntry(name string, tree plumbing.Hash) entry {
	return entry{mode: spelledTree, name: name, hash: tree}
}

// treeWith writes a tree with these entries in this order.
func treeWith(all ...entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.mode + " " + e.name + "\x00" + string(e.hash[:]))
	}
	return b.String()
}

func hashOfTree(tree string) plumbing.Hash {
	return plumbing.ComputeHash(plumbing.TreeObject, []byte(tree))
}

// plant puts a tree with these entries into a store.
func plant(s *store, all ...entry) plumbing.Hash {
	tree := treeWith(all...)
	hash := hashOfTree(tree)
	s.add(hash, tree)
	return hash
}

// edited makes the changes of one commit, and gives the objects to the store.
func edited(t *testing.T, s *store, e *editor, changes ...gitsink.Change) (plumbing.Hash, []object) {
	t.Helper()
	for _, change := range changes {
		require.NoError(t, e.apply(change.Path, change))
	}
	root, objects := e.commit()
	for _, o := range objects {
		require.Equal(t, o.hash, plumbing.ComputeHash(o.kind, o.data))
		if o.kind == plumbing.TreeObject {
			require.Equal(t, len(o.data), cap(o.data), "a tree is as large as was said before")
			s.add(o.hash, string(o.data))
		}
	}
	return root, objects
}

func treesIn(objects []object) (found []object) {
	for _, o := range objects {
		if o.kind == plumbing.TreeObject {
			found = append(found, o)
		}
	}
	return found
}

func editing(t *testing.T, s *store, root plumbing.Hash) *editor {
	t.Helper()
	e, err := newEditor(s, root)
	require.NoError(t, err)
	return e
}

func TestAnEditMakesTheTreesThatGitWouldMake(t *testing.T) {
	t.Parallel()
	s := newStore()
	empty := plant(s)
	sub := plant(s, fileEntry("keep", "k"))
	modes := []entry{fileEntry("a", "1"), fileEntry("m", "2")}
	modes[0].mode, modes[1].mode = "100755", "100664"
	for name, test := range map[string]struct {
		before  []entry
		changes []gitsink.Change
		after   []entry
	}{
		"added files are put into order": {
			[]entry{fileEntry("b", "1"), fileEntry("d", "1")}, writes("e", "2", "c", "2", "a", "2", "aa", "2"),
			[]entry{fileEntry("a", "2"), fileEntry("aa", "2"), fileEntry("b", "1"), fileEntry("c", "2"), fileEntry("d", "1"), fileEntry("e", "2")},
		},
		"a new folder sorts as with a slash": {
			[]entry{fileEntry("a.b", "1"), fileEntry("a0", "1")}, writes("a/x", "2"),
			[]entry{fileEntry("a.b", "1"), folderEntry("a", hashOfTree(treeWith(fileEntry("x", "2")))), fileEntry("a0", "1")},
		},
		"what is added stands behind its equal": {
			[]entry{fileEntry("a/", "1"), fileEntry("b", "1")}, writes("a/x", "2"),
			[]entry{fileEntry("a/", "1"), folderEntry("a", hashOfTree(treeWith(fileEntry("x", "2")))), fileEntry("b", "1")},
		},
		"a written file keeps its mode": {
			modes, writes("a", "3", "m", "3"),
			[]entry{{"100755", "a", fileEntry("", "3").hash}, {"100664", "m", fileEntry("", "3").hash}},
		},
		"two changes in one folder are both there": {
			[]entry{folderEntry("d", sub)}, writes("d/a", "1", "d/z", "2", "d/keep", "3"),
			[]entry{folderEntry("d", hashOfTree(treeWith(fileEntry("a", "1"), fileEntry("keep", "3"), fileEntry("z", "2"))))},
		},
		"a change is kept when the next one changes nothing": {
			[]entry{folderEntry("d", sub)}, append(writes("a", "1", "d/keep", "k"), removals("d/none", "none", "none/x")...),
			[]entry{fileEntry("a", "1"), folderEntry("d", sub)},
		},
		"what is removed and written again is there": {
			[]entry{fileEntry("a", "1"), fileEntry("b", "1")}, append(removals("a"), writes("a", "1", "c", "")...),
			[]entry{fileEntry("a", "1"), fileEntry("b", "1"), fileEntry("c", "")},
		},
		"what is written and removed again is gone": {
			[]entry{fileEntry("b", "1")}, append(writes("a", "1", "d/e", "1"), removals("a", "d/e", "b")...), nil,
		},
		"the last file of a folder takes it along": {
			[]entry{fileEntry("b", "1"), folderEntry("d", sub)}, removals("d/keep"), []entry{fileEntry("b", "1")},
		},
		"a folder that holds more stays": {
			[]entry{folderEntry("d", sub)}, append(writes("d/x", "1"), removals("d/keep")...),
			[]entry{folderEntry("d", hashOfTree(treeWith(fileEntry("x", "1"))))},
		},
		"an empty folder of others stays": {
			[]entry{folderEntry("d", empty), fileEntry("f", "1")}, removals("d/none", "f/x", "f"), []entry{folderEntry("d", empty)},
		},
		"a file without data is an empty file": {
			nil, []gitsink.Change{{Path: "a"}, {Path: "d/b"}},
			[]entry{fileEntry("a", ""), folderEntry("d", hashOfTree(treeWith(fileEntry("b", ""))))},
		},
	} {
		root, objects := edited(t, s, editing(t, s, plant(s, test.before...)), test.changes...)
		got, err := s.tree(root)
		require.NoError(t, err, name)
		require.Equal(t, treeWith(test.after...), got, name)
		for _, e := range test.after { // each blob that is new has come along
			for _, change := range test.changes {
				if change.Path == e.name && !change.Remove && !strings.Contains(treeWith(test.before...), string(e.hash[:])) {
					require.Contains(t, objects, object{kind: plumbing.BlobObject, hash: e.hash, data: append([]byte{}, change.Data...)}, name)
				}
			}
		}
	}
}

func TestWhatIsThereAlreadyMakesNoObjects(t *testing.T) {
	t.Parallel()
	s := newStore()
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
		require.NoError(t, e.apply(change.Path, change))
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
	s := newStore()
	root := plant(s, fileEntry("a", "1"), folderEntry("d", plant(s, fileEntry("x", "1"))))
	e := editing(t, s, root)
	first, objects := edited(t, s, e, writes("d/y", "2")...)
	require.Len(t, objects, 3)
	require.Equal(t, object{kind: plumbing.BlobObject, hash: fileEntry("", "2").hash, data: []byte("2")}, objects[0])
	require.Equal(t, hashOfTree(treeWith(fileEntry("x", "1"))), objects[1].from)
	require.Equal(t, root, objects[2].from)
	require.Equal(t, first, objects[2].hash)

	again, objects := edited(t, s, e)
	require.Equal(t, first, again)
	require.Empty(t, objects)

	second, objects := edited(t, s, e, writes("a", "3")...)
	require.Len(t, objects, 2, "the folder d is as it was")
	require.Equal(t, first, objects[1].from)
	require.Equal(t, second, objects[1].hash)

	_, objects = edited(t, s, e, writes("b", "4")...)
	require.Len(t, objects, 2, "what came with the commit before does not come again")

	e = editing(t, s, plumbing.ZeroHash)
	got, objects := e.commit()
	require.Equal(t, emptyTree, got, "an empty tree is a tree")
	require.Len(t, objects, 1)
	require.Zero(t, objects[0].from)
}

func TestAnEditThatCannotBeMadeSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	s := newStore()
	gone := plumbing.NewHash(someHash)
	twins := plant(s, fileEntry("twin", "1"), folderEntry("twin", gone))
	root := plant(s,
		folderEntry("dir", plant(s, folderEntry("sub", plant(s, fileEntry("x", "1"))), folderEntry("twins", twins))),
		fileEntry("file", "1"), folderEntry("gone", gone),
		entry{"120000", "link", fileEntry("", "file").hash}, entry{"160000", "mod", gone}, entry{"777", "odd", gone},
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
			err := e.apply(test.path, gitsink.Change{Path: test.path, Data: []byte("2"), Remove: remove})
			want := map[bool]string{false: test.write, true: test.erase}[remove]
			if want == "" {
				require.NoError(t, err, test.path)
			} else {
				require.Equal(t, &pathError{path: test.path, reason: want}, err)
			}
			got, objects := e.commit()
			require.Equal(t, root, got, test.path)
			require.Empty(t, objects, test.path)
		}
	}
	for _, remove := range []bool{false, true} {
		require.ErrorIs(t, editing(t, s, root).apply("gone/x", gitsink.Change{Remove: remove}), errIncomplete)
	}
	_, err := newEditor(s, gone)
	require.ErrorIs(t, err, errIncomplete)
	const damaged = "100644 a\x00short"
	s.add(hashOfTree(damaged), damaged)
	_, err = newEditor(s, hashOfTree(damaged))
	require.ErrorIs(t, err, errDamaged)
	require.ErrorContains(t, err, hashOfTree(damaged).String())
}

func TestEveryPathOfAPlanIsLookedAt(t *testing.T) {
	t.Parallel()
	long := append(bytes.Repeat([]byte("x"), maxAttributesLine), '\n')
	huge := make([]byte, maxAttributes+1)
	huge[maxAttributesLine-1], huge[2*maxAttributesLine] = '\n', '\n'
	require.NoError(t, checkPaths("base", nil))
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
		err := checkPaths(test.folder, []gitsink.Commit{{Changes: []gitsink.Change{test.change}}})
		if test.says == "" {
			require.NoError(t, err, test.change.Path)
			continue
		}
		require.ErrorIs(t, err, gitsink.ErrPath)
		var wrong *pathError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, test.change.Path, wrong.path)
		require.Contains(t, wrong.reason, test.says)
		require.NotContains(t, wrong.reason, "base")
		require.EqualError(t, wrong.err, wrong.reason)
		require.ErrorIs(t, err, wrong.err)
	}
	err := checkPaths("", []gitsink.Commit{{Changes: writes("../a", "", "fine", "")}, {Changes: writes("b/", "")}})
	require.ErrorContains(t, err, `"../a"`)
	require.ErrorContains(t, err, `"b/"`)
	require.NotContains(t, err.Error(), "fine")
	require.Equal(t, []error{gitsink.ErrPath}, (&pathError{}).Unwrap())
	require.Equal(t, "a", join("", "a"))
	require.Equal(t, "f/a", join("f", "a"))
}
