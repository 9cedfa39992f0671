package gogit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// outcome is what an Apply returned.
type outcome struct {
	result gitsink.Result
	err    error
}

// crowded applies plans while a push to their lane is under way, so that they wait together, and
// returns what became of each. prepare is called once all of them wait.
func crowded(t *testing.T, s *Sink, repo *gitservertest.Repo, calls []*call, prepare func()) []outcome {
	t.Helper()
	reached, release := make(chan struct{}), make(chan struct{})
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		close(reached)
		<-release
		return nil
	})
	var running sync.WaitGroup
	defer running.Wait()
	first := calls[0].dst
	first.BaseFolder = "first"
	running.Go(func() {
		if _, err := s.Apply(t.Context(), first, put("first", "1")); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-reached
	outcomes := make([]outcome, len(calls))
	for i, c := range calls {
		running.Go(func() { outcomes[i].result, outcomes[i].err = s.Apply(c.ctx, c.dst, c.plan) })
		// One after the other, so that their order is known.
		require.Eventually(t, func() bool { return waiting(s, c.dst.RemoteBranch()) == i+1 }, lookTimeout, 1e5)
	}
	repo.OnPreReceive(nil)
	if prepare != nil {
		prepare()
	}
	close(release)
	running.Wait()
	return outcomes
}

func waiting(s *Sink, key destination.RemoteBranch) int {
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	return len(s.lanes.all[key].waiting)
}

// members makes calls to sibling folders of one branch with one RepositoryRef.
func members(t *testing.T, url string, plans ...gitsink.Plan) []*call {
	var calls []*call
	for i, plan := range plans {
		d := target(url, "main", fmt.Sprint("folder", i))
		d.Ref.Name = fmt.Sprint("dest", i)
		d.RepositoryRef = destination.Ref{Namespace: "team", Name: "repo"}
		calls = append(calls, newCall(t.Context(), d, plan))
	}
	return calls
}

func TestWhatWaitsForALaneGoesIntoOnePush(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		s := newSink(t, nil)
		var plans []gitsink.Plan
		for i := range 20 {
			plans = append(plans, put("a", fmt.Sprint(i)))
		}
		pushes := 0
		outcomes := crowded(t, s, repo, members(t, url, plans...), func() {
			repo.OnPreReceive(func([]gitservertest.RefUpdate) error { pushes++; return nil })
		})
		require.Equal(t, 1, pushes)
		log := repo.Log("main")
		require.Len(t, log, 21)
		repo.Linear("main", log[20].Hash)
		for i, o := range outcomes {
			require.NoError(t, o.err)
			require.Equal(t, []string{log[19-i].Hash}, o.result.Commits)
			require.Equal(t, log[0].Hash, o.result.Tip)
			require.Equal(t, 1, o.result.Attempts)
			require.False(t, o.result.Foreign)
			require.Equal(t, fmt.Sprint(i), repo.Tree("main")[fmt.Sprintf("folder%d/a", i)])
		}
	})
}

func TestAPlanSeesWhatThosePushedWithItHaveMade(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	add := func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		before, err := tree.Read(ctx, "counter")
		return []gitsink.Commit{{Changes: writes("counter", string(before["counter"])+"+")}}, err
	}
	calls := members(t, repo.URL(), add, add, add, put("counter", "+++"))
	for _, c := range calls {
		c.dst.BaseFolder = "shared"
	}
	calls[2].dst.BaseFolder = "" // above them
	calls[2].plan = func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		_, ok := tree.Entry("shared/counter")
		return []gitsink.Commit{{Changes: writes("saw", fmt.Sprint(ok))}}, nil
	}
	calls[3].plan = put("counter", "++")
	outcomes := crowded(t, newSink(t, nil), repo, calls, nil)
	for i, o := range outcomes {
		require.NoError(t, o.err)
		require.Len(t, o.result.Commits, 1-i/3, "the last has nothing to change")
	}
	require.Equal(t, map[string]string{"first/first": "1", "shared/counter": "++", "saw": "true"}, repo.Tree("main"))
	repo.Fsck()
}

