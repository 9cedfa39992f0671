package gogit

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func hash(digit string) object.ID { return hexID(strings.Repeat(digit, 40)) }

// doubtful is a push from old to tip of one call with one commit, which is tip.
func doubtful(old, tip object.ID, c *call) unknownPush {
	return unknownPush{old: old, tip: tip, parts: []unknownPart{{call: c, folder: tip.String()[:1], commits: []landedCommit{{hash: tip}}}}}
}

func TestAPushInDoubtHasLandedCanLandYetOrIsForgotten(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	first := m.tip
	m.outsider()
	second := m.tip
	m.outsider()
	third, zero, gone := m.tip, object.ID{}, hash("9")
	for name, c := range map[string]struct {
		old, tip object.ID // of the push
		at       object.ID // the branch
		fetched  bool      // its commit came with a fetch
		landed   bool
		left     bool
		asks     bool
	}{
		"the branch is where it led":             {old: first, tip: second, at: second, landed: true},
		"it came with a fetch":                   {old: gone, tip: second, at: third, fetched: true, landed: true},
		"it lies in the history":                 {old: first, tip: second, at: third, landed: true, asks: true},
		"the branch is where it began":           {old: first, tip: gone, at: first, left: true},
		"the branch has gone another way":        {old: first, tip: gone, at: third, asks: true},
		"there is no branch any more":            {old: first, tip: second, at: zero},
		"there is no branch yet":                 {old: zero, tip: second, at: zero, left: true},
		"the branch was made by others":          {old: zero, tip: gone, at: third, asks: true},
		"it came with a fetch, and is undone":    {old: first, tip: second, at: first, fetched: true, landed: true},
		"it is where it led, and where it began": {old: second, tip: second, at: second, landed: true},
	} {
		before := m.requests
		g := standing(t, &Options{Transport: m}, "a")
		g.remote.lane.store.Tip = c.at
		d := doubtful(c.old, c.tip, g.calls[0])
		folder := d.parts[0].folder
		g.remote.lane.unknown = []unknownPush{d}
		g.remote.fetched[c.tip] = c.fetched
		require.NoError(t, g.settleUnknown(c.at), name)
		require.Equal(t, c.asks, m.requests > before, name)
		if c.landed {
			require.Equal(t, []landedCommit{{hash: c.tip}}, g.remote.lane.landed[folder], name)
			require.Equal(t, []string{c.tip.String()}, g.calls[0].result.Commits, name)
		} else {
			require.Empty(t, g.remote.lane.landed, name)
			require.Empty(t, g.calls[0].result.Commits, name)
		}
		if c.left {
			require.Equal(t, []unknownPush{d}, g.remote.lane.unknown, name)
		} else {
			require.Empty(t, g.remote.lane.unknown, name)
		}
	}
}

func TestOfSeveralPushesInDoubtEachIsSettledByItself(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	first := m.tip
	m.outsider()
	second := m.tip
	m.outsider()
	g := standing(t, &Options{Transport: m}, "a")
	stays := doubtful(m.tip, hash("7"), g.calls[0])
	g.remote.lane.unknown = []unknownPush{doubtful(first, second, g.calls[0]), doubtful(second, hash("8"), g.calls[0]), stays, doubtful(second, m.tip, g.calls[0])}
	require.NoError(t, g.settleUnknown(m.tip))
	require.Equal(t, []unknownPush{stays}, g.remote.lane.unknown)
	require.Equal(t, []string{second.String(), m.tip.String()}, g.calls[0].result.Commits)
}

func TestWhatCannotBeSettledStaysInDoubt(t *testing.T) {
	t.Parallel()
	g := standing(t, &Options{Transport: answers(func(*http.Request, string) (int, string) { return http.StatusServiceUnavailable, "" })}, "a")
	g.remote.lane.unknown = []unknownPush{doubtful(hash("1"), hash("2"), nil), doubtful(hash("3"), hash("2"), nil)}
	require.ErrorContains(t, g.settleUnknown(hash("3")), "503")
	require.Len(t, g.remote.lane.unknown, 2)
	require.Empty(t, g.remote.lane.landed)
}

func TestOnlyCallersThatAreStillThereAreToldOfWhatWasFound(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a", "b")
	here, gone := g.calls[0], g.calls[1]
	gone.over = true
	commits := []landedCommit{{hash: hash("1")}, {hash: hash("2")}}
	g.remote.lane.landed["a"] = []landedCommit{{hash: hash("3")}}
	g.noteLanded(unknownPush{parts: []unknownPart{
		{call: nil, folder: "a", commits: commits}, {call: gone, folder: "b", commits: commits}, {call: here, folder: "c", commits: commits},
	}})
	require.Equal(t, []string{hash("1").String(), hash("2").String()}, here.result.Commits)
	require.Empty(t, gone.result.Commits)
	require.Equal(t, map[string][]landedCommit{"a": append([]landedCommit{{hash: hash("3")}}, commits...), "b": commits, "c": commits}, g.remote.lane.landed)
	gone.over = false
}

