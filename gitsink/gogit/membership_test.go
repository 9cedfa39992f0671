package gogit

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestOneWhoHasStrayedGoesAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folders []string
		now     string // of the first
		again   bool
		waiting bool
	}{
		"it has none any more":      {[]string{"a", "b"}, "", true, false},
		"it has others":             {[]string{"a", "b"}, "other", true, true},
		"it has come back":          {[]string{"a", "b"}, "same", true, true},
		"it has come back, alone":   {[]string{"a"}, "same", false, true},
		"it was the only one":       {[]string{"a"}, "", false, false},
		"it comes back among three": {[]string{"a", "b", "c"}, "same", true, true},
	} {
		auths, asked := map[string]string{"dest0": "same", "dest1": "same", "dest2": "same"}, []string{}
		g := standing(t, &Options{Auth: named(auths, &asked)}, c.folders...)
		first, others := g.calls[0], g.calls[1:]
		others = append([]*call(nil), others...)
		g.changed = first
		delete(auths, "dest0")
		if c.now != "" {
			auths["dest0"] = c.now
		}
		require.Equal(t, c.again, g.regroup(), name)
		require.Nil(t, g.changed, name)
		require.ElementsMatch(t, others, g.calls, name)
		if c.waiting {
			require.Equal(t, []*call{first}, g.remote.lane.waiting, name)
			require.Equal(t, 1, first.moves, name)
			require.True(t, waits(first), name)
		} else {
			require.Empty(t, g.remote.lane.waiting, name)
			require.ErrorIs(t, ended(t, first), errNotYours, name)
		}
		require.Equal(t, len(others), g.callers.refs, name)
	}
}

func TestCallsAreAskedForAgainWhenTheirAnswerIsOld(t *testing.T) {
	for name, c := range map[string]struct {
		folders []string
		after   time.Duration
		tries   int
		next    bool // a session is there, so it need not connect
		asked   int
	}{
		"fresh":                          {[]string{"a", "b"}, time.Second, 0, false, 0},
		"old":                            {[]string{"a", "b"}, time.Second + 1, 0, false, 2},
		"another try":                    {[]string{"a", "b"}, 1, 1, false, 2},
		"its connection asks":            {[]string{"a"}, time.Hour, 1, false, 0},
		"alone, and no connection comes": {[]string{"a"}, time.Hour, 0, true, 1},
		"several, and none comes":        {[]string{"a", "b"}, time.Second, 0, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int32
			g := standing(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
				asked.Add(1)
				return Auth{BearerToken: "x"}, nil
			}}, c.folders...)
			asked.Store(0)
			time.Sleep(c.after)
			g.tries = c.tries
			if c.next {
				g.next, _ = opened(g.key.who)
			}
			g.renew()
			require.EqualValues(t, c.asked, asked.Load(), name)
			require.Len(t, g.calls, len(c.folders), name)
			for _, each := range g.calls {
				require.Equal(t, c.asked > 0, time.Since(each.asked) == 0, name)
			}
		})
	}
}

func TestOnlyWhoGetsAnEqualAnswerStaysInItsGroup(t *testing.T) {
	t.Parallel()
	auths, asked := map[string]string{"dest0": "same", "dest1": "same", "dest2": "same", "dest3": "same"}, []string{}
	signer := signerFunc(func() ([]byte, error) { return nil, nil })
	opts := &Options{Auth: named(auths, &asked), Signer: func(context.Context, destination.Destination) (Signer, error) { return signer, nil }}
	g := standing(t, opts, "a", "b", "c", "d")
	stays, moves, refused, unasked := g.calls[0], g.calls[1], g.calls[2], g.calls[3]
	auths["dest1"] = "other"
	delete(auths, "dest2")
	stays.signer = nil
	held := stays.held
	require.NotNil(t, held)
	unasked.held = held
	g.readmit([]*call{stays, moves, refused})
	require.Equal(t, []*call{stays, unasked}, g.calls)
	require.Nil(t, stays.held, "it may be no more what Auth says")
	require.Same(t, held, unasked.held)
	require.NotNil(t, stays.signer)
	require.Equal(t, []*call{moves}, g.remote.lane.waiting)
	require.Equal(t, 1, moves.moves)
	require.True(t, waits(moves))
	require.ErrorIs(t, ended(t, refused), errNotYours)
	require.Equal(t, 2, g.callers.refs)
}

func TestAGroupEndsWithTheLastOfItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := standing(t, nil, "a", "b")
		require.Equal(t, 2, g.callers.refs)
		late := newCall(t.Context(), g.remote.dst, nothing)
		require.NoError(t, g.remote.sink.admit(late))
		ctxs := make([]context.CancelFunc, 2)
		for i, c := range g.calls {
			g.release(c)
			c.ctx, ctxs[i] = context.WithCancel(t.Context())
			c.key = g.key
		}
		require.Zero(t, g.callers.refs)
		g.remote.sink.lanes.putBack(g.remote.lane, g.calls)
		g.calls = nil
		g.join()
		require.Equal(t, 2, g.callers.refs)
		ctxs[0]()
		synctest.Wait()
		require.NoError(t, g.callers.ctx.Err(), "one still waits")
		require.Equal(t, 1, g.callers.refs)
		g.release(g.calls[0])
		require.Equal(t, 1, g.callers.refs, "it has gone already")
		ctxs[1]()
		synctest.Wait()
		require.Error(t, g.callers.ctx.Err())
		g.remote.sink.lanes.submit(late)
		g.join()
		require.Len(t, g.calls, 2, "what is under way ends: the next group is for those that come now")
		require.Len(t, g.remote.lane.waiting, 1)
		g.remote.sink.close()
		g.join()
		require.Len(t, g.calls, 3, "it has to be told of the end")
	})
}

func TestNobodyJoinsAPartOfAGroupThatWasRefused(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a")
	late := newCall(t.Context(), g.remote.dst, nothing)
	require.NoError(t, g.remote.sink.admit(late))
	g.remote.sink.lanes.submit(late)
	g.closed = true
	g.join()
	require.Len(t, g.calls, 1)
	g.closed = false
	g.join()
	require.Equal(t, late, g.calls[1])
	require.Equal(t, 2, g.callers.refs)
	require.NotNil(t, late.stop)
}

func TestOnlyThoseWithAFaultAreDropped(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a", "b")
	one, other := g.calls[0], g.calls[1]
	fault := errors.New("x")
	g.drop(func(c *call) error {
		if c == one {
			return fault
		}
		return nil
	})
	require.Equal(t, []*call{other}, g.calls)
	require.ErrorIs(t, ended(t, one), fault)
	require.True(t, waits(other))
	require.Equal(t, 1, g.callers.refs)
}

func TestTheErrorOfACallIsItsOwnAndAWishOfTheServerIsKept(t *testing.T) {
	t.Parallel()
	g := standing(t, &Options{Auth: fixed(Auth{BearerToken: "hunter2"})}, "a", "b")
	g.remote.secrets = []string{"hunter2"}
	err := g.failure(g.calls[1], opPush, errors.New("hunter2 and so on"), "words", gitsink.ErrConflict)
	var e *gitsink.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, g.calls[1].dst, e.Destination)
	require.Equal(t, opPush, e.Op)
	require.Equal(t, "words", e.Server)
	require.ErrorIs(t, err, gitsink.ErrConflict)
	require.NotContains(t, err.Error(), "hunter2")
	require.Equal(t, g.calls[0].dst, g.remote.dst, "the group's own destination is as it was")
	require.Empty(t, g.remote.sink.limits.accounts)
	_ = g.failure(g.calls[0], opPush, &smart.StatusError{Status: 503}, "")
	require.Empty(t, g.remote.sink.limits.accounts, "it did not say how long")
	_ = g.failure(g.calls[0], opPush, &smart.StatusError{Status: 503, RetryAfter: time.Hour}, "")
	left := g.remote.sink.limits.blockedFor(g.account(), time.Now())
	require.InDelta(t, time.Hour, left, float64(time.Minute))
	g.failAll(opFetch, errors.New("x"), "")
	require.Empty(t, g.calls)
}

