package gogit

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// many makes a repository with branches of which each has something of its own.
func many(t *testing.T, server *gitservertest.Server, branches int) (repo *gitservertest.Repo, names []string) {
	t.Helper()
	repo = server.NewRepo("app")
	repo.Commit("main", files("shared/a", "1", "shared/b/c", "1"), "outside")
	for n := range branches {
		name := fmt.Sprintf("branch-%02d", n)
		repo.Git("branch", name, "main")
		repo.Commit(name, files("own/"+name+"/file", name), "outside")
		names = append(names, name)
	}
	return repo, names
}

// gathered applies the plans of calls: the first alone, and the others at once while its first
// request is under way. No request is answered before all want an advertisement, and then has been
// called.
func gathered(t *testing.T, s *Sink, server *gitservertest.Server, calls []*call, then func(), fault func(gitservertest.Request) gitservertest.Fault) []outcome {
	t.Helper()
	s.contacts.greetings.gather, s.contacts.fetches.gather = time.Minute, time.Minute
	hold, arrived := make(chan struct{}), make(chan struct{})
	var once sync.Once
	server.Intercept(func(r gitservertest.Request) (f gitservertest.Fault) {
		once.Do(func() { close(arrived) })
		if fault != nil {
			f = fault(r)
		}
		if f.Hold == nil {
			f.Hold = hold
		}
		return f
	})
	outcomes := make([]outcome, len(calls))
	var each sync.WaitGroup
	for i, c := range calls {
		each.Go(func() { outcomes[i].result, outcomes[i].err = s.Apply(c.ctx, c.dst, c.plan) })
		<-arrived
	}
	require.Eventually(t, func() bool { return greeted(s) == len(calls) }, time.Minute, time.Millisecond)
	then()
	close(hold)
	each.Wait()
	return outcomes
}

// greeted is the number of those who wait for an advertisement.
func greeted(s *Sink) (n int) {
	g := s.contacts.greetings
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.open {
		n += len(r.wants)
	}
	for _, r := range g.underWay {
		n += len(r.wants)
	}
	return n
}

// newcomers are calls that write a file to each of the branches.
func newcomers(ctx context.Context, url string, branches []string, folder string) (calls []*call) {
	for _, branch := range branches {
		calls = append(calls, newCall(ctx, target(url, branch, folder), put("mine", branch)))
	}
	return calls
}

// written checks that a branch has what was there, one commit more, and nothing of another branch.
func written(t *testing.T, repo *gitservertest.Repo, branch, folder string) {
	t.Helper()
	require.Equal(t, map[string]string{
		"shared/a": "1", "shared/b/c": "1", "own/" + branch + "/file": branch, path.Join(folder, "mine"): branch,
	}, repo.Tree(branch))
	require.Len(t, repo.Log(branch), 3)
}

func TestFiftyBranchesAtOnceTakeOneAdvertisementAndOneFetch(t *testing.T) {
	t.Parallel()
	for folder, c := range map[string]struct{ branches, fetches int }{"": {50, 1}, "shared": {10, 2}, "new": {10, 1}} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			server := gitservertest.NewServer(t, nil)
			repo, branches := many(t, server, c.branches)
			s := newSink(t, nil)
			outcomes := gathered(t, s, server, newcomers(t.Context(), repo.URL(), branches, folder), func() {}, nil)
			for i, o := range outcomes {
				require.NoError(t, o.err)
				if i%7 == 0 {
					written(t, repo, branches[i], folder)
				}
			}
			got := asked(server)
			require.LessOrEqual(t, got[1], 2*c.fetches, "once for the first, and once for the others")
			require.Equal(t, [4]int{0, got[1], 2, c.branches}, got)
			s.workers.Wait()
			for _, l := range s.lanes.all {
				for _, tree := range l.store.Trees.All() {
					require.Falsef(t, strings.Contains(tree, "branch-") && !strings.Contains(tree, l.key.Branch), "%s holds a tree of another branch", l.key.Branch)
				}
				require.Subset(t, []object.ID{hexID(repo.Git("rev-parse", l.key.Branch+"~1"))}, l.store.Shallows)
			}
			// What they know serves the next commits.
			server.ResetCounts()
			for _, branch := range branches[:2] {
				apply(t, s, target(repo.URL(), branch, folder), put("mine", "again"))
			}
			require.Equal(t, [4]int{0, 0, 2, 2}, asked(server))
			repo.Fsck()
		})
	}
}

