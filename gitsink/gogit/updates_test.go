package gogit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// offering is a session with a server that offers something.
func offersOf(t *testing.T, capabilities string) *session {
	return talking(t, http.NoBody, capabilities)
}

func TestOnlyTheTreesOfFoldersAreFetchedWhereTheServerAllowsIt(t *testing.T) {
	t.Parallel()
	const tips, reachable = "filter allow-tip-sha1-in-want", "filter allow-reachable-sha1-in-want"
	for name, c := range map[string]struct {
		offered  string
		folders  []string
		noScope  bool
		complete bool
		want     bool
	}{
		"tips":                    {tips, []string{"a"}, false, false, true},
		"what is reachable":       {reachable, []string{"a", "b"}, false, false, true},
		"no wants by hash":        {"filter", []string{"a"}, false, false, false},
		"no filter":               {"allow-tip-sha1-in-want", []string{"a"}, false, false, false},
		"it has failed":           {tips, []string{"a"}, true, false, false},
		"all trees are there":     {tips, []string{"a"}, false, true, false},
		"the root is wanted, too": {tips, []string{"a", ""}, false, false, false},
	} {
		r := &remote{lane: &lane{store: object.NewStore(), noScope: c.noScope}}
		r.lane.store.Complete = c.complete
		require.Equal(t, c.want, r.scoped(offersOf(t, c.offered), c.folders), name)
	}
}

func TestAFetchThatWasTooLargeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	r := &remote{sink: &Sink{opts: Options{MaxPackBytes: 77}}}
	tooMuch, own, other := fmt.Errorf("x: %w", object.ErrTooMuch), &object.LimitError{Text: "own words"}, errors.New("other")
	for _, c := range []struct {
		offered string
		err     error
		says    string
		same    bool
	}{
		{"filter", tooMuch, "of 77 bytes: raise MaxPackBytes", false},
		{"ofs-delta", tooMuch, "of 77 bytes: the server offers no partial fetch; set uploadpack.allowFilter there, or raise MaxPackBytes", false},
		{"filter", own, "own words", true}, {"ofs-delta", other, "other", true},
	} {
		err := r.tooLarge(offersOf(t, c.offered), c.err)
		require.ErrorContains(t, err, c.says)
		require.ErrorIs(t, err, c.err)
		require.Equal(t, c.same, errors.Is(c.err, err))
		require.Equal(t, !errors.Is(c.err, other), errors.Is(err, gitsink.ErrTooLarge))
	}
}

func TestWhatIsThereIsNotFetched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tip     bool // what was advertised is the store's
		folders []string
		asks    bool
	}{
		"the tip with its folders": {true, []string{"a"}, false},
		"another tip":              {false, []string{"a"}, true},
		"a folder more":            {true, []string{"a", "b"}, true},
	} {
		asks := 0
		g := standing(t, &Options{Transport: answers(func(*http.Request, string) (int, string) { asks++; return http.StatusServiceUnavailable, "" })}, "a")
		g.remote.lane.store = stocked(t, "a/file", "1", "b/file", "2")
		g.remote.lane.store.Complete = false
		missing, err := object.FolderIn(g.remote.lane.store, g.remote.lane.store.Root, "b")
		require.NoError(t, err)
		g.remote.lane.store.Trees.Delete(missing)
		tip := g.remote.lane.store.Tip
		if !c.tip {
			tip = hash("1")
		}
		got, err := g.remote.checkout(t.Context(), tip, c.folders)
		require.Equal(t, c.asks, asks > 0, name)
		if c.asks {
			require.ErrorContains(t, err, "503", name)
			require.True(t, got.IsZero(), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tip, got, name)
	}
	g := standing(t, &Options{Transport: answers(func(*http.Request, string) (int, string) { return http.StatusServiceUnavailable, "" })}, "a")
	_, err := g.remote.checkout(t.Context(), object.ID{}, nil)
	require.Error(t, err, "an empty store is at no commit")
}

func TestABranchThatIsMissingBeginsAtTheDefaultBranch(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	for name, c := range map[string]struct {
		refs  []string // with HEAD, if the first is
		is    error
		store object.ID
		tip   object.ID
	}{
		"the branch is there":        {[]string{"HEAD", m.tip.String(), "refs/heads/main", m.tip.String()}, nil, m.tip, m.tip},
		"only the default branch is": {[]string{"HEAD", m.tip.String(), "refs/heads/trunk", m.tip.String()}, nil, m.tip, object.ID{}},
		"neither is":                 {[]string{"refs/heads/other", m.tip.String()}, nil, object.ID{}, object.ID{}},
		"nothing is shown":           {[]string{"capabilities^{}", object.ID{}.String()}, errHidden, hash("9"), object.ID{}},
	} {
		g := standing(t, &Options{Transport: answers(func(r *http.Request, body string) (int, string) {
			if r.Method == http.MethodGet {
				return http.StatusOK, advertises(r, "symref=HEAD:refs/heads/trunk", c.refs...)
			}
			return http.StatusOK, string(m.upload([]byte(body)))
		})}, "a")
		g.remote.lane.store.Tip = hash("9")
		tip, err := g.remote.checkout(t.Context(), object.ID{}, []string{"a"})
		require.ErrorIs(t, err, c.is, name)
		require.Equal(t, c.tip, tip, name)
		require.Equal(t, c.store, g.remote.lane.store.Tip, name)
		require.Equal(t, !c.store.IsZero() && c.is == nil, g.remote.lane.store.Complete, name)
	}
}

