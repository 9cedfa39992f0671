package gogit

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// history plans a commit for each content of one file, as a batch of a queue that keeps every
// event does.
func history(name string, contents ...string) gitsink.Plan {
	var all []gitsink.Commit
	for i, content := range contents {
		all = append(all, gitsink.Commit{Message: fmt.Sprintf("%s %d", name, i), Changes: writes(name, content)})
	}
	return commits(all...)
}

func subjects(repo *gitservertest.Repo, branch string) []string {
	var all []string
	for _, c := range repo.Log(branch) {
		all = append([]string{c.Subject}, all...)
	}
	return all
}

// strategies are the kinds of servers that tell what has become of a push in different ways.
func strategies(t *testing.T, test func(t *testing.T, server *gitservertest.Server)) {
	t.Helper()
	for name, opts := range map[string]*gitservertest.ServerOptions{
		"everything": nil, "no wants by hash": {DenyAnySHA1InWant: true}, "no filter": {DenyFilter: true, DenyAnySHA1InWant: true},
	} {
		t.Run(name, func(t *testing.T) { test(t, gitservertest.NewServer(t, opts)) })
	}
}

func TestCommitsOfAPushWhoseAnswerWasLostAreNotMadeAgainOnTopOfOthers(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	strategies(t, func(t *testing.T, server *gitservertest.Server) {
		repo := server.NewRepo("app")
		repo.Commit("main", files("base/x", "0", "y", "0"), "start")
		s, d := newSink(t, nil), target(repo.URL(), "main", "base")
		apply(t, s, d, nothing)
		server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
			if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && r.N == 1 {
				return gitservertest.Fault{Cut: gitservertest.CutReply}
			}
			// The look.
			if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.Advertisement && r.N == 3 {
				repo.Commit("main", files("y", "1"), "outside")
			}
			return gitservertest.Fault{}
		})
		result := apply(t, s, d, history("x", "A", "B", "A", "C"))
		require.Equal(t, []string{"start", "x 0", "x 1", "x 2", "x 3", "outside"}, subjects(repo, "main"))
		require.Len(t, result.Commits, 4)
		require.Equal(t, 2, result.Attempts)
		require.Equal(t, map[string]string{"base/x": "C", "y": "1"}, repo.Tree("main"))
	})
}

func TestCommitsOfAPushWhoseAnswerWasLostAreNotMadeAgainByTheNextCall(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	strategies(t, func(t *testing.T, server *gitservertest.Server) {
		repo := server.NewRepo("app")
		repo.Commit("main", files("base/x", "0", "y", "0"), "start")
		s, d := newSink(t, nil), target(repo.URL(), "main", "base")
		apply(t, s, d, nothing)
		lose(server)
		_ = refuse(t, s, d, history("x", "A", "B", "A", "C"), gitsink.ErrUnknown)
		server.Intercept(nil)
		repo.Commit("main", files("y", "1"), "outside")
		// More has come meanwhile.
		result := apply(t, s, d, history("x", "A", "B", "A", "C", "D", "C"))
		require.Len(t, result.Commits, 2)
		require.False(t, result.Foreign)
		require.Equal(t, []string{"start", "x 0", "x 1", "x 2", "x 3", "outside", "x 4", "x 5"}, subjects(repo, "main"))
		result = apply(t, s, d, history("x", "A", "C"))
		require.Len(t, result.Commits, 2, "what is written again on purpose is written")
	})
}

// lose lets the next push land and everything after it fail, so that the sink cannot know.
func lose(server *gitservertest.Server) {
	server.ResetCounts()
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		switch r.Seq {
		case 1:
			return gitservertest.Fault{}
		case 2:
			return gitservertest.Fault{Cut: gitservertest.CutReply}
		}
		return gitservertest.Fault{Status: http.StatusServiceUnavailable}
	})
}

func TestCommitsThatOthersHaveUndoneSinceAreMadeAgain(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/x", "0"), "start")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, nothing)
	lose(server)
	_ = refuse(t, s, d, history("x", "A", "B"), gitsink.ErrUnknown)
	server.Intercept(nil)
	repo.Commit("main", files("base/x", "0"), "outside")
	apply(t, s, d, history("x", "A", "B"))
	require.Equal(t, []string{"start", "x 0", "x 1", "outside", "x 0", "x 1"}, subjects(repo, "main"))
}

func TestAPushThatWasLostOnTheWayIsMadeByTheNextCall(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/x", "0"), "start")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, nothing)
	server.ResetCounts()
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Seq == 1 {
			return gitservertest.Fault{}
		}
		return gitservertest.Fault{Cut: gitservertest.CutRequest}
	})
	_ = refuse(t, s, d, history("x", "A", "B"), gitsink.ErrUnknown)
	server.Intercept(nil)
	repo.Commit("main", files("y", "1"), "outside")
	apply(t, s, d, history("x", "A", "B"))
	require.Equal(t, []string{"start", "outside", "x 0", "x 1"}, subjects(repo, "main"))
	s.workers.Wait()
	for _, l := range s.lanes.all {
		require.Empty(t, l.unknown)
		require.Empty(t, l.landed)
	}
}

func TestOfTooManyPushesInDoubtTheOldestAreForgotten(t *testing.T) {
	t.Parallel()
	g := &pushGroup{remote: &remote{lane: &lane{}}}
	for i := range byte(maxUnknown + 2) {
		g.rememberUnknown(&pushStack{tip: numbered(i)})
	}
	require.Len(t, g.remote.lane.unknown, maxUnknown)
	require.Equal(t, numbered(2), g.remote.lane.unknown[0].tip)
	require.Equal(t, numbered(maxUnknown+1), g.remote.lane.unknown[maxUnknown-1].tip, "the newest is the likeliest to land")
}
