package gogit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
)

func waiter(t *testing.T, branch string) *call {
	t.Helper()
	c := newCall(t.Context(), target("https://host.invalid/app", branch, ""), nothing)
	c.held = &Auth{}
	return c
}

func TestTheFirstWhoWaitsForALaneStartsItsWorker(t *testing.T) {
	t.Parallel()
	ls := newLanes(1 << 20)
	one, two, other := waiter(t, "main"), waiter(t, "main"), waiter(t, "other")
	l := ls.submit(one)
	require.NotNil(t, l)
	require.Equal(t, one.lane, l.key)
	require.NotNil(t, one.held)
	require.Nil(t, ls.submit(two), "it has one already")
	require.Nil(t, two.held, "never while it waits")
	require.NotSame(t, l, ls.submit(other))
	require.Equal(t, []*call{one, two}, l.waiting)
	require.Zero(t, ls.idle, "what a worker has in hand is not charged")
	require.Same(t, one, ls.next(l))
	require.Equal(t, []*call{one, two}, l.waiting, "it goes on waiting")
	l.waiting = l.waiting[:0]
	require.Nil(t, ls.next(l))
	require.Nil(t, l.waiting, "the memory of many calls is not kept")
	require.False(t, l.working)
	require.EqualValues(t, laneOverhead, ls.idle)
	l.store.Add(hexID(someHash), "x")
	l.waiting = []*call{}
	require.Same(t, l, ls.submit(one), "it is remembered")
	require.Zero(t, ls.idle)
	l.waiting = nil
	require.Nil(t, ls.next(l))
	require.Equal(t, laneOverhead+l.store.Memory(), ls.idle)
	require.Equal(t, ls.idle, l.bytes)
	require.Greater(t, l.store.Memory(), int64(0))
	require.EqualValues(t, 2, l.used)
}

func TestOneWhoIsInNoGroupYetCanBeTakenBack(t *testing.T) {
	t.Parallel()
	ls := newLanes(1 << 20)
	one, two, three := waiter(t, "main"), waiter(t, "main"), waiter(t, "main")
	require.False(t, ls.withdraw(one), "nobody waits")
	l := ls.submit(one)
	require.False(t, ls.withdraw(two))
	require.Empty(t, l.withdrawn)
	ls.submit(two)
	ls.submit(three)
	require.True(t, ls.withdraw(two))
	require.Equal(t, []*call{one, three}, l.waiting)
	require.Len(t, l.withdrawn, 1, "who waits for a turn looks who is left")
	require.True(t, ls.withdraw(one), "the first, though nobody has seen the last")
	require.Equal(t, []*call{three}, l.waiting)
	require.Len(t, l.withdrawn, 1)
	require.False(t, ls.withdraw(one))
}

func TestTheCallsOfAKeyAreTakenInTheirOrder(t *testing.T) {
	t.Parallel()
	ls := newLanes(1 << 20)
	var calls []*call
	l := ls.submit(waiter(t, "main"))
	l.waiting = nil
	for i := range 4 {
		c := waiter(t, "main")
		c.key.url = fmt.Sprint(i % 2)
		ls.submit(c)
		calls = append(calls, c)
	}
	require.True(t, ls.waits(l, groupKey{url: "0"}))
	require.False(t, ls.waits(l, groupKey{url: "2"}))
	require.Equal(t, []*call{calls[0], calls[2]}, ls.take(l, groupKey{url: "0"}))
	require.Equal(t, []*call{calls[1], calls[3]}, l.waiting)
	require.False(t, ls.waits(l, groupKey{url: "0"}))
	require.Empty(t, ls.take(l, groupKey{url: "0"}))
	ls.putBack(l, []*call{calls[0]})
	require.Equal(t, []*call{calls[0], calls[1], calls[3]}, l.waiting)
}

// left makes lanes whose workers have left in this order, as far as max allows.
func left(t *testing.T, ls *lanes, branches ...string) {
	t.Helper()
	for _, branch := range branches {
		l := ls.submit(waiter(t, branch))
		l.waiting = nil
		require.Nil(t, ls.next(l))
	}
}

func remembered(ls *lanes) string {
	var names []string
	for _, branch := range []string{"a", "b", "c", "d"} {
		if ls.all[destination.Destination{Repository: "https://host.invalid/app", Branch: branch}.RemoteBranch()] != nil {
			names = append(names, branch)
		}
	}
	return strings.Join(names, "")
}

func TestLanesAreForgottenInTheOrderInWhichTheirWorkersLeft(t *testing.T) {
	t.Parallel()
	ls := newLanes(3 * laneOverhead)
	left(t, ls, "a", "b", "c")
	require.Equal(t, "abc", remembered(ls), "as much as may be")
	left(t, ls, "a", "d")
	require.Equal(t, "acd", remembered(ls))
	require.EqualValues(t, 3*laneOverhead, ls.idle)
	works := ls.submit(waiter(t, "c"))
	left(t, ls, "b", "b")
	require.Equal(t, "abcd", remembered(ls), "c is in use")
	require.True(t, works.working)
	ls.clear()
	require.Equal(t, "c", remembered(ls))
	require.Zero(t, ls.idle)
	works.waiting = nil
	require.Nil(t, ls.next(works))
	ls.clear()
	require.Empty(t, ls.all)
	require.Zero(t, ls.idle)
}

func TestALaneThatKnowsOfPushesInDoubtIsForgottenLast(t *testing.T) {
	t.Parallel()
	doubts := func(used int64) *lane { return &lane{used: used, unknown: make([]unknownPush, 1)} }
	finds := func(used int64) *lane { return &lane{used: used, landed: map[string][]landedCommit{"a": nil}} }
	plain := func(used int64) *lane { return &lane{used: used} }
	for _, c := range []struct {
		one, other *lane
		before     bool
	}{
		{plain(1), plain(2), true}, {plain(2), plain(1), false}, {plain(1), plain(1), false},
		{plain(2), doubts(1), true}, {doubts(1), plain(2), false}, {plain(2), finds(1), true}, {finds(1), plain(2), false},
		{doubts(1), finds(2), true}, {finds(2), doubts(1), false},
	} {
		require.Equal(t, c.before, c.one.before(c.other), "%+v %+v", c.one, c.other)
	}
	require.False(t, plain(0).hasUnknown())
	require.False(t, (&lane{unknown: []unknownPush{}, landed: map[string][]landedCommit{}}).hasUnknown())

	ls := newLanes(1 << 30)
	require.Nil(t, ls.oldest())
	left(t, ls, "a", "b", "c")
	for _, l := range ls.all {
		if l.key.Branch == "refs/heads/a" || l.key.Branch == "a" {
			l.unknown = make([]unknownPush, 1)
		}
	}
	for range 20 { // in whatever order the map gives
		require.EqualValues(t, 2, ls.oldest().used)
	}
}
