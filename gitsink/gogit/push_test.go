package gogit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// onPush makes the fault that of the first n pushes.
func onPush(n int, fault gitservertest.Fault) func(gitservertest.Request) gitservertest.Fault {
	return func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && r.N <= n {
			return fault
		}
		return gitservertest.Fault{}
	}
}

// counting plans a file that says how many there were.
func counting(name string) gitsink.Plan {
	return func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		return []gitsink.Commit{{Message: name, Changes: writes(name, fmt.Sprint(len(paths(tree, ""))))}}, nil
	}
}

func TestACommitOfOthersBetweenAdvertisementAndPushIsBuiltUpon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("main", files("base/one", "1"), "outside")
		s, d := newSink(t, nil), target(url, "main", "base")
		apply(t, s, d, nothing)
		outside := ""
		result := apply(t, s, d, func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			if outside == "" {
				outside = repo.Commit("main", files("base/two", "2"), "outside")
			}
			return counting("mine")(ctx, tree)
		})
		require.Equal(t, 2, result.Attempts)
		require.True(t, result.Foreign)
		require.Len(t, result.Commits, 1)
		require.Equal(t, map[string]string{"base/one": "1", "base/two": "2", "base/mine": "2"}, repo.Tree("main"))
		require.Equal(t, []string{outside}, repo.Log("main")[0].Parents)
	})
}

func TestABranchThatAppearsBetweenAdvertisementAndPushIsBuiltUpon(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		outside := ""
		apply(t, newSink(t, nil), target(url, "main", ""), func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			if outside == "" {
				outside = repo.Commit("main", files("one", "1"), "outside")
			}
			return counting("mine")(ctx, tree)
		})
		require.Equal(t, map[string]string{"one": "1", "mine": "1"}, repo.Tree("main"))
		repo.Linear("main", outside)
	})
}

func TestABranchThatNeverStandsStillIsAConflict(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, &Options{MaxAttempts: 3})
	runs := 0
	e := refuse(t, s, target(repo.URL(), "main", ""), func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		runs++
		repo.Commit("main", files("outside", fmt.Sprint(runs)), "outside")
		return counting("mine")(ctx, tree)
	}, gitsink.ErrConflict)
	require.Equal(t, 3, runs)
	require.NotErrorIs(t, e, queue.ErrPermanent)
	require.Len(t, repo.Log("main"), 3)
}

func TestAProtectedBranchIsNamedInTheServersWords(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		before := repo.Commit("main", files("a", "1"), "outside")
		repo.Protect("main", "At least 1 approving review is required.")
		s := newSink(t, nil)
		e := refuse(t, s, target(url, "main", ""), put("a", "2"), gitsink.ErrProtected)
		require.ErrorIs(t, e, queue.ErrPermanent)
		require.Equal(t, "push", e.Op)
		require.Contains(t, e.Server, "At least 1 approving review is required.")
		require.ErrorContains(t, e, "GH006")
		tip, _ := repo.Tip("main")
		require.Equal(t, before, tip)
		apply(t, s, target(url, "dev", ""), put("a", "2"))
	})
}

func TestAHookThatDeclinesIsARejectionInItsWords(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New("no Mondays") })
		s := newSink(t, nil)
		e := refuse(t, s, target(url, "main", ""), put("a", "2"), gitsink.ErrRejected)
		require.ErrorIs(t, e, queue.ErrPermanent)
		require.Contains(t, e.Server, "no Mondays")
		require.ErrorContains(t, e, "pre-receive hook declined")
		repo.OnPreReceive(nil)
		apply(t, s, target(url, "main", ""), put("a", "2"))
	})
}

func TestABranchThatSomebodyIsMovingIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		s := newSink(t, nil)
		d := target(url, "main", "")
		apply(t, s, d, put("a", "1"))
		lock := filepath.Join(repo.Dir(), "refs", "heads", "main.lock")
		require.NoError(t, os.WriteFile(lock, nil, 0o600))
		err := refuse(t, s, d, put("a", "2"), gitsink.ErrUnavailable)
		require.NotErrorIs(t, err, queue.ErrPermanent)
		require.Contains(t, err.Server, "main.lock")
		require.NoError(t, os.Remove(lock))
		apply(t, s, d, put("a", "2"))
		require.Equal(t, map[string]string{"a": "2"}, repo.Tree("main"))
	})
}

