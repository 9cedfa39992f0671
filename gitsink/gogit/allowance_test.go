package gogit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAPaceIsCompletedByWhereItIsFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		repository string
		set, want  RateLimit
	}{
		{"https://host/app", RateLimit{}, RateLimit{10 * time.Second, 6, 0}},
		{"https://host/app", RateLimit{time.Minute, 1, 7}, RateLimit{time.Minute, 1, 7}},
		{"https://host/app", RateLimit{1, -1, -1}, RateLimit{1, 6, 0}},
		{"https://host/app", RateLimit{Interval: -time.Second}, RateLimit{0, 6, 0}},
		{"file:///srv/app", RateLimit{time.Minute, 2, 3}, RateLimit{0, 2, 3}},
		{"/srv/app", RateLimit{Interval: time.Minute}, RateLimit{0, 6, 0}},
		{"file:", RateLimit{}, RateLimit{0, 6, 0}},
	} {
		require.Equal(t, c.want, c.set.withDefaults(c.repository), "%s %+v", c.repository, c.set)
	}
}

// A debt grows no further than two Bursts, and what is paced by nobody has none.
func TestTheDebtOfExtraPushesHasABound(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	of := account{repository: "r", limit: RateLimit{Interval: 10 * time.Second, Burst: 2}}
	ps := newRateLimits()
	require.Zero(t, ps.reserve(of, now))
	for n, want := range []time.Duration{20, 30, 30, 30} {
		ps.charge(of, now)
		require.Equal(t, want*time.Second, ps.accounts[of].ahead.Sub(now), "after %d", n+1)
	}
	unpaced := account{repository: "r"}
	ps.charge(unpaced, now)
	require.Zero(t, ps.reserve(unpaced, now))
	require.Len(t, ps.accounts, 1)
	ps.cancel(unpaced)
	ps.cancel(account{repository: "other", limit: of.limit})
	require.Len(t, ps.accounts, 1, "what was never taken is not given back")
}

func TestAnAccountIsForgottenWhenNothingIsToBeKnownOfIt(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	pace := RateLimit{Interval: 10 * time.Second, Burst: 6}
	for name, c := range map[string]struct {
		prepare func(ps *rateLimits, of account)
		stays   bool
	}{
		"it has pushed lately":                   {func(ps *rateLimits, of account) { ps.reserve(of, now.Add(-time.Second)) }, true},
		"it has pushed long ago":                 {func(ps *rateLimits, of account) { ps.reserve(of, now.Add(-time.Minute)) }, false},
		"its server wants to be left alone":      {func(ps *rateLimits, of account) { ps.blockUntil(of, now.Add(time.Second), now.Add(-time.Hour)) }, true},
		"its server wanted to be left alone":     {func(ps *rateLimits, of account) { ps.blockUntil(of, now.Add(-time.Second), now.Add(-time.Hour)) }, false},
		"what it has pushed counts just no more": {func(ps *rateLimits, of account) { ps.reserve(of, now.Add(-pace.Interval)) }, true},
	} {
		ps := newRateLimits()
		c.prepare(ps, account{repository: "one", limit: pace})
		ps.reserve(account{repository: "two", limit: pace}, now)
		require.Equal(t, c.stays, len(ps.accounts) == 2, name)
	}
}

func TestWhatAServerWantsHoldsForEveryPaceOfAnAccount(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	ps := newRateLimits()
	of := func(pace time.Duration) account { return account{repository: "r", limit: RateLimit{Interval: pace}} }
	require.Zero(t, ps.blockedFor(of(1), now))
	ps.blockUntil(of(1), now.Add(time.Minute), now)
	require.Equal(t, time.Minute, ps.blockedFor(of(2), now))
	require.Equal(t, 59*time.Second, ps.blockedFor(of(1), now.Add(time.Second)))
	require.Zero(t, ps.blockedFor(of(1), now.Add(time.Hour)))
	require.Zero(t, ps.blockedFor(account{repository: "other"}, now))
}

// slow lets a push be made each hour, of a server that is never asked.
func slow(t *testing.T, folders ...string) *pushGroup {
	t.Helper()
	g := standing(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: time.Hour, Burst: 1} }}, folders...)
	g.remote.sink.lanes.putBack(g.remote.lane, g.calls) // they wait
	for _, c := range g.calls {
		g.release(c)
	}
	g.calls = nil
	return g
}