func TestASettledCallHasItsCommitsAndTheTipOfTheBranch(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a", "b", "a/file")
	g.remote.lane.store = stocked(t, "a/file", "1", "c", "2")
	before, after, unfit := g.calls[0], g.calls[1], g.calls[2]
	before.result.Commits = []string{"found"}
	g.remote.lane.landed["a"], g.remote.lane.landed["elsewhere"] = []landedCommit{{}}, []landedCommit{{}}
	ch := newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip)
	ch.parts = []stackPart{{before, []builtCommit{{hash: hexID(someHash)}, {hash: hexID(otherHash)}}}}
	g.succeed(ch, hexID(otherHash))
	require.Empty(t, g.calls)
	require.Zero(t, g.callers.refs)
	for _, c := range []*call{before, after, unfit} {
		require.NoError(t, ended(t, c))
		require.Equal(t, otherHash, c.result.Tip)
	}
	require.Equal(t, []string{"found", someHash, otherHash}, before.result.Commits)
	require.Empty(t, after.result.Commits)
	folder, err := object.FolderIn(ch, ch.root, "a")
	require.NoError(t, err)
	require.False(t, folder.IsZero())
	require.Equal(t, map[string]lastSeenFolder{"a": {folder, folder}, "b": {}}, g.remote.lane.seen, "a folder that is a file was not seen")
	require.Len(t, g.remote.lane.landed, 1, "what was found is of use once")

	g = standing(t, nil, "a")
	only := g.calls[0]
	g.succeed(newPushStack(object.SHA1, g.remote.lane.store, object.ID{}), object.ID{})
	require.NoError(t, ended(t, only))
	require.Empty(t, only.result.Tip, "there is no such branch")
}

func TestOneSessionIsKeptAndTheOneBeforeIsClosed(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a")
	first, one := opened(g.key.who)
	second, other := opened(identity{})
	g.keep(first)
	require.Zero(t, one.closed)
	g.keep(second)
	require.Equal(t, 1, one.closed)
	require.Zero(t, other.closed)
	g.keep(first)
	got, err := g.receiver()
	require.NoError(t, err)
	require.Same(t, first, got)
	require.Nil(t, g.next, "it is of use once")
	require.Equal(t, 1, one.closed)

	g.next = second // under other credentials
	other.closed = 0
	g.remote.auth = func(context.Context) (Auth, error) { return Auth{}, errNotYours }
	_, err = g.receiver()
	require.ErrorIs(t, err, errNotYours, "a new one is opened")
	require.Equal(t, 1, other.closed)
	require.Nil(t, g.next)
	_, err = g.receiver()
	require.ErrorIs(t, err, errNotYours)
}

func TestAPauseBeginsWithTheSecondTryAndIsNeverLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := standing(t, nil, "a")
		longest := map[int]time.Duration{}
		for _, tries := range []int{0, 1, 2, 40} {
			for range 200 {
				g.tries = tries
				s, w := opened(g.key.who)
				g.next = s
				began := time.Now()
				g.pause()
				longest[tries] = max(longest[tries], time.Since(began))
				require.Equal(t, tries >= 2, w.closed == 1, "what was seen before a pause is old after it")
			}
		}
		require.Zero(t, longest[0])
		require.Zero(t, longest[1])
		require.Greater(t, longest[2], 50*time.Millisecond)
		require.Less(t, longest[2], 100*time.Millisecond)
		require.Greater(t, longest[40], 200*time.Millisecond)
		require.Less(t, longest[40], 300*time.Millisecond)
		g.callers.cancel()
		began := time.Now()
		g.pause()
		require.Zero(t, time.Since(began), "nobody waits for it")
	})
}
