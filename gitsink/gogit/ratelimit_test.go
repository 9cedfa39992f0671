package gogit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestTheDefaultPaceIsSixPushesAMinuteAndNoneForFiles(t *testing.T) {
	require.Equal(t, RateLimit{Interval: 10 * time.Second, Burst: 6}, RateLimit{}.withDefaults("https://host/app"))
	require.Equal(t, RateLimit{Burst: 6}, RateLimit{Interval: -1}.withDefaults("https://host/app"))
	for _, url := range []string{"file:///srv/app.git", "/srv/app.git"} {
		lane := destination.Destination{Repository: url, Branch: "main"}.RemoteBranch()
		require.Zero(t, RateLimit{Interval: time.Hour}.withDefaults(lane.Repository).Interval, url)
	}
}

func TestPushesBeyondTheBurstWaitForTheirTurnInTheirOrder(t *testing.T) {
	ps, p, now := newRateLimits(), RateLimit{Interval: 10 * time.Second, Burst: 2}, time.Unix(1000, 0)
	turn := func(after time.Duration) time.Duration {
		return ps.reserve(account{repository: "r", limit: p}, now.Add(after))
	}
	require.Zero(t, turn(0))
	require.Zero(t, turn(0))
	require.Equal(t, 10*time.Second, turn(0))
	require.Equal(t, 20*time.Second, turn(0))
	ps.cancel(account{repository: "r", limit: p})
	require.Equal(t, 19*time.Second, turn(time.Second))
	require.Zero(t, ps.reserve(account{repository: "other", limit: p}, now))
	require.Zero(t, turn(time.Hour), "a quiet time fills the bucket")
	require.Zero(t, turn(time.Hour))
	require.Equal(t, 10*time.Second, turn(time.Hour), "and no more than it holds")
}

func TestAPushInPlaceOfALostOneDoesNotWaitAndCountsUpToABound(t *testing.T) {
	ps, p, now := newRateLimits(), RateLimit{Interval: 10 * time.Second, Burst: 2}, time.Unix(1000, 0)
	require.Zero(t, ps.reserve(account{repository: "r", limit: p}, now))
	ps.charge(account{repository: "r", limit: p}, now)
	require.Equal(t, 10*time.Second, ps.reserve(account{repository: "r", limit: p}, now))
	for range 100 {
		ps.charge(account{repository: "r", limit: p}, now)
	}
	require.LessOrEqual(t, ps.reserve(account{repository: "r", limit: p}, now), 40*time.Second)
}

func TestRepositoriesThatAreQuietAreForgotten(t *testing.T) {
	ps, p, now := newRateLimits(), RateLimit{Interval: time.Second, Burst: 1}, time.Unix(1000, 0)
	for i := range 1000 {
		ps.reserve(account{repository: fmt.Sprint(i), limit: p}, now.Add(time.Duration(i)*10*time.Second))
	}
	require.Len(t, ps.accounts, 1)
}

func TestWhatComesWhileALaneWaitsForItsTurnGoesIntoThatPush(t *testing.T) {
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: 500 * time.Millisecond, Burst: 1} }})
	d := target(repo.URL(), "main", "")
	d.RepositoryRef = destination.Ref{Namespace: "team", Name: "repo"}
	apply(t, s, d, put("a", "1"))
	for range 3 {
		apply(t, s, d, nothing) // costs no token
	}
	server.ResetCounts()
	start := time.Now()
	var running sync.WaitGroup
	for i := range 10 {
		sibling := d
		sibling.BaseFolder = fmt.Sprint("folder", i)
		running.Go(func() { apply(t, s, sibling, put("a", "1")) })
	}
	running.Wait()
	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
	require.Less(t, time.Since(start), 30*time.Second)
	require.Len(t, repo.Log("main"), 11)
}

func TestAPushThatWasLostToAnotherWriterCountsAsTwo(t *testing.T) {
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	s := newSink(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: time.Hour, Burst: 4} }})
	d := target(repo.URL(), "main", "")
	left := func() (n int) {
		s.limits.mu.Lock()
		defer s.limits.mu.Unlock()
		var ahead time.Time
		for _, b := range s.limits.accounts { // there is one
			ahead = b.ahead
		}
		return 4 - int((time.Until(ahead)+30*time.Minute)/time.Hour)
	}
	apply(t, s, d, put("a", "1"))
	require.Equal(t, 3, left())
	outside := false
	apply(t, s, d, func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		if !outside {
			outside = true
			repo.Commit("main", files("b", "1"), "outside")
		}
		return counting("mine")(ctx, tree)
	})
	require.Equal(t, 1, left())
}