func TestADoubtHoldsAllThatAPushIsKnownAgainBy(t *testing.T) {
	t.Parallel()
	g, ch := pushing(t, nil, "a", "b", "deep/below")
	g.remote.lane.seen["a"] = lastSeenFolder{is: hash("1"), maybe: hash("1")}
	g.remote.lane.seen["deep/below"] = lastSeenFolder{is: hash("2"), maybe: hash("2")}
	at, err := object.FolderIn(ch, ch.root, "a")
	require.NoError(t, err)
	below, err := object.FolderIn(ch, ch.root, "deep/below")
	require.NoError(t, err)
	g.rememberUnknown(ch)
	require.Equal(t, map[string]lastSeenFolder{
		"a": {is: hash("1"), maybe: at}, "deep/below": {is: hash("2"), maybe: below},
	}, g.remote.lane.seen, "a folder that was never seen is not by its doubt")
	require.Len(t, g.remote.lane.unknown, 1)
	d := g.remote.lane.unknown[0]
	require.Equal(t, ch.old, d.old)
	require.Equal(t, ch.tip, d.tip)
	require.Len(t, d.parts, 3)
	for i, p := range d.parts {
		require.Same(t, g.calls[i], p.call)
		require.Equal(t, g.calls[i].dst.BaseFolder, p.folder)
		require.Equal(t, []landedCommit{{ch.parts[i].commits[0].hash, digestOf(ch.parts[i].commits[0].from)}}, p.commits)
	}
	g.remote.lane.forgetCalls()
	for _, p := range g.remote.lane.unknown[0].parts {
		require.Nil(t, p.call, "nobody's plan is kept")
	}
}

func TestAFolderThatCannotBeReadIsNotSeenInItsDoubt(t *testing.T) {
	t.Parallel()
	g, ch := pushing(t, nil, "a")
	g.remote.lane.seen["a"] = lastSeenFolder{is: hash("1"), maybe: hash("2")}
	ch.root = hash("5") // which is nowhere
	g.rememberUnknown(ch)
	require.Equal(t, lastSeenFolder{is: hash("1"), maybe: hash("2")}, g.remote.lane.seen["a"])
}

func TestExactlyAsManyDoubtsAsMayBeAreKept(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a")
	for i := range byte(maxUnknown) {
		g.rememberUnknown(&pushStack{tip: numbered(i)})
	}
	require.Len(t, g.remote.lane.unknown, maxUnknown)
	require.Equal(t, numbered(0), g.remote.lane.unknown[0].tip)
}

func TestCommitsThatHaveLandedAreLeftOutIfTheyStillHold(t *testing.T) {
	t.Parallel()
	plan := func(contents ...string) (all []gitsink.Commit) {
		for _, content := range contents {
			all = append(all, gitsink.Commit{Message: content, Changes: writes("file", content)})
		}
		return all
	}
	for name, c := range map[string]struct {
		now   string // what the file is
		plan  []gitsink.Commit
		found []gitsink.Commit
		left  int
		is    error
	}{
		"nothing was found":         {"1", plan("1", "2"), nil, 2, nil},
		"all of it holds":           {"2", plan("1", "2"), plan("1", "2"), 0, nil},
		"its beginning holds":       {"2", plan("1", "2", "3"), plan("1", "2"), 1, nil},
		"somebody has undone it":    {"0", plan("1", "2"), plan("1", "2"), 2, nil},
		"another plan was found":    {"2", plan("1", "2"), plan("x"), 2, nil},
		"a path that cannot be":     {"2", commitsTo("../x"), commitsTo("../x"), 0, gitsink.ErrPath},
		"a path through a file":     {"2", commitsTo("file/x"), commitsTo("file/x"), 0, gitsink.ErrPath},
		"a path that was not found": {"2", commitsTo("../x"), nil, 1, nil},
	} {
		g := standing(t, nil, "base")
		g.remote.lane.store = stocked(t, "base/file", c.now, "other", "1")
		ch := newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip)
		for _, commit := range c.found {
			g.remote.lane.landed["base"] = append(g.remote.lane.landed["base"], landedCommit{digest: digestOf(commit)})
		}
		left, err := g.withoutLanded(ch, g.calls[0], c.plan)
		if c.is != nil {
			require.ErrorIs(t, err, c.is, name)
			require.Nil(t, left, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.plan[len(c.plan)-c.left:], append([]gitsink.Commit{}, left...), name)
	}
	g := standing(t, nil, "base")
	g.remote.lane.landed["base"] = []landedCommit{{digest: digestOf(plan("1")[0])}}
	ch := newPushStack(object.SHA1, g.remote.lane.store, object.ID{})
	ch.root = hash("5") // which is nowhere
	_, err := g.withoutLanded(ch, g.calls[0], plan("1"))
	require.ErrorIs(t, err, object.ErrIncomplete)
	require.False(t, errors.Is(err, gitsink.ErrPath))
}

func commitsTo(path string) []gitsink.Commit {
	return []gitsink.Commit{{Message: "m", Changes: writes(path, "1")}}
}

// numbered is a name that no object has.
func numbered(n byte) object.ID { return hexID(fmt.Sprintf("%040x", int(n)+1)) }