// Who was told the same, and has all of it already, is not waited for by those who fetch.
func TestWhoFetchesNothingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, branches := many(t, server, 6)
	s := newSink(t, nil)
	for _, branch := range branches[:3] {
		apply(t, s, target(repo.URL(), branch, ""), nothing)
	}
	server.ResetCounts()
	s.contacts.fetches.patience = 10 * time.Second // less than the time to gather, of this test
	for i, o := range gathered(t, s, server, newcomers(t.Context(), repo.URL(), branches, ""), func() {}, nil) {
		require.NoError(t, o.err)
		written(t, repo, branches[i], "")
	}
	require.Equal(t, [4]int{0, 1, 2, 6}, asked(server))
}

func TestNewBranchesAtOnceAreToldTheDefaultBranchTogether(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, _ := many(t, server, 0)
	s := newSink(t, nil)
	branches := []string{"a", "b", "c", "d/e", "d/f"}
	for i, o := range gathered(t, s, server, newcomers(t.Context(), repo.URL(), branches, ""), func() {}, nil) {
		require.NoError(t, o.err)
		require.Equal(t, map[string]string{"shared/a": "1", "shared/b/c": "1", "mine": branches[i]}, repo.Tree(branches[i]))
	}
	got := asked(server)
	require.Contains(t, [][4]int{{1, 2, 2, 5}, {2, 1, 2, 5}, {2, 2, 2, 5}}, got, "what the first has learned may serve the others")
}

// A branch that cannot be beside another is told which one it is, though others asked, too.
func TestWhatStandsInTheWayOfOneBranchIsNotAnothers(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, _ := many(t, server, 0)
	repo.Git("branch", "dir/x", "main")
	s := newSink(t, nil)
	outcomes := gathered(t, s, server, newcomers(t.Context(), repo.URL(), []string{"main", "dir", "dir/y"}, ""), func() {}, nil)
	require.NoError(t, outcomes[0].err)
	require.ErrorIs(t, outcomes[1].err, gitsink.ErrRejected)
	require.ErrorContains(t, outcomes[1].err, "the branch dir/x exists")
	require.NoError(t, outcomes[2].err)
}

func TestWhoLeavesARoundTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, branches := many(t, server, 10)
	s := newSink(t, nil)
	calls := newcomers(t.Context(), repo.URL(), branches, "")
	leave := map[int]context.CancelFunc{}
	for _, i := range []int{0, 4, 9} {
		calls[i].ctx, leave[i] = context.WithCancel(t.Context())
	}
	outcomes := gathered(t, s, server, calls, func() {
		for _, i := range []int{0, 4, 9} {
			leave[i]()
		}
	}, nil)
	for i, o := range outcomes {
		if leave[i] != nil {
			require.ErrorIs(t, o.err, context.Canceled)
			continue
		}
		require.NoError(t, o.err)
		written(t, repo, branches[i], "")
	}
}

func TestARequestOfAllEndsWhenAllHaveLeft(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, branches := many(t, server, 10)
	s := newSink(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	never := make(chan struct{})
	defer close(never)
	outcomes := gathered(t, s, server, newcomers(ctx, repo.URL(), branches, ""), leave, func(gitservertest.Request) gitservertest.Fault {
		return gitservertest.Fault{Hold: never}
	})
	for _, o := range outcomes {
		require.ErrorIs(t, o.err, context.Canceled)
	}
	s.workers.Wait() // for the request, too
	require.Zero(t, asked(server)[3])
}

func TestWhoHasOtherCredentialsSharesNoAnswer(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, branches := many(t, server, 12)
	requests := newShown()
	s := newSink(t, &Options{Transport: requests, Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		return Auth{Username: d.Ref.Namespace, Password: "x"}, nil
	}})
	calls := newcomers(t.Context(), repo.URL(), branches, "")
	for i, c := range calls {
		c.dst.Ref.Namespace = []string{"red", "green", "blue"}[i%3]
	}
	for i, o := range gathered(t, s, server, calls, func() {}, nil) {
		require.NoError(t, o.err)
		written(t, repo, branches[i], "")
	}
	count := map[string]int{}
	for _, r := range requests.all() {
		count[r]++
	}
	for _, who := range []string{"red", "green", "blue"} {
		require.Contains(t, []int{1, 2}, count[who+" GET"], "its own advertisement")
		require.Contains(t, []int{4 + 1, 4 + 2}, count[who+" POST"], "its own fetch, and the pushes")
	}
	require.Len(t, count, 6)
}