func TestAPlanThatFailsHarmsNoneOfThosePushedWithIt(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	calls := members(t, repo.URL(),
		put("a", "0"),
		func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, broken },
		func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { panic("at the disco") },
		func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { runtime.Goexit(); return nil, nil },
		put("../escape", "1"),
		func(ctx context.Context, _ gitsink.Tree) ([]gitsink.Commit, error) {
			cancel()
			return nil, ctx.Err()
		},
		put("a", "6"),
	)
	calls[5].ctx = ctx
	server.ResetCounts()
	outcomes := crowded(t, newSink(t, nil), repo, calls, nil)
	require.NoError(t, outcomes[0].err)
	require.ErrorIs(t, outcomes[1].err, broken)
	require.ErrorContains(t, outcomes[2].err, "the plan panicked: panic with a value of the type string")
	require.NotContains(t, outcomes[2].err.Error(), "disco", "the value of a panic may be content")
	require.ErrorIs(t, outcomes[3].err, errPlanEnded)
	require.ErrorIs(t, outcomes[4].err, gitsink.ErrPath)
	require.ErrorIs(t, outcomes[5].err, context.Canceled)
	require.NoError(t, outcomes[6].err)
	require.Equal(t, files("folder0/a", "0", "folder6/a", "6", "first/first", "1"), content(repo, "main"))
	require.Equal(t, 2, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
	for i, o := range outcomes[1:6] {
		var e *gitsink.Error
		require.ErrorAs(t, o.err, &e)
		require.Equal(t, calls[1+i].dst, e.Destination)
	}
}

func content(repo *gitservertest.Repo, branch string) map[string]gitservertest.File {
	var all []string
	for path, data := range repo.Tree(branch) {
		all = append(all, path, data)
	}
	return files(all...)
}

func TestACallThatWaitsIsLeftAtOnceAndItsPlanIsNotRun(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	ctx, cancel := context.WithCancel(t.Context())
	calls := members(t, repo.URL(), put("a", "0"), put("a", "1"))
	calls[0].ctx = ctx
	calls[0].plan = func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		t.Error("the plan was run")
		return nil, nil
	}
	s := newSink(t, nil)
	outcomes := crowded(t, s, repo, calls, func() {
		cancel()
		require.Eventually(t, func() bool { return waiting(s, calls[0].dst.RemoteBranch()) == 1 }, lookTimeout, 1e5)
	})
	require.ErrorIs(t, outcomes[0].err, context.Canceled)
	require.NotErrorIs(t, outcomes[0].err, gitsink.ErrUnknown)
	require.NoError(t, outcomes[1].err)
	require.Equal(t, "1", repo.Tree("main")["folder1/a"])
}

func TestACallerThatLeavesDuringThePushLeavesItToTheOthers(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	ctx, cancel := context.WithCancel(t.Context())
	calls := members(t, repo.URL(), put("a", "0"), put("a", "1"))
	calls[0].ctx = ctx
	outcomes := crowded(t, newSink(t, nil), repo, calls, func() {
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error { cancel(); return nil })
	})
	require.NoError(t, outcomes[0].err, "it is known what became of it")
	require.NoError(t, outcomes[1].err)
	require.Len(t, repo.Tree("main"), 3)
}

func TestPlansSharePushesOnlyUnderEqualCredentials(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "u", Password: "right"}})
	repo := server.NewRepo("app")
	calls := members(t, repo.URL(), put("a", "0"), put("a", "1"), put("a", "2"), put("a", "3"))
	calls[1].dst.RepositoryRef.Name = "wrong"
	calls[3].dst.RepositoryRef = destination.Ref{} // its own Ref stands in
	s := newSink(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		if d.RepositoryRef.Name == "wrong" {
			return Auth{Username: "u", Password: "wrong"}, nil
		}
		return Auth{Username: "u", Password: "right"}, nil
	}})
	outcomes := crowded(t, s, repo, calls, server.ResetCounts)
	require.ErrorIs(t, outcomes[1].err, gitsink.ErrAuth)
	for _, i := range []int{0, 2, 3} {
		require.NoError(t, outcomes[i].err)
	}
	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
	require.Equal(t, 1, server.Unauthorized())
	require.Len(t, repo.Tree("main"), 4)
}

