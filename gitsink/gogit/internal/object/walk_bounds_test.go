package object

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAnExcerptIsShownAsFarAsItCanBeRead(t *testing.T) {
	t.Parallel()
	for length, cuts := range map[int]bool{maxExcerpt - 1: false, maxExcerpt: false, maxExcerpt + 1: true} {
		text := strings.Repeat("x", length)
		require.Equal(t, cuts, strings.HasSuffix(Quoted(text), "..."))
		require.Len(t, cut(text), min(length, maxExcerpt))
	}
	require.Equal(t, `"ä"`, Quoted("ä"))
}

func TestNamesThatNoPathCanHaveAreFaultsOfTheFolder(t *testing.T) {
	t.Parallel()
	folder := func(name string) Entry { return folderEntry(name, ID{}) }
	file := func(name string) Entry { return fileEntry(name, "1") }
	long := strings.Repeat("n", maxExcerpt)
	const notAllowed, order = "is not allowed in Git", "the entries of the folder are not in Git's order"
	for _, test := range []struct {
		all  []Entry
		path string // of the fault, below p/
		says string // "": nothing
	}{
		{nil, "", ""},
		{[]Entry{file("a"), file("a.b"), file("ab"), file("b"), file("b0"), folder("c"), file("c0"), folder("c0d")}, "", ""},
		{[]Entry{folder("a"), folder("b"), file("c"), folder("d")}, "", ""},
		{[]Entry{file("...a"), file(".gita"), file("git")}, "", ""},
		{[]Entry{file("")}, "", "an entry has no name"},
		{[]Entry{file(".")}, ".", `the name "." of an entry ` + notAllowed},
		{[]Entry{folder("..")}, "..", `the name ".." of an entry ` + notAllowed},
		{[]Entry{file(".git")}, ".git", notAllowed},
		{[]Entry{folder(".GiT")}, ".GiT", notAllowed},
		{[]Entry{file("a/b")}, "a/b", notAllowed},
		{[]Entry{file("a"), file("b"), file("a")}, "a", order},
		{[]Entry{folder("a"), file("a")}, "a", order},
		{[]Entry{folder("a"), file("a.b")}, "a.b", order},
		{[]Entry{file("a"), file("a")}, "a", `two entries have the name "a"`},
		{[]Entry{folder("a"), folder("a")}, "a", `two entries have the name "a"`},
		{[]Entry{file("a"), folder("a")}, "a", `two entries have the name "a"`},
		{[]Entry{file("a"), file("a.b"), folder("a.c"), folder("a")}, "a", `two entries have the name "a"`},
		{[]Entry{file("a"), file("a-"), file("a--"), folder("a-")}, "a-", `two entries have the name "a-"`},
		{[]Entry{file(".git" + long), file(".git" + long)}, (".git" + long)[:maxExcerpt-2], "..."},
	} {
		err := CheckNames(SHA1, treeWith(test.all...), "p/")
		if test.says == "" {
			require.NoError(t, err)
			continue
		}
		var wrong *PathError
		if strings.HasPrefix(test.says, "...") {
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, "p/"+test.path, wrong.Path)
			require.True(t, strings.HasSuffix(wrong.Reason, `"...`), wrong.Reason)
			continue
		}
		require.ErrorAs(t, err, &wrong, "%q", test.all)
		require.Equal(t, "p/"+test.path, wrong.Path)
		require.Contains(t, wrong.Reason, test.says)
		require.ErrorIs(t, err, gitsink.ErrPath)
	}
	err := CheckNames(SHA1, treeWith(file("a"))+"x", "p/")
	require.ErrorIs(t, err, ErrDamaged)
	require.EqualError(t, err, `the folder "p/": tree is damaged`)
}