func TestBranchNamesThatGitCannotHaveTogetherAreExplained(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("main", files("a", "1"), "outside")
		repo.Commit("feature/x", files("a", "1"), "outside")
		s := newSink(t, nil)
		e := refuse(t, s, target(url, "main/sub", ""), put("a", "2"), gitsink.ErrRejected)
		require.ErrorContains(t, e, "the branch main exists")
		e = refuse(t, s, target(url, "feature", ""), put("a", "2"), gitsink.ErrRejected)
		require.ErrorContains(t, e, "the branch feature/x exists")
	})
}

func TestAPushWhoseAnswerIsLostIsFoundOnTheBranch(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for name, cut := range map[string]gitservertest.Cut{
		"no answer": gitservertest.CutReply, "half an answer": gitservertest.CutHalfway, "an empty answer": gitservertest.CutBody,
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			repo.Commit("main", files("one", "1"), "outside")
			server.Intercept(onPush(1, gitservertest.Fault{Cut: cut}))
			result := apply(t, newSink(t, nil), target(repo.URL(), "main", ""), counting("mine"))
			require.Equal(t, 1, result.Attempts)
			require.Len(t, repo.Log("main"), 2)
			require.Equal(t, result.Tip, repo.Log("main")[0].Hash)
			require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
		})
	}
}

func TestAPushThatWasLostOnTheWayIsMadeAgain(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	server.Intercept(onPush(1, gitservertest.Fault{Cut: gitservertest.CutRequest}))
	result := apply(t, newSink(t, nil), target(repo.URL(), "main", ""), counting("mine"))
	require.Equal(t, 2, result.Attempts)
	require.Len(t, repo.Log("main"), 1)
}

func TestAServerThatNeverTakesAPushIsGivenUp(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	server.Intercept(onPush(100, gitservertest.Fault{Status: http.StatusBadGateway, Body: "upstream"}))
	e := refuse(t, newSink(t, nil), target(repo.URL(), "main", ""), counting("mine"), gitsink.ErrUnknown)
	require.ErrorIs(t, e, gitsink.ErrUnavailable)
	require.NotErrorIs(t, e, queue.ErrPermanent)
	require.Equal(t, 2, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
}

func TestAnOutcomeThatCannotBeLookedUpIsUnknownAndFoundLater(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("one", "1"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "")
	apply(t, s, d, nothing)
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
	e := refuse(t, s, d, put("mine", "1"), gitsink.ErrUnknown)
	require.ErrorIs(t, e, gitsink.ErrUnavailable)
	require.NotErrorIs(t, e, queue.ErrPermanent)
	server.Intercept(nil)
	result := apply(t, s, d, put("mine", "1"))
	require.Empty(t, result.Commits)
	require.False(t, result.Foreign, "it was our own push that landed")
	require.Len(t, repo.Log("main"), 2)
}

func TestACallEndsWithItsContextDuringASlowHook(t *testing.T) {
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("main", files("one", "1"), "outside")
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
			cancel()
			<-release
			return nil
		})
		s, d := newSink(t, nil), target(url, "main", "")
		start := time.Now()
		_, err := s.Apply(ctx, d, put("mine", "1"))
		require.Less(t, time.Since(start), lookTimeout+5*time.Second)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, gitsink.ErrUnknown)
		require.NotErrorIs(t, err, queue.ErrPermanent)
		close(release)
		repo.OnPreReceive(nil)
		apply(t, s, d, put("mine", "1"))
		require.Eventually(t, func() bool { return repo.Tree("main")["mine"] == "1" }, 30*time.Second, 10*time.Millisecond)
		require.Len(t, repo.Log("main"), 2)
	})
}