func TestALaneWaitsForItsTurnAsLongAsSomebodyWaitsForIt(t *testing.T) {
	for name, c := range map[string]struct {
		taken bool // a push was made already
		does  func(g *pushGroup)
		waits time.Duration
		turn  bool
		held  bool
		ahead time.Duration
	}{
		"nothing was pushed": {waits: 0, turn: true, held: true, ahead: time.Hour},
		"a push was made":    {taken: true, waits: time.Hour, turn: true, ahead: time.Hour},
		"one of two goes":    {taken: true, does: func(g *pushGroup) { g.remote.sink.lanes.withdraw(g.remote.lane.waiting[1]) }, waits: time.Hour, turn: true, ahead: time.Hour},
		"both go": {taken: true, does: func(g *pushGroup) {
			g.remote.sink.lanes.withdraw(g.remote.lane.waiting[1])
			g.remote.sink.lanes.withdraw(g.remote.lane.waiting[0])
		}, waits: time.Second, ahead: time.Hour - time.Second},
		"the sink is closed": {taken: true, does: func(g *pushGroup) { g.remote.sink.close() }, waits: time.Second, turn: true, ahead: 2*time.Hour - time.Second},
		"only others still wait": {taken: true, does: func(g *pushGroup) {
			g.remote.lane.waiting[1].key.url = "other"
			g.remote.sink.lanes.withdraw(g.remote.lane.waiting[0])
		}, waits: time.Second, ahead: time.Hour - time.Second},
		"one who waits elsewhere": {taken: true, does: func(g *pushGroup) { g.remote.lane.waiting[1].key.url = "other" }, waits: time.Hour, turn: true, ahead: time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := slow(t, "a", "b")
			if c.taken {
				g.remote.sink.limits.reserve(g.account(), time.Now())
			}
			lead := g.remote.lane.waiting[0]
			require.NotNil(t, lead.held)
			if c.does != nil {
				time.AfterFunc(time.Second, func() { c.does(g) })
			}
			began := time.Now()
			require.Equal(t, c.turn, g.waitForRateLimit(lead), name)
			require.Equal(t, c.waits, time.Since(began), name)
			require.Equal(t, c.held, lead.held != nil, "what Auth has said is old by now: %s", name)
			require.Equal(t, c.ahead, time.Until(g.remote.sink.limits.accounts[g.account()].ahead), name)
		})
	}
}

func TestAGroupThatPushesNothingGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan  gitsink.Plan
		ahead time.Duration
	}{"nothing": {nothing, 0}, "a file": {put("a", "1"), time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			m := newModelServer(t, nil)
			s := newSink(t, &Options{Transport: m, RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: time.Hour, Burst: 2} }})
			result := apply(t, s, target("https://model.invalid/app", "main", "base"), c.plan)
			require.Equal(t, m.tip.String(), result.Tip)
			s.workers.Wait()
			for of, b := range s.limits.accounts {
				require.Equal(t, RateLimit{Interval: time.Hour, Burst: 2}, of.limit)
				require.Equal(t, c.ahead, max(time.Until(b.ahead), 0), name)
			}
			require.Len(t, s.limits.accounts, 1)
		})
	}
}

func TestWhoComesWhileAServerWantsToBeLeftAloneIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModelServer(t, nil)
		s := newSink(t, &Options{Transport: m})
		d := target("https://model.invalid/app", "main", "base")
		first := newCall(t.Context(), d, nothing)
		require.NoError(t, s.admit(first))
		of := account{d.RemoteBranch().Repository, first.key.who, first.key.limit}
		s.limits.blockUntil(of, time.Now().Add(time.Minute), time.Now())
		_, err := s.Apply(t.Context(), d, put("a", "1"))
		var e *gitsink.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, opFetch, e.Op)
		require.Equal(t, time.Minute, e.RetryAfter)
		require.ErrorContains(t, err, "the server wants no request for another 1m0s")
		require.Zero(t, m.requests)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = s.Apply(ctx, d, put("a", "1"))
		require.NoError(t, err, fmt.Sprint(m.requests))
	})
}
