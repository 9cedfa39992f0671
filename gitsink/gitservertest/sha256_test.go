package gitservertest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestASHA256RepositoryIsServedAndJudged(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
	login := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
	repo := server.NewRepo("app.git")
	require.Equal(t, "sha256", repo.Git("rev-parse", "--show-object-format"))

	var pushed guarded[[]gitservertest.RefUpdate]
	repo.OnPreReceive(func(updates []gitservertest.RefUpdate) error { pushed.set(updates); return nil })
	client := newClient(t, login.Env(), "--object-format=sha256")
	first := client.commit("a", "1")
	out, err := client.push(repo.URL())
	require.NoError(t, err, out)
	require.Len(t, first, 64)
	require.Equal(t, []gitservertest.RefUpdate{{Ref: "refs/heads/main", Old: strings.Repeat("0", 64), New: first}}, pushed.get())

	module := strings.Repeat("1", 64)
	second := repo.Commit("main", map[string]gitservertest.File{
		"b": {Content: "2"}, "module": {Mode: gitservertest.ModeSubmodule, Content: module},
	}, "outside")
	root := repo.Commit("other", nil, "a root")
	require.Equal(t, []string{"main", "other"}, repo.Branches())
	tip, ok := repo.Tip("main")
	require.True(t, ok)
	require.Equal(t, second, tip)
	require.Equal(t, map[string]string{"a": "1", "b": "2", "module": module}, repo.Tree("main"))
	require.Len(t, repo.List("main")["b"].Hash, 64)
	require.Equal(t, map[string]gitservertest.File{"a": {Content: "1"}}, repo.Show(first))
	log := repo.Log("main")
	require.Equal(t, []string{second, first}, []string{log[0].Hash, log[1].Hash})
	require.Equal(t, []string{first}, log[0].Parents)
	require.Empty(t, repo.Log("other")[0].Parents)
	repo.Linear("main", first)
	repo.Fsck()

	for _, url := range []string{repo.URL(), repo.SSHURL(), repo.FileURL()} {
		client.must("fetch", "--quiet", url, "main", "other")
		require.Equal(t, second+"\n"+root, client.must("rev-parse", second, root), url)
	}
}

func TestAnUnknownObjectFormatEndsTheTest(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	r.requireVerdict(t, `ObjectFormat "md5"`, func() {
		gitservertest.NewServer(r, &gitservertest.ServerOptions{ObjectFormat: "md5"})
	})
}
