package gogit

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// large plans a commit for each name, of a file in a folder that holds many.
func large(names ...string) gitsink.Plan {
	var commits []gitsink.Commit
	for _, name := range names {
		commits = append(commits, gitsink.Commit{Message: name, Changes: writes(name, "mine")})
	}
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return commits, nil }
}

func TestALargeFolderIsSentByWhatIsDifferentInIt(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, server *gitservertest.Server, repo *gitservertest.Repo, url string) {
		all := map[string]gitservertest.File{}
		for i := range 2000 {
			all[fmt.Sprintf("base/dir/file-%04d", i)] = gitservertest.File{Content: "theirs"}
		}
		repo.Commit("main", all, "outside")
		s, d := newSink(t, nil), target(url, "main", "base")
		apply(t, s, d, large("dir/file-0000"))
		server.ResetCounts()
		apply(t, s, d, large("dir/a", "dir/file-1000", "dir/z", "dir/new/x", "dir/file-1999", "dir/file-0500"))
		sent := server.Count(gitservertest.ReceivePack, gitservertest.RPC).In // of HTTP only
		require.Less(t, sent, int64(8<<10), "six commits of a folder of 70 kB")
		apply(t, s, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
			return []gitsink.Commit{{Changes: []gitsink.Change{{Path: "dir/file-0001", Remove: true}}}}, nil
		})
		repo.Commit("main", files("base/dir/file-0002", "again"), "outside")
		apply(t, s, d, large("dir/file-0003"))
		apply(t, s, target(url, "other", "base"), large("dir/file-0004"))
		var many []string // objects that the server keeps as a pack, which it completes itself
		for i := range 40 {
			many = append(many, fmt.Sprintf("dir/file-%04d", 600+i))
		}
		apply(t, s, d, large(many...))
		for _, branch := range []string{"main", "other"} {
			tree := repo.Tree(branch)
			require.Len(t, tree, 2002)
			require.Equal(t, "mine", tree["base/dir/file-0500"])
			require.Equal(t, "again", tree["base/dir/file-0002"])
			require.NotContains(t, tree, "base/dir/file-0001")
		}
		require.Equal(t, "mine", repo.Tree("other")["base/dir/file-0004"])
		repo.Fsck()
	})
}

// The model server cannot read deltas, and says so.
func TestAServerThatWantsObjectsWholeGetsThem(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	s := newSink(t, &Options{Transport: m})
	d := target("http://model.example/app", "main", "")
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("file", i))
	}
	apply(t, s, d, large(names...))
	require.Len(t, apply(t, s, d, large("file3", "new")).Commits, 1)
}
