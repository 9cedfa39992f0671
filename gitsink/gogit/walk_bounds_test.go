package gogit

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// walkerOf is a walker of a store that gives up after so many files, with what it has yielded.
func walkerOf(s *object.Store, most int) (w *walker, yielded *[]string) {
	yielded = &[]string{}
	v := viewOf(s, object.ID{})
	w = newWalker(v, v.note, 1<<20, func(path string, _ gitsink.Entry) bool {
		*yielded = append(*yielded, path)
		return len(*yielded) < most
	})
	return w, yielded
}

func TestAWalkYieldsTheFilesInOrderAndSaysHowItEnded(t *testing.T) {
	t.Parallel()
	s := object.NewStore()
	empty := plant(s)
	hollow := plant(s, folderEntry("a", empty), folderEntry("b", empty))
	sub := plant(s, fileEntry("x", "1"), folderEntry("y", hollow))
	deep := plant(s, folderEntry("sub", sub), folderEntry("tail", empty))
	lost := hexID(someHash)
	twins := plant(s, fileEntry("t", "1"), fileEntry("t", "2"))
	const broken = "100644 a\x00short"
	s.Add(hashOfTree(broken), broken)
	for _, test := range []struct {
		name        string
		all         []object.Entry
		most        int
		want        []string
		files, more bool
		err         error
	}{
		{"nothing", nil, 9, nil, false, true, nil},
		{"folders without files", []object.Entry{folderEntry("a", empty), folderEntry("b", hollow)}, 9, nil, false, true, nil},
		{
			"a folder that stands there often", []object.Entry{folderEntry("a", deep), fileEntry("b", "1"), folderEntry("c", deep), folderEntry("d", sub), folderEntry("e", empty)},
			9, []string{"p/a/sub/x", "p/b", "p/c/sub/x", "p/d/x"}, true, true, nil,
		},
		{"a file and then an empty folder", []object.Entry{fileEntry("a", "1"), folderEntry("b", empty)}, 9, []string{"p/a"}, true, true, nil},
		{"enough at the top", []object.Entry{fileEntry("a", "1"), fileEntry("b", "1")}, 1, []string{"p/a"}, true, false, nil},
		{"enough below", []object.Entry{folderEntry("a", deep), fileEntry("b", "1")}, 1, []string{"p/a/sub/x"}, true, false, nil},
		{"a folder that is missing", []object.Entry{fileEntry("a", "1"), folderEntry("b", lost), fileEntry("c", "1")}, 9, []string{"p/a"}, true, false, object.ErrIncomplete},
		{"a folder that is damaged", []object.Entry{folderEntry("b", hashOfTree(broken)), fileEntry("c", "1")}, 9, nil, true, false, object.ErrDamaged},
		{"a folder with twins", []object.Entry{folderEntry("b", twins), fileEntry("c", "1")}, 9, nil, true, false, gitsink.ErrPath},
		{"a folder that is wrong itself", []object.Entry{fileEntry("c", "1"), fileEntry("b", "1")}, 9, nil, false, false, gitsink.ErrPath},
	} {
		w, yielded := walkerOf(s, test.most)
		files, more := w.walk(plant(s, test.all...), "p/")
		require.ElementsMatch(t, test.want, *yielded, test.name)
		require.Equal(t, test.files, files, test.name)
		require.Equal(t, test.more, more, test.name)
		if test.err == nil {
			require.NoError(t, w.trees.(*view).end(), test.name)
		} else {
			require.ErrorIs(t, w.trees.(*view).end(), test.err, test.name)
		}
	}
	w, _ := walkerOf(s, 9)
	w.walk(plant(s, folderEntry("a", deep), folderEntry("b", hollow)), "")
	require.Equal(t, map[object.ID]bool{empty: true, hollow: true}, w.barren)
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
	s := object.NewStore()
	root := plant(s, fileEntry("x", "1"))
	for length, fits := range map[int]bool{maxWalkedPath: true, maxWalkedPath + 1: false} {
		w, yielded := walkerOf(s, 9)
		files, more := w.walk(root, strings.Repeat("p", length))
		require.Equal(t, fits, files)
		require.Equal(t, fits, more)
		require.Equal(t, fits, len(*yielded) == 1)
		err := w.trees.(*view).end()
		require.Equal(t, !fits, errors.Is(err, gitsink.ErrTooLarge), "%v", err)
		if !fits {
			require.ErrorContains(t, err, "more than 4096 bytes, which no clone can hold")
		}
	}
	for left, fits := range map[int64]bool{2*pathOverhead + 4: true, 2*pathOverhead + 3: false} {
		s := object.NewStore()
		w, yielded := walkerOf(s, 9)
		w.left = left
		files, more := w.walk(plant(s, fileEntry("ab", "1"), fileEntry("cd", "1"), folderEntry("e", object.ID{})), "")
		require.True(t, files)
		require.Equal(t, fits, more)
		require.Equal(t, map[bool]int{true: 2, false: 1}[fits], len(*yielded))
		err := w.trees.(*view).end()
		require.Equal(t, !fits, errors.Is(err, gitsink.ErrTooLarge), "%v", err)
		if !fits {
			require.ErrorContains(t, err, `up to "cd", the paths below the base folder take more than`)
			require.ErrorIs(t, err, object.ErrTooMuch)
		}
	}
	v := viewOf(s, root)
	v.remote.sink.opts.MaxHeldBytes = pathOverhead
	require.Empty(t, paths(v, ""), "the bound is that of the options")
	require.ErrorContains(t, v.end(), "more than 128 bytes")
}
