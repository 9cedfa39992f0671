package gogit

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// walkerOf is a walker of a store that gives up after so many files, with what it has yielded.
func walkerOf(s *store, most int) (w *walker, yielded *[]string) {
	yielded = &[]string{}
	w = &walker{
		view: viewOf(s, plumbing.ZeroHash), barren: map[plumbing.Hash]bool{}, left: 1 << 20,
		yield: func(path string, _ gitsink.Entry) bool {
			*yielded = append(*yielded, path)
			return len(*yielded) < most
		},
	}
	return w, yielded
}

func TestAWalkYieldsTheFilesInOrderAndSaysHowItEnded(t *testing.T) {
	t.Parallel()
	s := newStore()
	empty := plant(s)
	hollow := plant(s, folderEntry("a", empty), folderEntry("b", empty))
	sub := plant(s, fileEntry("x", "1"), folderEntry("y", hollow))
	deep := plant(s, folderEntry("sub", sub), folderEntry("tail", empty))
	lost := plumbing.NewHash(someHash)
	twins := plant(s, fileEntry("t", "1"), fileEntry("t", "2"))
	const broken = "100644 a\x00short"
	s.add(hashOfTree(broken), broken)
	for _, test := range []struct {
		name        string
		all         []entry
		most        int
		want        []string
		files, more bool
		err         error
	}{
		{"nothing", nil, 9, nil, false, true, nil},
		{"folders without files", []entry{folderEntry("a", empty), folderEntry("b", hollow)}, 9, nil, false, true, nil},
		{
			"a folder that stands there often", []entry{folderEntry("a", deep), fileEntry("b", "1"), folderEntry("c", deep), folderEntry("d", sub), folderEntry("e", empty)},
			9, []string{"p/a/sub/x", "p/b", "p/c/sub/x", "p/d/x"}, true, true, nil,
		},
		{"a file and then an empty folder", []entry{fileEntry("a", "1"), folderEntry("b", empty)}, 9, []string{"p/a"}, true, true, nil},
		{"enough at the top", []entry{fileEntry("a", "1"), fileEntry("b", "1")}, 1, []string{"p/a"}, true, false, nil},
		{"enough below", []entry{folderEntry("a", deep), fileEntry("b", "1")}, 1, []string{"p/a/sub/x"}, true, false, nil},
		{"a folder that is missing", []entry{fileEntry("a", "1"), folderEntry("b", lost), fileEntry("c", "1")}, 9, []string{"p/a"}, true, false, errIncomplete},
		{"a folder that is damaged", []entry{folderEntry("b", hashOfTree(broken)), fileEntry("c", "1")}, 9, nil, true, false, errDamaged},
		{"a folder with twins", []entry{folderEntry("b", twins), fileEntry("c", "1")}, 9, nil, true, false, gitsink.ErrPath},
		{"a folder that is wrong itself", []entry{fileEntry("c", "1"), fileEntry("b", "1")}, 9, nil, false, false, gitsink.ErrPath},
	} {
		w, yielded := walkerOf(s, test.most)
		files, more := w.walk(plant(s, test.all...), "p/")
		require.ElementsMatch(t, test.want, *yielded, test.name)
		require.Equal(t, test.files, files, test.name)
		require.Equal(t, test.more, more, test.name)
		if test.err == nil {
			require.NoError(t, w.view.end(), test.name)
		} else {
			require.ErrorIs(t, w.view.end(), test.err, test.name)
		}
	}
	w, _ := walkerOf(s, 9)
	w.walk(plant(s, folderEntry("a", deep), folderEntry("b", hollow)), "")
	require.Equal(t, map[plumbing.Hash]bool{empty: true, hollow: true}, w.barren)
	w, _ = walkerOf(s, 9)
	files, more := w.walk(lost, "")
	require.False(t, files || more)

	bomb := empty
	for range 200 {
		bomb = plant(s, folderEntry("a", bomb), folderEntry("b", bomb))
	}
	w, yielded := walkerOf(s, 9)
	files, more = w.walk(bomb, "")
	require.False(t, files)
	require.True(t, more)
	require.Empty(t, *yielded)
}

