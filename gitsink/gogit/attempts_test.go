package gogit

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// restless is a model server on whose branch somebody else pushes before each of the first pushes.
type restless struct {
	*modelServer
	left int
}

func (r *restless) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, string(smart.ReceivePack)) && r.left > 0 {
		r.left--
		r.outsider()
	}
	return r.modelServer.RoundTrip(req)
}

func TestAPlanIsRunAsOftenAsItMayBe(t *testing.T) {
	for _, moves := range []int{0, 2, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			server := &restless{newModelServer(t, nil), moves}
			g := standing(t, &Options{Transport: server, MaxAttempts: 3}, "a")
			only := g.calls[0]
			only.plan = put("file", "1")
			began := time.Now()
			g.run()
			require.Equal(t, moves >= 2, time.Since(began) > 0, "two writers get out of step")
			err := ended(t, only)
			require.Equal(t, min(moves+1, 3), only.result.Attempts)
			require.Equal(t, min(moves, 3), g.tries+min(moves, 3)/3)
			if moves < 3 {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, gitsink.ErrConflict)
			require.ErrorContains(t, err, "the branch moved during each of 3 attempts")
			var e *gitsink.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, opPush, e.Op)
			g.keep(nil)
		})
	}
}

func TestACacheThatLacksATreeIsFetchedAnewOnce(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	damage := func(g *pushGroup) *object.Store {
		s := object.NewStore()
		s.Complete, s.Tip, s.Root = true, m.tip, hash("5") // which is nowhere
		g.remote.lane.store = s
		return s
	}
	g := standing(t, &Options{Transport: m}, "a")
	only, damaged := g.calls[0], damage(g)
	only.plan = put("file", "1")
	require.True(t, g.attempt())
	require.True(t, g.refetched)
	require.NotSame(t, damaged, g.remote.lane.store)
	require.True(t, waits(only))
	require.False(t, g.attempt())
	require.NoError(t, ended(t, only))
	require.Equal(t, 1, only.result.Attempts)
	require.Equal(t, m.tip.String(), only.result.Tip)

	g = standing(t, &Options{Transport: m}, "a")
	only, damaged = g.calls[0], damage(g)
	g.refetched = true
	require.False(t, g.attempt())
	require.ErrorIs(t, ended(t, only), object.ErrIncomplete)
	require.Same(t, damaged, g.remote.lane.store)
}

func TestAnAttemptEndsWhereNothingCanBeDone(t *testing.T) {
	t.Parallel()
	down := answers(func(*http.Request, string) (int, string) { return http.StatusBadGateway, "gone fishing" })
	g := standing(t, &Options{Transport: down}, "a")
	only := g.calls[0]
	require.False(t, g.attempt())
	err := ended(t, only)
	require.ErrorIs(t, err, gitsink.ErrUnavailable)
	var e *gitsink.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, opFetch, e.Op)
	require.Equal(t, "gone fishing", e.Server)
	asks := 0
	g.remote.sink.https = smart.NewHTTP(answers(func(*http.Request, string) (int, string) { asks++; return http.StatusBadGateway, "" }))
	g.next = offersOf(t, canPush)
	require.False(t, g.attempt())
	require.Zero(t, asks, "nobody is there")

	// This one shows its branch, and then fails.
	half := answers(func(r *http.Request, _ string) (int, string) {
		if r.URL.Query().Get("service") == string(smart.ReceivePack) {
			return http.StatusOK, advertises(r, canPush, "refs/heads/main", someHash)
		}
		return http.StatusBadGateway, "gone fishing"
	})
	g = standing(t, &Options{Transport: half}, "a")
	only = g.calls[0]
	require.False(t, g.attempt())
	require.ErrorAs(t, ended(t, only), &e)
	require.Equal(t, opFetch, e.Op)
	require.Equal(t, "gone fishing", e.Server)

	m := newModelServer(t, nil)
	g = standing(t, &Options{Transport: m}, "a", "b")
	calls := slices.Clone(g.calls)
	broken := errors.New("broken")
	for _, c := range calls {
		c.plan = func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, broken }
	}
	require.False(t, g.attempt())
	require.ErrorIs(t, ended(t, calls[0]), broken)
	require.ErrorIs(t, ended(t, calls[1]), broken)
	require.Zero(t, g.pushes)

	g = standing(t, &Options{Transport: m}, "a")
	only = g.calls[0]
	require.False(t, g.attempt())
	require.NoError(t, ended(t, only))
	require.Equal(t, m.tip.String(), only.result.Tip)
	require.Zero(t, g.pushes, "there is nothing to push")
}