func TestAnIncrementNotesWhatHasCome(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	g := standing(t, &Options{Transport: m}, "a")
	_, err := g.remote.checkout(t.Context(), m.tip, []string{"a"})
	require.NoError(t, err)
	require.Empty(t, g.remote.fetched, "what came first is no increment")
	first := m.tip
	m.outsider()
	second := m.tip
	m.outsider()
	tip, err := g.remote.checkout(t.Context(), m.tip, []string{"a"})
	require.NoError(t, err)
	require.Equal(t, m.tip, tip)
	require.Equal(t, m.tip, g.remote.lane.store.Tip)
	require.True(t, g.remote.fetched[second])
	require.True(t, g.remote.fetched[m.tip])
	require.True(t, g.remote.fetched[first], "the model sends everything")
}

// A fetch of everything is no way out when there is none before, or no time.
func TestAFetchThatFailsIsTriedAnewOnlyWhereThatMayHelp(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	for name, c := range map[string]struct {
		ends    bool // the context, during the fetch
		stocked bool // something was there before
		scoped  bool // the server offers what only the folders' trees need
		fetches int
		noScope bool
		before  bool // noScope
	}{
		"all of it":                   {false, false, false, 1, false, false},
		"what is new, then all of it": {false, true, false, 2, false, false},
		"the same, no folders":        {false, true, false, 2, true, true},
		"the folders, then all of it": {false, false, true, 2, true, false},
		"too late":                    {true, true, false, 1, false, false},
	} {
		fetches := 0
		ctx, end := context.WithCancel(t.Context())
		g := standing(t, &Options{Transport: answers(func(r *http.Request, _ string) (int, string) {
			offered := "ofs-delta"
			if c.scoped {
				offered = "filter allow-tip-sha1-in-want"
			}
			if r.Method == http.MethodGet {
				return http.StatusOK, advertises(r, offered, "refs/heads/main", m.tip.String())
			}
			if fetches++; c.ends {
				end()
			}
			return http.StatusInternalServerError, ""
		})}, "a")
		g.remote.lane.noScope = c.before
		if c.stocked {
			g.remote.lane.store = stocked(t, "start", "1")
		}
		_, err := g.remote.checkout(ctx, object.ID{}, []string{"a"})
		end()
		require.Error(t, err, name)
		require.Equal(t, c.fetches, fetches, name)
		require.Equal(t, c.noScope, g.remote.lane.noScope, name)
		if c.fetches > 0 {
			require.True(t, g.remote.lane.store.Tip.IsZero(), "nothing of it is used: %s", name)
		}
	}
}

func TestAServerThatFallsSilentIsNotAskedForMore(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	for name, run := range map[string]func(g *pushGroup) error{
		"an increment": func(g *pushGroup) error {
			_, err := g.remote.checkout(g.callers.ctx, object.ID{}, []string{"a"})
			return err
		},
		"files": func(g *pushGroup) error {
			_, err := g.remote.blobs(g.callers.ctx, []object.ID{hash("1")})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			fetches := 0
			g := standing(t, &Options{TransferTimeout: time.Second, Transport: answers(func(r *http.Request, _ string) (int, string) {
				if r.Method == http.MethodGet {
					return http.StatusOK, advertises(r, "ofs-delta", "refs/heads/main", m.tip.String())
				}
				fetches++
				<-r.Context().Done()
				return http.StatusBadGateway, ""
			})}, "a")
			g.remote.lane.store = stocked(t, "start", "1")
			require.ErrorIs(t, run(g), errNoAnswer, name)
			require.Equal(t, 1, fetches, name)
		})
	}
}

func TestAnIncrementSaysWhatIsThere(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	var bodies []string
	shallow := hash("7")
	g := standing(t, &Options{Transport: answers(func(r *http.Request, body string) (int, string) {
		if r.Method == http.MethodGet {
			return http.StatusOK, advertises(r, "shallow", "refs/heads/main", m.tip.String())
		}
		bodies = append(bodies, body)
		answer := string(m.upload([]byte(body)))
		if strings.Contains(body, "deepen 1") {
			answer = pkt("shallow "+shallow.String()) + "0000" + answer
		}
		return http.StatusOK, answer
	})}, "a")
	_, err := g.remote.checkout(t.Context(), m.tip, []string{"a"})
	require.NoError(t, err)
	require.Equal(t, []object.ID{shallow}, g.remote.lane.store.Shallows)
	first := m.tip
	m.outsider()
	_, err = g.remote.checkout(t.Context(), m.tip, []string{"a"})
	require.NoError(t, err)
	require.Len(t, bodies, 2)
	require.Contains(t, bodies[0], "want "+first.String())
	require.Contains(t, bodies[0], "deepen 1")
	require.NotContains(t, bodies[0], "have ")
	require.Contains(t, bodies[1], "want "+m.tip.String())
	require.Contains(t, bodies[1], "have "+first.String())
	require.Contains(t, bodies[1], "shallow "+shallow.String())
	require.NotContains(t, bodies[1], "deepen")
}

func TestAPackWithoutTheWantedCommitIsOfNoUse(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	pack := object.EncodePack(object.SHA1, nil, nil).Bytes()
	g := standing(t, &Options{Transport: answers(func(r *http.Request, _ string) (int, string) {
		if r.Method == http.MethodGet {
			return http.StatusOK, advertises(r, "ofs-delta", "refs/heads/main", m.tip.String())
		}
		return http.StatusOK, pkt("NAK\n") + string(pack)
	})}, "a")
	_, err := g.remote.checkout(t.Context(), m.tip, []string{"a"})
	require.ErrorContains(t, err, "commit "+m.tip.String())
	require.True(t, g.remote.lane.store.Tip.IsZero())
	require.False(t, g.remote.lane.store.Complete)
}
