package gogit

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// seen applies a plan that changes nothing, and returns the paths that it saw.
func seen(t *testing.T, s *Sink, url, branch, folder string) []string {
	t.Helper()
	var all []string
	apply(t, s, target(url, branch, folder), func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		all = paths(tree, "")
		slices.Sort(all)
		return nil, nil
	})
	return all
}

// fetched counts the requests for packs, and what they answered, since the last call.
func fetched(server *gitservertest.Server) (requests int, bytes int64) {
	count := server.Count(gitservertest.UploadPack, gitservertest.RPC)
	server.ResetCounts()
	return count.Requests, count.Out
}

func storeOf(s *Sink) *object.Store {
	s.workers.Wait()
	return slices.Collect(maps.Values(s.lanes.all))[0].store
}

func TestOnlyTheFoldersTreesAreFetched(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	many := map[string]gitservertest.File{}
	for i := range 8000 {
		many[fmt.Sprintf("clusters/c%d/ns-%03d/file-%04d", i/2000, i/20, i)] = gitservertest.File{Content: fmt.Sprint(i)}
	}
	many["elsewhere/file"] = gitservertest.File{Content: "x"}
	repo.Commit("main", many, "fill")
	_, _ = fetched(server)

	s := newSink(t, nil)
	require.Len(t, seen(t, s, repo.URL(), "main", "clusters/c1/ns-100"), 20)
	requests, bytes := fetched(server)
	require.Equal(t, 4, requests, "the commit with its root, clusters, c1, ns-100 whole")
	require.Less(t, bytes, int64(20_000))
	require.Less(t, storeOf(s).Trees.Len(), 6)

	require.Len(t, seen(t, s, repo.URL(), "main", "clusters/c2"), 2000)
	requests, bytes = fetched(server)
	require.Equal(t, 2, requests, "the commit and c2 whole")
	require.Less(t, bytes, int64(150_000))

	apply(t, s, target(repo.URL(), "main", "clusters/c2"), put("ns-200/file-4000", "mine"))
	require.Len(t, seen(t, s, repo.URL(), "main", "clusters/c1/ns-100"), 20)
	requests, _ = fetched(server)
	require.Zero(t, requests, "our own commit is known")

	repo.Commit("main", files("elsewhere/file", "y"), "outside")
	require.Len(t, seen(t, s, repo.URL(), "main", "clusters/c1/ns-100"), 20)
	requests, bytes = fetched(server)
	require.Equal(t, 1, requests, "no tree on the way to the folder has changed")
	require.Less(t, bytes, int64(1000))

	repo.Commit("main", files("clusters/c2/ns-201/new", "y"), "outside")
	require.Len(t, seen(t, s, repo.URL(), "main", "clusters/c2"), 2001)
	requests, bytes = fetched(server)
	require.Equal(t, 4, requests, "level by level: only what has changed")
	require.Less(t, bytes, int64(20_000))
	require.False(t, storeOf(s).Complete)

	require.Len(t, seen(t, s, repo.URL(), "main", ""), 8002)
	require.True(t, storeOf(s).Complete)
	repo.Fsck()
}

// A server that is told of a commit that the client has leaves out everything that the commit
// reaches: a store that holds the trees of one folder only would miss a tree that was elsewhere
// before.
func TestATreeCopiedIntoTheFolderFromElsewhereIsFetched(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	eachScoped(t, func(t *testing.T, repo *gitservertest.Repo, s *Sink, url string) {
		repo.Commit("main", files("theirs/deep/dir/a", "1", "theirs/deep/dir/b", "1", "ours/x", "1"), "start")
		repo.Git("repack", "-adqb")
		require.Equal(t, []string{"x"}, seen(t, s, url, "main", "ours"))
		copied := files("ours/deep/dir/a", "1", "ours/deep/dir/b", "1", "theirs/deep/dir/a", "2")
		repo.Commit("main", copied, "copy and edit the original")
		require.Equal(t, []string{"deep/dir/a", "deep/dir/b", "x"}, seen(t, s, url, "main", "ours"))
		apply(t, s, target(url, "main", "ours"), put("deep/dir/c", "1"))
		require.Equal(t, map[string]string{
			"theirs/deep/dir/a": "2", "theirs/deep/dir/b": "1", "ours/x": "1",
			"ours/deep/dir/a": "1", "ours/deep/dir/b": "1", "ours/deep/dir/c": "1",
		}, repo.Tree("main"))
	})
}

