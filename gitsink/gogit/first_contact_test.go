package gogit

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// asked counts the requests of a kind: the advertisements and the rest of the one service, then
// of the other.
func asked(server *gitservertest.Server) [4]int {
	n := func(s gitservertest.Service, p gitservertest.Phase) int { return server.Count(s, p).Requests }
	return [4]int{
		n(gitservertest.UploadPack, gitservertest.Advertisement), n(gitservertest.UploadPack, gitservertest.RPC),
		n(gitservertest.ReceivePack, gitservertest.Advertisement), n(gitservertest.ReceivePack, gitservertest.RPC),
	}
}

func TestAFirstCommitTakesThreeRequests(t *testing.T) {
	t.Parallel()
	basic := gitservertest.Credentials{User: "bot", Password: "secret"}
	for name, c := range map[string]struct {
		opts   gitservertest.ServerOptions
		sha256 bool
		auth   Auth
		branch string
		folder string
		want   [4]int
	}{
		"a branch":                           {want: [4]int{0, 1, 1, 1}},
		"of SHA-256":                         {sha256: true, want: [4]int{0, 1, 1, 1}},
		"with credentials":                   {opts: gitservertest.ServerOptions{Credentials: basic}, auth: Auth{Username: "bot", Password: "secret"}, want: [4]int{0, 1, 1, 1}},
		"over TLS":                           {opts: gitservertest.ServerOptions{TLS: true}, want: [4]int{0, 1, 1, 1}},
		"a server that wants multi_ack":      {opts: gitservertest.ServerOptions{RequireMultiAck: true}, want: [4]int{0, 1, 1, 1}},
		"a base folder that is not there":    {folder: "new/folder", want: [4]int{0, 1, 1, 1}},
		"a base folder":                      {folder: "base", want: [4]int{0, 2, 1, 1}},
		"a base folder below others":         {folder: "base/deep/dir", want: [4]int{0, 4, 1, 1}},
		"a branch that is not there":         {branch: "new", want: [4]int{1, 1, 1, 1}},
		"a server that leaves out no files":  {opts: gitservertest.ServerOptions{DenyFilter: true}, want: [4]int{1, 2, 1, 1}},
		"one that gives whole commits alone": {opts: gitservertest.ServerOptions{DenyFilter: true, DenyAnySHA1InWant: true}, want: [4]int{1, 2, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := c.opts
			if c.sha256 {
				opts.ObjectFormat = "sha256"
			}
			server := gitservertest.NewServer(t, &opts)
			repo := server.NewRepo("app")
			repo.Commit("main", files("other", "x", "base/a", "1", "base/deep/dir/b", "1"), "outside")
			auth := c.auth
			if opts.TLS {
				auth.CABundle = server.CAPEM()
			}
			s := newSink(t, &Options{Auth: fixed(auth)})
			branch := c.branch
			if branch == "" {
				branch = "main"
			}
			apply(t, s, target(repo.URL(), branch, c.folder), put("mine", "1"))
			require.Equal(t, c.want, asked(server), "advertisements and the rest of upload-pack, then of receive-pack")
			require.Zero(t, server.Unauthorized(), "credentials are shown before they are asked for")
			require.Len(t, repo.Tree(branch), 4)
			repo.Fsck()
		})
	}
}

// What was found out of a repository is known to all of its branches.
func TestWhatHasFailedIsNotGuessedForAnotherBranch(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyFilter: true})
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "outside")
	repo.Git("branch", "dev", "main")
	s := newSink(t, nil)
	apply(t, s, target(repo.URL(), "main", ""), put("b", "1"))
	server.ResetCounts()
	apply(t, s, target(repo.URL(), "dev", ""), put("b", "1"))
	require.Equal(t, [4]int{0, 1, 1, 1}, asked(server))
}

// Where a repository has moved to is asked each time: it is not for everybody's credentials.
func TestOfARepositoryThatHasMovedNothingIsGuessed(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "outside")
	var seen atomic.Int32
	front := redirector(t, server.URL(), http.StatusMovedPermanently, &seen)
	s := newSink(t, nil)
	for i := range 2 {
		server.ResetCounts()
		apply(t, s, target(front.URL+"/app", "main", ""), put("b", fmt.Sprint(i)))
		require.Equal(t, [4]int{1 - i, 1 - i, 1, 1}, asked(server), i)
		require.EqualValues(t, 2+i, seen.Load(), "advertisements alone are asked for where it was")
	}
}
