package gogit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// shelfView is the view of a tree with some of everything, over a server of this shelf.
func shelfView(t *testing.T, s *shelf) *view {
	t.Helper()
	lost := hexID(someHash)
	r := remoteFor(t, s, Options{})
	store := r.lane.store
	sub := plant(store, object.Entry{Mode: "100755", Name: "run", Raw: string(blobHash("run").Bytes())}, fileEntry("x", "x"))
	store.Root = plant(store,
		fileEntry("file", "file"), object.Entry{Mode: "120000", Name: "link", Raw: string(blobHash("file").Bytes())}, folderEntry("lost", lost),
		object.Entry{Mode: "160000", Name: "mod", Raw: string(lost.Bytes())}, folderEntry("sub", sub),
	)
	v := newView(r, newPushStack(object.SHA1, store, object.ID{}), store.Root)
	v.ctx = t.Context()
	return v
}

func TestAnEntryIsFoundByItsWholePath(t *testing.T) {
	t.Parallel()
	lost := hexID(someHash)
	for path, want := range map[string]gitsink.Entry{
		"file":    {Mode: gitsink.ModeFile, Hash: blobHash("file").String()},
		"sub/x":   {Mode: gitsink.ModeFile, Hash: blobHash("x").String()},
		"sub/run": {Mode: gitsink.ModeExecutable, Hash: blobHash("run").String()},
		"link":    {Mode: gitsink.ModeSymlink, Hash: blobHash("file").String()},
		"mod":     {Mode: gitsink.ModeSubmodule, Hash: lost.String()},
		"sub":     {}, "lost": {}, "none": {}, "sub/none": {}, "none/x": {}, "file/x": {}, "mod/x/y": {}, "": {},
		"/file": {}, "//file": {}, "sub//x": {}, "/sub/x": {}, "file/": {},
	} {
		v := shelfView(t, newShelf())
		got, ok := v.Entry(path)
		require.Equal(t, want, got, path)
		require.Equal(t, want != gitsink.Entry{}, ok, path)
		require.NoError(t, v.end(), path)
	}
	v := shelfView(t, newShelf())
	v.folder = object.ID{}
	_, ok := v.Entry("file")
	require.False(t, ok, "there is no folder")
	require.NoError(t, v.end())
	for _, path := range []string{"lost/x", "lost/x/y"} {
		v = shelfView(t, newShelf())
		_, ok = v.Entry(path)
		require.False(t, ok)
		require.ErrorIs(t, v.end(), object.ErrIncomplete, path)
	}
	v = shelfView(t, newShelf())
	v.folder = lost
	_, ok = v.Entry("x")
	require.False(t, ok)
	require.ErrorIs(t, v.end(), object.ErrIncomplete)
}

func TestPathsAreThoseBelowAFolder(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string][]string{
		"sub": {"sub/run", "sub/x"}, "sub/": {"sub/run", "sub/x"}, "file": nil, "link/x": nil, "none": nil, "su": nil,
	} {
		v := shelfView(t, newShelf())
		sub := treeWith(object.Entry{Mode: "100755", Name: "run", Raw: string(blobHash("run").Bytes())}, fileEntry("x", "x"))
		v.folder = plant(v.stack.store, fileEntry("file", "1"), object.Entry{Mode: "120000", Name: "link", Raw: string(blobHash("").Bytes())}, folderEntry("sub", hashOfTree(sub)))
		v.stack.trees[hashOfTree(sub)] = sub
		require.ElementsMatch(t, want, paths(v, prefix), prefix)
		require.NoError(t, v.end(), prefix)
		v = shelfView(t, newShelf())
		v.folder = object.ID{}
		require.Empty(t, paths(v, prefix))
		require.NoError(t, v.end())
	}
	for _, prefix := range []string{"lost", "lost/x", ""} {
		v := shelfView(t, newShelf())
		for path := range v.Paths(prefix) {
			require.Contains(t, []string{"file", "link"}, path, "what comes before")
		}
		require.ErrorIs(t, v.end(), object.ErrIncomplete, prefix)
	}
}

func TestAViewEndsWithTheFirstThatWentWrong(t *testing.T) {
	t.Parallel()
	v := shelfView(t, newShelf())
	one, two := errors.New("one"), errors.New("two")
	tree, err := v.Tree(v.folder)
	require.NoError(t, err)
	require.NotEmpty(t, tree)
	v.note(one)
	v.note(two)
	_, err = v.Tree(v.folder)
	require.Equal(t, one, err)
	_, ok := v.Entry("file")
	require.False(t, ok)
	require.Empty(t, paths(v, "sub"))
	require.Equal(t, one, v.end())

	v = shelfView(t, newShelf())
	require.NoError(t, v.end())
	_, ok = v.Entry("file")
	require.False(t, ok)
	require.Empty(t, paths(v, "sub"))
	_, err = v.Tree(v.folder)
	require.Equal(t, errPlanOver, err)
	_, err = v.Read(t.Context(), "file")
	require.ErrorContains(t, err, errPlanOver.Error())
	require.NoError(t, v.end(), "nothing was built on it")

	v = shelfView(t, newShelf())
	ctx, cancel := context.WithCancelCause(t.Context())
	v.ctx = ctx
	cancel(one)
	_, err = v.Tree(v.folder)
	require.Equal(t, one, err, "why, and not only that")
	require.Equal(t, one, v.end())
}

func TestAReadAsksOnlyForWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := newShelf()
	for _, name := range []string{"file", "x", "run"} {
		s.put(name, plumbing.BlobObject, name)
	}
	v := shelfView(t, s)
	got, err := v.Read(t.Context(), "none", "link", "mod", "sub", "file/x")
	require.NoError(t, err)
	require.Empty(t, got, "their content is not a file's")
	require.Empty(t, s.asked)

	v.stack.store.Blobs.Put(blobHash("run"), "run")
	v.stack.blobs[blobHash("x")] = []byte("x")
	got, err = v.Read(t.Context(), "sub/x")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"sub/x": []byte("x")}, got)
	require.Empty(t, s.asked, "a plan before has made it")
	got, err = v.Read(t.Context(), "file", "sub/x", "sub/run", "none")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"file": []byte("file"), "sub/x": []byte("x"), "sub/run": []byte("run")}, got)
	require.Equal(t, []string{"file"}, s.asked)
	require.NoError(t, v.end())
}

func TestAReadThatFailsSaysWhatItWasFor(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.put("x", plumbing.BlobObject, "x")
	v := shelfView(t, s)
	got, err := v.Read(t.Context(), "file", "sub/x")
	require.ErrorIs(t, err, gitsink.ErrProtocol, "the server does not have it")
	require.ErrorContains(t, err, `"file", blob `+blobHash("file").String())
	require.Nil(t, got)
	require.NoError(t, v.end(), "the plan may do without")

	for _, test := range []struct {
		paths []string
		named bool
	}{{[]string{"file"}, true}, {[]string{"file", "sub/run"}, false}} {
		v := shelfView(t, s)
		v.remote.auth = func(context.Context) (Auth, error) { return Auth{}, errors.New("no credentials") }
		got, err := v.Read(t.Context(), test.paths...)
		require.ErrorContains(t, err, "no credentials")
		require.Nil(t, got)
		require.Equal(t, test.named, strings.Contains(err.Error(), `"file"`), "%v", err)
		require.False(t, strings.Contains(err.Error(), `"sub/run"`))
		require.NoError(t, v.end())
	}

	v = shelfView(t, s)
	got, err = v.Read(t.Context(), "sub/x", "lost/x")
	require.ErrorContains(t, err, object.ErrIncomplete.Error())
	require.Nil(t, got)
	require.ErrorIs(t, v.end(), object.ErrIncomplete, "nothing may be built on it")
}

func TestAReadEndsWithThePlan(t *testing.T) {
	t.Parallel()
	v := shelfView(t, newShelf())
	v.remote.sink.opts.StepTimeout = 5 * time.Second
	ctx, cancel := context.WithCancelCause(t.Context())
	v.ctx = ctx
	over := errors.New("the plan took too long")
	v.remote.auth = func(ctx context.Context) (Auth, error) {
		cancel(over)
		<-ctx.Done()
		return Auth{}, ctx.Err()
	}
	_, err := v.Read(t.Context(), "file")
	require.ErrorContains(t, err, over.Error())
}

func TestWhatLiesAboveAFolderIsReadUpToWhereItEnds(t *testing.T) {
	t.Parallel()
	const name = ".gitattributes"
	lost := hexID(someHash)
	for _, test := range []struct {
		folder string
		want   map[string]string
		err    error
	}{
		{"", nil, nil},
		{"a", map[string]string{"": "root"}, nil},
		{"a/b", map[string]string{"": "root", "a": "in a"}, nil},
		{"a/b/c/d", map[string]string{"": "root", "a": "in a", "a/b/c": "in c"}, nil},
		{"a/b/c/d/e/f", map[string]string{"": "root", "a": "in a", "a/b/c": "in c"}, nil},
		{"none/a/b", map[string]string{"": "root"}, nil},
		{"file/a/b", map[string]string{"": "root"}, nil},
		{"lost/a", nil, object.ErrIncomplete},
	} {
		s := newShelf()
		v := shelfView(t, s)
		store := v.stack.store
		c := plant(store, fileEntry(name, "in c"))
		b := plant(store, object.Entry{Mode: "120000", Name: name, Raw: string(blobHash("link").Bytes())}, folderEntry("c", c))
		a := plant(store, fileEntry(name, "in a"), folderEntry("b", b))
		v.stack.root = plant(store, fileEntry(name, "root"), folderEntry("a", a), fileEntry("file", "1"), folderEntry("lost", lost))
		v.remote.dst.BaseFolder = test.folder
		want := map[string][]byte{}
		for dir, content := range test.want {
			want[dir] = []byte(content)
			v.stack.blobs[blobHash(content)] = []byte(content)
		}
		got, err := v.ReadAbove(t.Context(), name)
		require.Empty(t, s.asked)
		if test.err != nil {
			require.ErrorContains(t, err, test.err.Error(), test.folder)
			require.ErrorIs(t, v.end(), test.err)
			continue
		}
		require.NoError(t, err, test.folder)
		require.Equal(t, want, got, test.folder)
		v.stack.root = object.ID{}
		got, err = v.ReadAbove(t.Context(), name)
		require.NoError(t, err, "a branch that is none")
		require.Empty(t, got)
	}
}