func TestACancelledPushThatLandedIsASuccess(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	hold := make(chan struct{})
	defer close(hold)
	server.Intercept(onPush(1, gitservertest.Fault{HoldReply: hold}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			if _, ok := repo.Tip("main"); ok {
				cancel()
				return
			}
		}
	}()
	result, err := newSink(t, nil).Apply(ctx, target(repo.URL(), "main", ""), put("mine", "1"))
	require.NoError(t, err)
	tip, _ := repo.Tip("main")
	require.Equal(t, tip, result.Tip)
}

func TestAServerThatIsDownIsUnavailableAndServesAgainWhenUp(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s, d := newSink(t, nil), target(repo.URL(), "main", "")
	apply(t, s, d, put("a", "1"))
	server.Down()
	e := refuse(t, s, d, put("a", "2"), gitsink.ErrUnavailable)
	require.NotErrorIs(t, e, queue.ErrPermanent)
	require.NotErrorIs(t, e, gitsink.ErrUnknown)
	server.Up()
	apply(t, s, d, put("a", "2"))
	require.Equal(t, map[string]string{"a": "2"}, repo.Tree("main"))
}

func TestAServerThatHangsIsLeftAfterTheStepsTime(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	hold := make(chan struct{})
	defer close(hold)
	server.Intercept(func(gitservertest.Request) gitservertest.Fault { return gitservertest.Fault{Hold: hold} })
	s := newSink(t, &Options{StepTimeout: 50 * time.Millisecond})
	e := refuse(t, s, target(repo.URL(), "main", ""), put("a", "2"), gitsink.ErrUnavailable)
	require.NotErrorIs(t, e, context.DeadlineExceeded)
	require.ErrorContains(t, e, "no answer from the server within 50ms")
}

func TestAHungLaneDelaysNoOther(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo, other := server.NewRepo("hangs"), server.NewRepo("works")
	reached, hold := make(chan struct{}), make(chan struct{})
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Repo != "hangs" {
			return gitservertest.Fault{}
		}
		if r.Seq == 1 {
			close(reached)
		}
		return gitservertest.Fault{Hold: hold}
	})
	s := newSink(t, nil)
	var running sync.WaitGroup
	running.Go(func() { apply(t, s, target(repo.URL(), "main", ""), put("a", "1")) })
	<-reached
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Apply(ctx, target(repo.URL(), "main", "other"), put("a", "1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	apply(t, s, target(other.URL(), "main", ""), put("a", "1"))
	close(hold)
	running.Wait()
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
}

func TestTwoSinksAndAnOutsiderOnOneBranchLoseAndDoubleNothing(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	const sinks, writers, rounds = 2, 3, 4
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	first := repo.Commit("main", files("start", "0"), "outside")
	var running sync.WaitGroup
	var mu sync.Mutex
	made := map[string]bool{}
	for i := range sinks {
		s := newSink(t, &Options{MaxAttempts: 100})
		for j := range writers {
			running.Go(func() {
				for k := range rounds {
					name := fmt.Sprintf("%d-%d-%d", i, j, k)
					result, err := s.Apply(t.Context(), target(repo.URL(), "main", fmt.Sprintf("folder%d", j)), put(name, name))
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					mu.Lock()
					for _, hash := range result.Commits {
						made[hash] = true
					}
					mu.Unlock()
				}
			})
		}
	}
	for i := range rounds {
		repo.Commit("main", files(fmt.Sprint("outside", i), "x"), "outside")
	}
	running.Wait()
	repo.Linear("main", first)
	repo.Fsck()
	log := repo.Log("main")
	require.Len(t, log, 1+rounds+sinks*writers*rounds)
	require.Len(t, repo.Tree("main"), len(log))
	for _, commit := range log {
		require.Equal(t, commit.Author != "Outsider", made[commit.Hash])
	}
}

func TestWrongCredentialsAreRefusedAndNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t/+?token"
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "right"}})
	repo := server.NewRepo("app")
	auth := Auth{Username: "bot", Password: secret}
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) { return auth, nil }})
	d := target(strings.Replace(repo.URL(), "http://", "http://user-token-123@", 1), "main", "")
	e := refuse(t, s, d, put("a", "1"), gitsink.ErrAuth)
	require.ErrorIs(t, e, queue.ErrPermanent)

	// Rotated credentials are asked for, and a server that repeats what it was shown tells nothing.
	auth = Auth{Username: "bot", Password: "right"}
	apply(t, s, d, put("a", "1"))
	server.SetCredentials(gitservertest.Credentials{})
	auth.Password = secret
	server.Intercept(onPush(100, gitservertest.Fault{Status: http.StatusForbidden, Body: "bot:" + secret + " http://x:" + secret + "@host http://user-token-123@host"}))
	e = refuse(t, s, d, put("a", "2"), gitsink.ErrAuth)
	server.Intercept(nil)
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New(secret + " at http://u:p@host") })
	rejected := refuse(t, s, d, put("a", "2"), gitsink.ErrRejected)
	require.Contains(t, rejected.Server, "*** at http://***@host")
	for _, text := range []string{e.Error(), e.Server, fmt.Sprintf("%+v", e), rejected.Error(), fmt.Sprint(auth), fmt.Sprintf("%#v", auth)} {
		require.NotContains(t, text, secret)
	}
	require.NotContains(t, e.Error()+rejected.Error(), "user-token-123")
}