func TestThePathsOfAWalkHaveTheirBounds(t *testing.T) {
	t.Parallel()
	s := newStore()
	root := plant(s, fileEntry("x", "1"))
	for length, fits := range map[int]bool{maxWalkedPath: true, maxWalkedPath + 1: false} {
		w, yielded := walkerOf(s, 9)
		files, more := w.walk(root, strings.Repeat("p", length))
		require.Equal(t, fits, files)
		require.Equal(t, fits, more)
		require.Equal(t, fits, len(*yielded) == 1)
		err := w.view.end()
		require.Equal(t, !fits, errors.Is(err, gitsink.ErrTooLarge), "%v", err)
		if !fits {
			require.ErrorContains(t, err, "more than 4096 bytes, which no clone can hold")
		}
	}
	for left, fits := range map[int64]bool{2*pathOverhead + 4: true, 2*pathOverhead + 3: false} {
		s := newStore()
		w, yielded := walkerOf(s, 9)
		w.left = left
		files, more := w.walk(plant(s, fileEntry("ab", "1"), fileEntry("cd", "1"), folderEntry("e", plumbing.ZeroHash)), "")
		require.True(t, files)
		require.Equal(t, fits, more)
		require.Equal(t, map[bool]int{true: 2, false: 1}[fits], len(*yielded))
		err := w.view.end()
		require.Equal(t, !fits, errors.Is(err, gitsink.ErrTooLarge), "%v", err)
		if !fits {
			require.ErrorContains(t, err, `up to "cd", the paths below the base folder take more than`)
			require.ErrorIs(t, err, errTooMuch)
		}
	}
	v := viewOf(s, root)
	v.remote.sink.opts.MaxHeldBytes = pathOverhead
	require.Empty(t, paths(v, ""), "the bound is that of the options")
	require.ErrorContains(t, v.end(), "more than 128 bytes")

	for length, cuts := range map[int]bool{maxExcerpt - 1: false, maxExcerpt: false, maxExcerpt + 1: true} {
		text := strings.Repeat("x", length)
		require.Equal(t, cuts, strings.HasSuffix(quoted(text), "..."))
		require.Len(t, cut(text), min(length, maxExcerpt))
	}
	require.Equal(t, `"ä"`, quoted("ä"))
}

func TestNamesThatNoPathCanHaveAreFaultsOfTheFolder(t *testing.T) {
	t.Parallel()
	folder := func(name string) entry { return folderEntry(name, plumbing.ZeroHash) }
	file := func(name string) entry { return fileEntry(name, "1") }
	long := strings.Repeat("n", maxExcerpt)
	const notAllowed, order = "is not allowed in Git", "the entries of the folder are not in Git's order"
	for _, test := range []struct {
		all  []entry
		path string // of the fault, below p/
		says string // "": nothing
	}{
		{nil, "", ""},
		{[]entry{file("a"), file("a.b"), file("ab"), file("b"), file("b0"), folder("c"), file("c0"), folder("c0d")}, "", ""},
		{[]entry{folder("a"), folder("b"), file("c"), folder("d")}, "", ""},
		{[]entry{file("...a"), file(".gita"), file("git")}, "", ""},
		{[]entry{file("")}, "", "an entry has no name"},
		{[]entry{file(".")}, ".", `the name "." of an entry ` + notAllowed},
		{[]entry{folder("..")}, "..", `the name ".." of an entry ` + notAllowed},
		{[]entry{file(".git")}, ".git", notAllowed},
		{[]entry{folder(".GiT")}, ".GiT", notAllowed},
		{[]entry{file("a/b")}, "a/b", notAllowed},
		{[]entry{file("a"), file("b"), file("a")}, "a", order},
		{[]entry{folder("a"), file("a")}, "a", order},
		{[]entry{folder("a"), file("a.b")}, "a.b", order},
		{[]entry{file("a"), file("a")}, "a", `two entries have the name "a"`},
		{[]entry{folder("a"), folder("a")}, "a", `two entries have the name "a"`},
		{[]entry{file("a"), folder("a")}, "a", `two entries have the name "a"`},
		{[]entry{file("a"), file("a.b"), folder("a.c"), folder("a")}, "a", `two entries have the name "a"`},
		{[]entry{file("a"), file("a-"), file("a--"), folder("a-")}, "a-", `two entries have the name "a-"`},
		{[]entry{file(".git" + long), file(".git" + long)}, (".git" + long)[:maxExcerpt-2], "..."},
	} {
		err := checkNames(treeWith(test.all...), "p/")
		if test.says == "" {
			require.NoError(t, err)
			continue
		}
		var wrong *pathError
		if strings.HasPrefix(test.says, "...") {
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, "p/"+test.path, wrong.path)
			require.True(t, strings.HasSuffix(wrong.reason, `"...`), wrong.reason)
			continue
		}
		require.ErrorAs(t, err, &wrong, "%q", test.all)
		require.Equal(t, "p/"+test.path, wrong.path)
		require.Contains(t, wrong.reason, test.says)
		require.ErrorIs(t, err, gitsink.ErrPath)
	}
	err := checkNames(treeWith(file("a"))+"x", "p/")
	require.ErrorIs(t, err, errDamaged)
	require.EqualError(t, err, `the folder "p/": tree is damaged`)
}
