package gogit

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// mustAsk has the sink ask a repository before the first fetch what it offers.
func mustAsk(s *Sink, url string) { s.caps.set(capsKey{url, identify(url, Auth{})}, nil) }

func TestAFetchAfterACommitOfOthersReceivesOnlyWhatIsNew(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyAnySHA1InWant: true})
	repo := server.NewRepo("app")
	fill(t, repo, 2000)
	s, d := newSink(t, nil), target(repo.URL(), "main", "clusters")
	mustAsk(s, repo.URL()) // it says that it gives no trees by their names
	apply(t, s, d, nothing)
	whole := server.Count(gitservertest.UploadPack, gitservertest.RPC).Out
	apply(t, s, d, put("mine", "1"))
	repo.Commit("main", files("clusters/c00/theirs", "1"), "outside")
	server.ResetCounts()
	apply(t, s, d, put("mine", "2"))
	require.Equal(t, 3, server.Total().Requests)
	require.Less(t, server.Count(gitservertest.UploadPack, gitservertest.RPC).Out, whole/10)
	require.Len(t, repo.Tree("main"), 2002)
}

// A server leaves out what is reachable from a commit that the client says it has. With bitmaps
// that is all that ever was in its history, of which a store keeps the tip's trees only.
func TestATreeThatTheServerTakesUsToHaveIsFetchedAllTheSame(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyAnySHA1InWant: true})
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/dir/a", "1", "base/dir/b", "1"), "outside")
	var log strings.Builder
	s := newSink(t, &Options{Logger: funcr.New(func(_, args string) { log.WriteString(args + "\n") }, funcr.Options{Verbosity: 1})})
	d := target(repo.URL(), "main", "base")
	mustAsk(s, repo.URL()) // it says that it gives no trees by their names
	apply(t, s, d, nothing)
	store := slices.Collect(maps.Values(s.lanes.all))[0].store
	store.Trees.Delete(hexID(repo.Git("rev-parse", "main:base/dir")))
	repo.Commit("main", files("base/c", "1"), "outside")
	apply(t, s, d, func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		require.ElementsMatch(t, []string{"c", "dir/a", "dir/b"}, paths(tree, ""))
		return []gitsink.Commit{{Changes: writes("d", "1")}}, nil
	})
	require.Equal(t, map[string]string{"base/dir/a": "1", "base/dir/b": "1", "base/c": "1", "base/d": "1"}, repo.Tree("main"))
	require.Contains(t, log.String(), "object is missing")
}

func TestAHistoryThatHasNothingInCommonIsNotFetchedWhole(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "outside")
	s, d := newSink(t, &Options{MaxPackBytes: 8 << 10}), target(repo.URL(), "main", "")
	apply(t, s, d, put("b", "1"))
	repo.Git("update-ref", "-d", "refs/heads/main")
	for i := range 60 { // more than MaxPackBytes, of which the last commit needs little
		many := map[string]gitservertest.File{}
		for j := range 20 {
			many[fmt.Sprintf("dir/%d-%d", i, j)] = gitservertest.File{Content: fmt.Sprint(i)}
			if i > 0 {
				many[fmt.Sprintf("dir/%d-%d", i-1, j)] = gitservertest.File{Remove: true}
			}
		}
		repo.Commit("main", many, "another history")
	}
	apply(t, s, d, put("b", "2"))
	require.Equal(t, "2", repo.Tree("main")["b"])
	repo.Linear("main", "")
}

func TestASilentSSHServerIsLeftAfterTheStepsTime(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Silent: true})
	repo := server.NewRepo("app")
	s := newSink(t, &Options{StepTimeout: 50 * time.Millisecond, Auth: func(context.Context, destination.Destination) (Auth, error) {
		return Auth{SSHPrivateKey: server.ClientKeyPEM(), KnownHosts: []byte(server.KnownHosts())}, nil
	}})
	_ = refuse(t, s, target(repo.SSHURL(), "main", ""), put("a", "1"), gitsink.ErrUnavailable)
}

func TestAllRequestsToAServerShareOneConnection(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Hook("post-receive", "i=0; while [ $i -lt 500 ]; do echo 'a long and friendly line of thanks'; i=$((i+1)); done")
	base := repo.Commit("main", files("b", "0"), "outside")
	for i := range 100 { // answers that go-git does not read to their end in passing
		repo.Git("update-ref", fmt.Sprintf("refs/heads/branch-with-a-long-name-%d", i), base)
	}
	var dials atomic.Int32
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dialer.DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	s := newSink(t, &Options{Transport: transport})
	for i := range 4 {
		apply(t, s, target(repo.URL(), "main", ""), put("a", fmt.Sprint(i)))
		repo.Commit("main", files("b", fmt.Sprint(i)), "outside")
	}
	require.EqualValues(t, 1, dials.Load())
}