// Who may not see the repository hears so, and nobody else does.
func TestARefusalIsForThoseWhoseCredentialsWereShown(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "good", Password: "x"}})
	repo, branches := many(t, server, 10)
	requests := newShown()
	s := newSink(t, &Options{Transport: requests, Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		return Auth{Username: d.Ref.Namespace, Password: "x"}, nil
	}})
	calls := newcomers(t.Context(), repo.URL(), branches, "")
	for i, c := range calls {
		c.dst.Ref.Namespace = []string{"good", "bad"}[i%2]
	}
	var each sync.WaitGroup
	outcomes := make([]outcome, len(calls))
	for i, c := range calls {
		each.Go(func() { outcomes[i].result, outcomes[i].err = s.Apply(c.ctx, c.dst, c.plan) })
	}
	each.Wait()
	for i, o := range outcomes {
		if i%2 == 0 {
			require.NoError(t, o.err)
			written(t, repo, branches[i], "")
		} else {
			require.ErrorIs(t, o.err, gitsink.ErrAuth)
			require.Len(t, repo.Log(branches[i]), 2)
		}
	}
}

// A fault of the one request is no fault of the repository's: each asks alone then. An answer that
// is everybody's is not asked for again.
func TestAFaultOfTheRequestOfAllIsNobodys(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	const several = 8
	for name, c := range map[string]struct {
		fault gitservertest.Fault
		phase gitservertest.Phase
		want  error // of the others
		asked [4]int
	}{
		"no answer":                     {gitservertest.Fault{Cut: gitservertest.CutReply}, gitservertest.Advertisement, nil, [4]int{0, -1, 2 + several, 1 + several}},
		"half an answer":                {gitservertest.Fault{Cut: gitservertest.CutBody}, gitservertest.Advertisement, nil, [4]int{0, -1, 2 + several, 1 + several}},
		"a gateway's":                   {gitservertest.Fault{Status: http.StatusBadGateway}, gitservertest.Advertisement, nil, [4]int{0, -1, 2 + several, 1 + several}},
		"no such repository":            {gitservertest.Fault{Status: http.StatusNotFound}, gitservertest.Advertisement, gitsink.ErrNotFound, [4]int{0, 1, 2, 1}},
		"no answer to a fetch":          {gitservertest.Fault{Cut: gitservertest.CutReply}, gitservertest.RPC, nil, [4]int{1, 3, 2, 1 + several}},
		"half an answer to a fetch":     {gitservertest.Fault{Cut: gitservertest.CutBody}, gitservertest.RPC, nil, [4]int{1, 3, 2, 1 + several}},
		"a gateway's answer to a fetch": {gitservertest.Fault{Status: http.StatusBadGateway}, gitservertest.RPC, nil, [4]int{1, 3, 2, 1 + several}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := gitservertest.NewServer(t, nil)
			repo, branches := many(t, server, 1+several)
			s := newSink(t, nil)
			var failed atomic.Int32
			outcomes := gathered(t, s, server, newcomers(t.Context(), repo.URL(), branches, ""), func() {}, func(r gitservertest.Request) (f gitservertest.Fault) {
				body, err := r.Body()
				switch {
				case err != nil, r.Phase != c.phase, failed.Load() > 0:
				case r.Phase == gitservertest.Advertisement && r.N == 2, strings.Count(string(body), "want ") == several:
					failed.Add(1)
					return c.fault
				}
				return f
			})
			require.EqualValues(t, 1, failed.Load())
			for i, o := range outcomes {
				if i > 0 && c.want != nil {
					require.ErrorIs(t, o.err, c.want)
					continue
				}
				require.NoError(t, o.err)
				written(t, repo, branches[i], "")
			}
			got := asked(server)
			if c.asked[1] < 0 { // who has asked alone may fetch alone, too
				got[1] = -1
			}
			require.Equal(t, c.asked, got)
		})
	}
}

// The request of all is never answered; those that follow are.
func TestAHangOfTheRequestOfAllIsNobodys(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, branches := many(t, server, 8)
	s := newSink(t, nil)
	s.contacts.greetings.patience = 100 * time.Millisecond
	never := make(chan struct{})
	outcomes := gathered(t, s, server, newcomers(t.Context(), repo.URL(), branches, ""), func() {}, func(r gitservertest.Request) (f gitservertest.Fault) {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.Advertisement && r.N == 2 {
			f.Hold = never
		}
		return f
	})
	close(never)
	for i, o := range outcomes {
		require.NoError(t, o.err)
		written(t, repo, branches[i], "")
	}
	require.Equal(t, 1+1+7, asked(server)[2], "the first, that of all others, and one for each of them")
}