func TestABearerTokenAndACABundleOpenAServer(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true, Credentials: gitservertest.Credentials{Token: "tok"}})
	repo := server.NewRepo("app")
	auth := Auth{BearerToken: "tok"}
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) { return auth, nil }})
	d := target(repo.URL(), "main", "")
	_ = refuse(t, s, d, put("a", "1"), gitsink.ErrAuth)
	auth.CABundle = []byte("nothing")
	require.ErrorContains(t, refuse(t, s, d, put("a", "1"), gitsink.ErrAuth), "CABundle")
	auth.CABundle = server.CAPEM()
	apply(t, s, d, put("a", "1"))
	apply(t, s, d, put("a", "2"))
	require.Equal(t, map[string]string{"a": "2"}, repo.Tree("main"))
}

func TestAnErrorOfAuthMatchesItself(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	cause := errors.New("the Secret is gone")
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) { return Auth{}, cause }})
	e := refuse(t, s, target(server.NewRepo("app").URL(), "main", ""), put("a", "1"), cause)
	require.NotErrorIs(t, e, queue.ErrPermanent)
}

func TestSSHChecksTheHost(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewSSHServer(t, nil)
	repo := server.NewRepo("app")
	auth := Auth{SSHPrivateKey: server.ClientKeyPEM(), KnownHosts: []byte(server.KnownHosts())}
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) { return auth, nil }})
	d := target(repo.SSHURL(), "main", "")
	apply(t, s, d, counting("a"))
	repo.Commit("main", files("b", "1"), "outside")
	apply(t, s, d, counting("c"))
	require.Equal(t, map[string]string{"a": "0", "b": "1", "c": "2"}, repo.Tree("main"))

	other := gitservertest.NewSSHServer(t, nil)
	auth.KnownHosts = []byte(strings.Replace(other.KnownHosts(), other.Addr()[len("127.0.0.1:"):], server.Addr()[len("127.0.0.1:"):], 1))
	_ = refuse(t, s, d, counting("d"), gitsink.ErrAuth)
	auth.KnownHosts = []byte(other.KnownHosts())
	_ = refuse(t, s, d, counting("d"), gitsink.ErrAuth)
	auth.KnownHosts = nil
	require.ErrorContains(t, refuse(t, s, d, counting("d"), gitsink.ErrAuth), "KnownHosts")
	auth = Auth{SSHPrivateKey: other.ClientKeyPEM(), KnownHosts: []byte(server.KnownHosts())}
	_ = refuse(t, s, d, counting("d"), gitsink.ErrAuth)
}

func TestARepositoryThatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, nil)
	for _, url := range []string{server.URL() + "/none", repo.FileURL() + "x", repo.Dir() + "x"} {
		e := refuse(t, s, target(url, "main", ""), put("a", "1"), gitsink.ErrNotFound)
		require.ErrorIs(t, e, queue.ErrPermanent)
	}
	e := refuse(t, s, target(repo.URL(), "no..branch", ""), put("a", "1"), destination.ErrInvalid)
	require.ErrorIs(t, e, queue.ErrPermanent)
}