// A folder above the base folder is here, but not what is below it: being here is not enough.
func TestAFolderOnTheWayThatMovesIntoTheFolderIsFetchedBelow(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	eachScoped(t, func(t *testing.T, repo *gitservertest.Repo, s *Sink, url string) {
		repo.Commit("main", files("a/b/c/ours/x", "1", "a/b/c/theirs/y", "1", "a/z", "1"), "start")
		require.Equal(t, []string{"x"}, seen(t, s, url, "main", "a/b/c/ours"))
		before := repo.Git("rev-parse", "main:a/b")
		repo.Commit("main", files("a/b/c/ours/copy/c/ours/x", "1", "a/b/c/ours/copy/c/theirs/y", "1"), "copy")
		require.Equal(t, before, repo.Git("rev-parse", "main:a/b/c/ours/copy"))
		require.Equal(t, []string{"copy/c/ours/x", "copy/c/theirs/y", "x"}, seen(t, s, url, "main", "a/b/c/ours"))
	})
}

func TestAFolderThatComesGoesAndIsReplacedIsSeenAsItIs(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	eachScoped(t, func(t *testing.T, repo *gitservertest.Repo, s *Sink, url string) {
		d := target(url, "main", "way/to/ours")
		repo.Commit("main", files("other", "1"), "start")
		require.Empty(t, seen(t, s, url, "main", d.BaseFolder))
		repo.Commit("main", files("way/to/ours/dir/x", "1", "way/y", "1"), "it comes")
		require.Equal(t, []string{"dir/x"}, seen(t, s, url, "main", d.BaseFolder))
		repo.Commit("main", map[string]gitservertest.File{"way/to/ours/dir/x": {Remove: true}}, "it goes")
		require.Empty(t, seen(t, s, url, "main", d.BaseFolder))
		repo.Commit("main", files("way/to", "a file"), "a file on the way")
		e := refuse(t, s, d, put("a", "1"), gitsink.ErrPath)
		require.ErrorContains(t, e, `"to" is a file, not a folder`)
		forced := repo.Git("commit-tree", "-m", "another history", repo.Git("rev-parse", "main~2^{tree}"))
		repo.Git("update-ref", "refs/heads/main", forced)
		require.Equal(t, []string{"dir/x"}, seen(t, s, url, "main", d.BaseFolder))
		repo.Git("update-ref", "-d", "refs/heads/main")
		apply(t, s, d, put("a", "1"))
		require.Equal(t, map[string]string{"way/to/ours/a": "1"}, repo.Tree("main"))
	})
}

func TestAMissingBranchOfManyFoldersStartsWithTheDefaultBranch(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	eachScoped(t, func(t *testing.T, repo *gitservertest.Repo, s *Sink, url string) {
		repo.Commit("main", files("a/b/x", "1", "c/d/y", "1", "e", "1"), "start")
		apply(t, s, target(url, "dev", "a/b"), put("new", "1"))
		require.Equal(t, map[string]string{"a/b/x": "1", "a/b/new": "1", "c/d/y": "1", "e": "1"}, repo.Tree("dev"))
		apply(t, s, target(url, "dev", "c/d"), put("new", "2"))
		require.Equal(t, "2", repo.Tree("dev")["c/d/new"])
	})
}

func TestAServerThatRefusesTreesAgainstItsWordServesStill(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a/b/x", "1", "c", "1"), "start")
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if body, _ := r.Body(); strings.Contains(string(body), "filter tree:") {
			return gitservertest.Fault{Status: http.StatusBadRequest, Body: "no"}
		}
		return gitservertest.Fault{}
	})
	s := newSink(t, nil)
	for i := range 2 {
		apply(t, s, target(repo.URL(), "main", "a/b"), put("x", fmt.Sprint(i)))
		repo.Commit("main", files("c", fmt.Sprint(i+2)), "outside")
	}
	require.Len(t, repo.Log("main"), 5)
	require.True(t, storeOf(s).Complete)
}

// eachScoped runs the test over each transport with a server that gives trees by their hashes.
func eachScoped(t *testing.T, test func(t *testing.T, repo *gitservertest.Repo, s *Sink, url string)) {
	t.Helper()
	for _, protocol := range []string{"http", "file", "ssh"} {
		t.Run(protocol, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			opts, url := &Options{}, repo.URL()
			switch protocol {
			case "file":
				url = repo.FileURL()
			case "ssh":
				ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
				url = repo.SSHURL()
				opts.Auth = fixed(Auth{SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())})
			}
			var log strings.Builder
			opts.Logger = funcr.New(func(_, args string) { log.WriteString(args + "\n") }, funcr.Options{Verbosity: 1})
			s := newSink(t, opts)
			test(t, repo, s, url)
			s.workers.Wait()
			require.NotContains(t, log.String(), "cache dropped", "it was saved by the check that a plan does")
			for _, l := range s.lanes.all {
				require.False(t, l.store.Complete, "the strategy is not the one under test")
				require.False(t, l.noScope)
			}
			repo.Fsck()
		})
	}
}
