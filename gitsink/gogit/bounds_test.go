package gogit

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// paths of a store alone, as a plan would see them.
func viewOf(s *object.Store, folder object.ID) *view {
	v := newView(&remote{sink: &Sink{opts: (*Options)(nil).withDefaults()}}, newPushStack(object.SHA1, s, object.ID{}), folder)
	v.ctx = context.Background()
	return v
}

func TestAHundredThousandFoldersDeepIsAnErrorThatNamesThePath(t *testing.T) {
	s := object.NewStore()
	hash := object.ID{}
	data := "100644 x\x00" + strings.Repeat("1", 20)
	for range 100_000 {
		o := object.New(object.SHA1, plumbing.TreeObject, []byte(data))
		s.Add(o.Hash, data)
		hash = o.Hash
		data = "40000 d\x00" + string(hash.Bytes())
	}
	v := viewOf(s, hash)
	require.Empty(t, paths(v, ""))
	err := v.end()
	require.ErrorIs(t, err, gitsink.ErrTooLarge)
	require.ErrorContains(t, err, `"d/d/d/`)
	require.Less(t, len(err.Error()), 1000)
}

func TestAnEntryWithoutANameIsRefusedInTheFolderAndKeptElsewhere(t *testing.T) {
	s := object.NewStore()
	data := "100644 \x00" + strings.Repeat("1", 20) + "100644 x\x00" + strings.Repeat("2", 20)
	o := object.New(object.SHA1, plumbing.TreeObject, []byte(data))
	s.Add(o.Hash, data)
	v := viewOf(s, o.Hash)
	require.Empty(t, paths(v, ""))
	require.ErrorIs(t, v.end(), gitsink.ErrPath)
	e, err := object.NewEditor(object.SHA1, s, o.Hash)
	require.NoError(t, err)
	require.NoError(t, e.Apply("y", gitsink.Change{Data: []byte("1")}))
	_, objects := e.Commit()
	require.Contains(t, string(objects[len(objects)-1].Data), data)
}

func TestAPlanThatIgnoresTheEndOfItsContextIsLeftBehind(t *testing.T) {
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	s := New(&Options{RateLimit: unpaced, PlanTimeout: 50 * time.Millisecond})
	release, seen := make(chan struct{}), make(chan error, 1)
	began := time.Now()
	_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		<-release
		_, err := base.Read(context.Background(), "a")
		seen <- err
		return nil, nil
	})
	require.ErrorContains(t, err, "the plan took longer than 50ms")
	require.Less(t, time.Since(began), 30*time.Second)
	apply(t, s, target(repo.URL(), "main", ""), put("b", "1")) // the lane is free
	require.NoError(t, s.Close())
	close(release)
	require.Error(t, <-seen, "its tree is of no use any more")
}

func TestCloseAndTheEndOfAContextEndAWalk(t *testing.T) {
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	s := New(&Options{RateLimit: unpaced})
	walking, result := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Apply(context.WithoutCancel(t.Context()), target(repo.URL(), "main", ""), func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
			close(walking)
			for found := true; found; {
				found = false
				for range base.Paths("") {
					found = true
				}
			}
			return put("b", "1")(nil, nil)
		})
		result <- err
	}()
	<-walking
	require.NoError(t, s.Close())
	require.ErrorContains(t, <-result, "the sink is closed")
	require.NotContains(t, repo.Tree("main"), "b")
}

// FuzzTree edits whatever may be in a tree: what the change does not name stays, and the walk ends.
func FuzzTree(f *testing.F) {
	hash := strings.Repeat("1", 20)
	for _, tree := range []string{"", "100644 a\x00" + hash, "100644 a\x00" + hash + "40000 a\x00" + hash, "40000 ..\x00" + hash, "100644 \x00" + hash, "x", "0 \x00"} {
		f.Add(tree, "new")
	}
	f.Fuzz(func(t *testing.T, tree, name string) {
		s := object.NewStore()
		o := object.New(object.SHA1, plumbing.TreeObject, []byte(tree))
		s.Add(o.Hash, tree)
		_ = paths(viewOf(s, o.Hash), "")
		var before []object.Entry
		for e, err := range object.Entries(object.SHA1, tree) {
			if err != nil {
				return
			}
			if e.Name != name {
				before = append(before, e)
			}
		}
		e, err := object.NewEditor(object.SHA1, s, o.Hash)
		require.NoError(t, err)
		if destination.ValidatePath(name) != nil || strings.Contains(name, "/") || e.Apply(name, gitsink.Change{Data: []byte("1")}) != nil {
			return
		}
		root, objects := e.Commit()
		after := tree
		for _, o := range objects {
			if o.Hash == root {
				after = string(o.Data)
			}
		}
		var kept []object.Entry
		for e, err := range object.Entries(object.SHA1, after) {
			if err == nil && e.Name != name {
				kept = append(kept, e)
			}
		}
		require.Equal(t, before, kept)
	})
}

func TestABoundMayBeReached(t *testing.T) {
	w := &walker{left: int64(len("a/b")) + pathOverhead}
	require.True(t, w.take("a/b"))
	require.Zero(t, w.left)
}