// refuseContent has the server refuse every push with a file whose content is "guilty", and count
// pushes.
func refuseContent(repo *gitservertest.Repo) {
	repo.Hook("pre-receive", `while read -r old new ref; do
	for commit in $(git rev-list "$new" --not --all); do
		git grep -q '^guilty$' "$commit" && { echo "found guilty" >&2; exit 1; }
	done
done
exit 0`)
}

func TestOnlyTheGuiltyPlanIsRefused(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for _, guilty := range [][]int{{0}, {4}, {2, 6}, {0, 1, 2, 3, 4, 5, 6}} {
		t.Run(fmt.Sprint(guilty), func(t *testing.T) {
			t.Parallel()
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			refused := map[int]bool{}
			for _, i := range guilty {
				refused[i] = true
			}
			var plans []gitsink.Plan
			for i := range 7 {
				what := "innocent"
				if refused[i] {
					what = "guilty"
				}
				plans = append(plans, put("a", what))
			}
			outcomes := crowded(t, newSink(t, nil), repo, members(t, repo.URL(), plans...), func() { refuseContent(repo) })
			tree := repo.Tree("main")
			for i, o := range outcomes {
				_, written := tree[fmt.Sprintf("folder%d/a", i)]
				require.Equal(t, !refused[i], written)
				if refused[i] {
					require.ErrorIs(t, o.err, gitsink.ErrRejected)
					require.ErrorContains(t, o.err, "found guilty")
				} else {
					require.NoError(t, o.err)
					require.Len(t, o.result.Commits, 1)
				}
			}
			require.Len(t, repo.Log("main"), 1+7-len(guilty))
			repo.Fsck()
		})
	}
}

func TestAProtectedBranchIsNotTriedForEachPlan(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	calls := members(t, repo.URL(), put("a", "0"), put("a", "1"), put("a", "2"))
	outcomes := crowded(t, newSink(t, nil), repo, calls, func() {
		server.ResetCounts()
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New("GH006: Protected branch update failed") })
	})
	for i, o := range outcomes {
		require.ErrorIs(t, o.err, gitsink.ErrProtected)
		require.ErrorContains(t, o.err, calls[i].dst.Ref.String())
	}
	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
}

func TestAPushHoldsNoMoreCommitsThanThePaceAllows(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var sizes []string
	three := commits(gitsink.Commit{Changes: writes("a", "1")}, gitsink.Commit{Changes: writes("a", "2")}, gitsink.Commit{Changes: writes("a", "3")})
	s := newSink(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: -1, MaxCommits: 2} }})
	outcomes := crowded(t, s, repo, members(t, repo.URL(), put("a", "0"), put("a", "1"), put("a", "2"), three, put("a", "4")), func() {
		repo.OnPreReceive(func(updates []gitservertest.RefUpdate) error {
			sizes = append(sizes, updates[0].Old+".."+updates[0].New)
			return nil
		})
	})
	for _, o := range outcomes {
		require.NoError(t, o.err)
	}
	var counts []string
	for _, r := range sizes {
		counts = append(counts, repo.Git("rev-list", "--count", r))
	}
	require.Equal(t, "2 1 3 1", strings.Join(counts, " "))
}

func TestAnEmptyRepositoryIsKnownByItsAdvertisement(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	apply(t, newSink(t, nil), target(repo.URL(), "main", "base"), put("a", "1"))
	require.Equal(t, 2, server.Total().Requests)
	repo.Fsck()
}

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	reached, hold := make(chan struct{}), make(chan struct{})
	defer close(hold)
	server.Intercept(func(gitservertest.Request) gitservertest.Fault {
		close(reached)
		return gitservertest.Fault{Hold: hold}
	})
	s := New(nil)
	ended := make(chan error)
	go func() {
		_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), put("a", "1"))
		ended <- err
	}()
	<-reached
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	require.ErrorIs(t, <-ended, gitsink.ErrUnavailable)
	require.NoError(t, <-closed)
}
