package object

import (
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

const executable = "100755"

func TestACopyMakesTreesAndNoContent(t *testing.T) {
	s := NewStore()
	script := fileEntry("run", "1")
	script.Mode = executable
	sub := plant(s, fileEntry("a", "x"))
	root := plant(s, fileEntry("b", "y"), script, folderEntry("sub", sub))
	e, err := NewEditor(SHA1, s, root)
	require.NoError(t, err)
	finder := NewFinder(s)
	for path, from := range map[string]string{"new/deep/a": "sub/a", "b": "run"} {
		file, err := finder.FileAt(root, from)
		require.NoError(t, err)
		require.NoError(t, e.Copy(path, file))
	}
	after, objects := e.Commit()
	for _, o := range objects {
		require.Equal(t, plumbing.TreeObject, o.Kind)
		s.Add(o.Hash, string(o.Data))
	}
	copied, err := NewFinder(s).FileAt(after, "new/deep/a")
	require.NoError(t, err)
	require.Equal(t, fileEntry("a", "x").Raw, copied.Raw)
	replaced, err := NewFinder(s).FileAt(after, "b")
	require.NoError(t, err)
	require.Equal(t, script.Raw, replaced.Raw)
	require.Equal(t, executable, replaced.Mode)

	// The same again changes nothing, and content after a copy counts.
	require.NoError(t, e.Copy("b", script))
	same, objects := e.Commit()
	require.Equal(t, after, same)
	require.Empty(t, objects)
	require.NoError(t, e.Apply("b", gitsink.Change{Path: "b", Data: []byte("z")}))
	require.NoError(t, e.Copy("b", fileEntry("b", "y")))
	_, objects = e.Commit()
	for _, o := range objects {
		require.Equal(t, plumbing.TreeObject, o.Kind, "what was written before the copy is not sent")
	}
}

func TestACopyMakesNoAttributesUnseen(t *testing.T) {
	for _, from := range []string{"a", ".gitattributes"} {
		err := CheckPaths("base", []gitsink.Commit{{Changes: []gitsink.Change{{Path: "sub/.gitattributes", From: from}}}})
		require.ErrorIs(t, err, gitsink.ErrPath)
	}
}