func TestWhoHasStrayedIsLeftOutOfTheAttempt(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	auths, asked := map[string]string{"dest0": "same", "dest1": "same"}, []string{}
	g := standing(t, &Options{Transport: m, Auth: named(auths, &asked)}, "a", "b")
	first, second := g.calls[0], g.calls[1]
	first.plan, second.plan = put("file", "1"), put("file", "2")
	auths["dest0"], first.held = "other", nil
	require.True(t, g.attempt())
	require.Equal(t, []*call{first}, g.remote.lane.waiting)
	g.run()
	require.NoError(t, ended(t, second))
	require.True(t, waits(first))

	// And where only the second connection finds it out.
	g = standing(t, &Options{Transport: m, Auth: named(auths, &asked)}, "a")
	late := newCall(t.Context(), g.remote.dst, nothing)
	late.dst.Ref.Name = "dest2"
	auths["dest2"] = "other"
	require.NoError(t, g.remote.sink.admit(late))
	g.remote.sink.lanes.submit(late)
	g.join()
	require.Len(t, g.calls, 2)
	first = g.calls[0]
	auths["dest0"] = "another"
	require.True(t, g.attempt())
	require.Equal(t, []*call{first}, g.remote.lane.waiting)
	require.Equal(t, []*call{late}, g.calls)
}

func TestWhoComesBeforeThePlansAreRunIsInTheirPush(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	var g *pushGroup
	var late *call
	came := false
	g = standing(t, &Options{Transport: m, Auth: func(_ context.Context, d destination.Destination) (Auth, error) { return Auth{}, nil }}, "a")
	g.calls[0].plan = put("file", "1")
	strict := g.remote.auth
	g.remote.auth = func(ctx context.Context) (Auth, error) {
		if !came {
			came = true
			late = newCall(t.Context(), target("https://standing.invalid/app", "main", "late"), put("file", "2"))
			require.NoError(t, g.remote.sink.admit(late))
			g.remote.sink.lanes.submit(late)
		}
		return strict(ctx)
	}
	require.False(t, g.attempt())
	require.NoError(t, ended(t, late))
	require.Equal(t, 1, g.pushes)
	require.Len(t, late.result.Commits, 1)
}

func TestAWorkerEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModelServer(t, nil)
		s := newSink(t, &Options{Transport: m})
		for _, url := range []string{"https://one.invalid/app", "https://one.invalid/app"} {
			result := apply(t, s, target(url, "main", "base"), put("a", time.Now().String()))
			require.Equal(t, m.tip.String(), result.Tip)
			time.Sleep(time.Second)
			s.workers.Wait()
		}
		for _, l := range s.lanes.all {
			require.False(t, l.working)
			require.Equal(t, m.tip, l.store.Tip)
			require.NotEqual(t, object.ID{}, l.seen["base"].is)
		}
	})
}

func TestWhoMayNotAnyMoreIsLeftOutBeforeAnythingIsPlanned(t *testing.T) {
	t.Parallel()
	down := answers(func(*http.Request, string) (int, string) { return http.StatusBadGateway, "" })
	auths, asked := map[string]string{"dest0": "same", "dest1": "same"}, []string{}
	g := standing(t, &Options{Transport: down, Auth: named(auths, &asked)}, "a", "b")
	calls := slices.Clone(g.calls)
	g.tries = 1 // so all are asked for
	delete(auths, "dest1")
	require.False(t, g.attempt())
	require.ErrorIs(t, ended(t, calls[0]), gitsink.ErrUnavailable)
	require.ErrorIs(t, ended(t, calls[1]), errNotYours)

	auths["dest1"] = "same" // and while the group connects
	m := newModelServer(t, nil)
	g = standing(t, &Options{Transport: m, Auth: named(auths, &asked)}, "a", "b")
	calls = slices.Clone(g.calls)
	calls[0].plan, calls[1].plan = put("file", "1"), put("file", "2")
	strict := g.remote.auth
	g.remote.auth = func(ctx context.Context) (Auth, error) {
		g.remote.sink.freshFor = -1
		delete(auths, "dest1")
		return strict(ctx)
	}
	require.False(t, g.attempt())
	require.NoError(t, ended(t, calls[0]))
	require.ErrorIs(t, ended(t, calls[1]), errNotYours)
	require.Zero(t, calls[1].result.Attempts)
}

func TestADoubtKeepsNoCallWhenItsGroupHasEnded(t *testing.T) {
	t.Parallel()
	faults := schedule{5: replyLost}
	for n := 6; n < 20; n++ {
		faults[n] = requestLost
	}
	m := newModelServer(t, faults)
	s := newSink(t, &Options{Transport: m, RateLimit: unpaced})
	_, err := s.Apply(t.Context(), target("https://model.invalid/app", "main", "base"), put("a", "1"))
	require.ErrorIs(t, err, gitsink.ErrUnknown)
	s.workers.Wait()
	require.Len(t, s.lanes.all, 1)
	for _, l := range s.lanes.all {
		require.Len(t, l.unknown, 1)
		require.Nil(t, l.unknown[0].parts[0].call)
		require.Len(t, l.unknown[0].parts[0].commits, 1)
	}
}