func TestACacheThatIsWrongIsDroppedAndFetchedOnce(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/dir/a", "1", "base/b", "2"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, nothing)
	s.workers.Wait()
	lane := slices.Collect(maps.Values(s.lanes.all))[0]
	for hash := range lane.store.Trees.All() {
		lane.store.Trees.Delete(hash)
	}
	apply(t, s, d, counting("c"))
	require.Equal(t, map[string]string{"base/dir/a": "1", "base/b": "2", "base/c": "2"}, repo.Tree("main"))
}

func TestSupersededTreesDoNotAccumulate(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	many := map[string]gitservertest.File{}
	for i := range 3000 {
		many[fmt.Sprintf("base/file-%04d", i)] = gitservertest.File{Content: "x"}
	}
	repo.Commit("main", many, "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	for i := range 40 {
		apply(t, s, d, put("file-0000", fmt.Sprint(i)))
	}
	s.workers.Wait()
	lane := slices.Collect(maps.Values(s.lanes.all))[0]
	require.Less(t, lane.store.Size, int64(2<<20))
	require.Equal(t, "39", repo.Tree("main")["base/file-0000"])
}

func TestLanesThatNobodyUsesAreForgotten(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, &Options{CacheBytes: 3 * (laneOverhead + 4096)})
	for i := range 6 {
		apply(t, s, target(repo.URL(), fmt.Sprint("b", i), ""), put("a", fmt.Sprint(i)))
	}
	s.workers.Wait()
	require.Len(t, s.lanes.all, 3)
	server.ResetCounts()
	apply(t, s, target(repo.URL(), "b5", ""), put("a", "again"))
	require.Equal(t, 2, server.Total().Requests)
	apply(t, s, target(repo.URL(), "b0", ""), put("a", "again"))
	s.workers.Wait()
	require.Len(t, s.lanes.all, 3)
	require.NoError(t, s.Close())
	require.Empty(t, s.lanes.all)
	require.Zero(t, s.lanes.idle)
}

func TestAReportThatTheObjectsWereNotUnpackedIsARefusal(t *testing.T) {
	t.Parallel()
	r := &remote{ref: "refs/heads/main"}
	branch := func(status string) []*packp.CommandStatus {
		return []*packp.CommandStatus{{ReferenceName: "refs/heads/other", Status: "ok"}, {ReferenceName: r.ref, Status: status}}
	}
	v := r.judge(&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: branch("ok")}, nil, "")
	require.True(t, v.ok)
	v = r.judge(&packp.ReportStatus{UnpackStatus: "index-pack abnormal exit", CommandStatuses: branch("ok")}, nil, "")
	require.False(t, v.ok, "a branch cannot be at what the server does not have")
	require.True(t, v.unpack)
	require.Equal(t, "index-pack abnormal exit", v.refusal)
	v = r.judge(&packp.ReportStatus{UnpackStatus: "index-pack abnormal exit", CommandStatuses: branch("unpacker error")}, nil, "")
	require.Equal(t, "unpacker error: index-pack abnormal exit", v.refusal)
	v = r.judge(&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: branch("ok")[:1]}, nil, "")
	require.False(t, v.ok)
	require.Empty(t, v.refusal)
	require.ErrorContains(t, v.err, "says nothing of the branch")
}

// Words that nobody knows may mean that the branch has moved, which only a look at it can tell.
func TestARefusalInUnknownWordsIsTriedAgainWhereTheBranchCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New("no Mondays") })
	s, d := newSink(t, nil), target(repo.URL(), "main", "")
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.Advertisement && r.N > 1 {
			return gitservertest.Fault{Status: http.StatusServiceUnavailable}
		}
		return gitservertest.Fault{}
	})
	e := refuse(t, s, d, put("a", "1"), gitsink.ErrUnavailable)
	require.NotErrorIs(t, e, queue.ErrPermanent)
	require.NotErrorIs(t, e, gitsink.ErrRejected)
	server.Intercept(nil)
	e = refuse(t, s, d, put("a", "1"), gitsink.ErrRejected)
	require.NotErrorIs(t, e, gitsink.ErrUnavailable)
}
