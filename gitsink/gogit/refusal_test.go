package gogit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestARefusalIsOfTheClassThatItsWordsAndTheBranchTell(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, c := range map[string]struct {
		v      verdict
		branch string
		refs   []string
		look   error
		is     error
		not    error
		says   string
		drops  bool
	}{
		"unknown words":        {v: verdict{refusal: "no"}, is: gitsink.ErrRejected, not: gitsink.ErrUnavailable, says: "no"},
		"unknown words, blind": {v: verdict{refusal: "no"}, look: down, is: gitsink.ErrUnavailable, not: gitsink.ErrRejected},
		"known words, blind":   {v: verdict{refusal: "GH006"}, look: down, is: gitsink.ErrProtected, not: gitsink.ErrUnavailable},
		"words of a hook":      {v: verdict{refusal: "no", words: "GH006"}, is: gitsink.ErrProtected, not: gitsink.ErrRejected},
		"not unpacked":         {v: verdict{refusal: "index-pack", unpack: true}, is: gitsink.ErrRejected, drops: true},
		"not unpacked, blind": {v: verdict{refusal: "index-pack", unpack: true}, look: down,
			is: gitsink.ErrUnavailable, not: gitsink.ErrRejected, drops: true},
		"no signature": {v: verdict{refusal: "unverified commit"}, is: gitsink.ErrRejected,
			says: "unverified commit: if the branch is protected and wants signed commits, set Options.Signer"},
		"another's signature": {v: verdict{refusal: "no", words: "unverified commit", signed: true}, is: gitsink.ErrRejected,
			says: "see that the server knows the key"},
		"a branch below": {v: verdict{refusal: "cannot lock ref"}, refs: []string{"refs/heads/main/x"}, is: gitsink.ErrRejected,
			not: gitsink.ErrUnavailable, says: "the branch main/x exists, and Git cannot have both"},
		"a branch above": {v: verdict{refusal: "cannot lock ref"}, branch: "main/y", refs: []string{"refs/heads/main"}, is: gitsink.ErrRejected,
			not: gitsink.ErrUnavailable, says: "the branch main exists, and Git cannot have both"},
		"a branch beside": {v: verdict{refusal: "cannot lock ref"}, refs: []string{"refs/heads/mainly", "refs/heads/mai", "refs/heads/main"},
			is: gitsink.ErrUnavailable, not: gitsink.ErrRejected},
		"a branch below that is not to blame": {v: verdict{refusal: "internal server error", unpack: true},
			refs: []string{"refs/heads/main/x"}, is: gitsink.ErrUnavailable, not: gitsink.ErrRejected, drops: true},
	} {
		g := standing(t, nil, "a")
		if c.branch != "" {
			g.remote.ref = plumbing.NewBranchReferenceName(c.branch)
		}
		only, store := g.calls[0], g.remote.lane.store
		refs := map[string]object.ID{}
		for _, ref := range c.refs {
			refs[ref] = hexID(someHash)
		}
		require.False(t, g.refused(c.v, refs, c.look), name)
		err := ended(t, only)
		require.ErrorIs(t, err, c.is, name)
		if c.not != nil {
			require.NotErrorIs(t, err, c.not, name)
		}
		require.ErrorContains(t, err, c.says, name)
		if len(c.refs) == 3 || c.v.unpack {
			require.NotContains(t, err.Error(), "cannot have both", name)
		}
		var e *gitsink.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.v.words, e.Server, name)
		require.Equal(t, opPush, e.Op, name)
		require.Equal(t, c.drops, store != g.remote.lane.store, "the store is dropped: %s", name)
		require.NotNil(t, g.remote.lane.store, name)
	}
}

func TestOnlyWhatMayBeOnePlansFaultIsTrackedDownToIt(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, c := range map[string]struct {
		folders []string
		words   string
		look    error
		tries   int // connections to find out
		is      error
	}{
		"rejected":        {[]string{"a", "b"}, "no", nil, 2, nil},
		"too large":       {[]string{"a", "b", "c"}, "GH001", nil, 2, nil},
		"protected":       {[]string{"a", "b"}, "GH006", nil, 0, gitsink.ErrProtected},
		"alone":           {[]string{"a"}, "no", nil, 0, gitsink.ErrRejected},
		"too large, lost": {[]string{"a", "b"}, "GH001", down, 0, gitsink.ErrTooLarge},
	} {
		looks := 0
		g := standing(t, &Options{Transport: looking(func() object.ID { return object.ID{} }, &looks)}, c.folders...)
		calls := slices.Clone(g.calls)
		held, w := opened(g.key.who)
		g.keep(held)
		require.False(t, g.refused(verdict{refusal: c.words}, nil, c.look), name)
		require.Equal(t, c.tries, looks, name)
		require.Empty(t, g.calls, name)
		require.Equal(t, min(c.tries, 1), w.closed, "the branch will not be there when the first half is done: %s", name)
		for _, each := range calls {
			err := ended(t, each)
			if c.is != nil {
				require.ErrorIs(t, err, c.is, name)
				continue
			}
			var e *gitsink.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, opFetch, e.Op, "each half has looked for itself: %s", name)
		}
		require.Zero(t, g.callers.refs)
	}
}

// judging is a model server that refuses every push with a file whose content is "guilty".
type judging struct {
	*modelServer
	pushes int
	sizes  []int // commits of each push
}

func (j *judging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, string(smart.ReceivePack)) {
		return j.modelServer.RoundTrip(r)
	}
	body, _ := io.ReadAll(r.Body)
	req := packp.NewReferenceUpdateRequest()
	require.NoError(j.t, req.Decode(bytes.NewReader(body)))
	got, err := object.Unpack(object.SHA1, req.Packfile, object.Limits{Receive: 1 << 30, Hold: 1 << 30}, true)
	require.NoError(j.t, err)
	j.pushes++
	j.sizes = append(j.sizes, got.Commits.Len())
	for _, content := range got.Blobs.All() {
		if content == "guilty" {
			answer := pkt("unpack ok\n") + pkt("ng refs/heads/main pre-receive hook declined\n") + "0000"
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return j.modelServer.RoundTrip(r)
}

func TestTheGuiltyPlanIsFoundByHalvesOfTheGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contents []string
		most     int // RateLimit.MaxCommits
		pushes   int
		sizes    []int
	}{
		"nobody":        {[]string{"1", "2", "3"}, 0, 1, []int{3}},
		"the first":     {[]string{"guilty", "2", "3", "4"}, 0, 5, []int{4, 2, 1, 1, 2}},
		"the last":      {[]string{"1", "2", "guilty"}, 0, 5, []int{3, 1, 2, 1, 1}},
		"two at a time": {[]string{"1", "2", "3", "4"}, 2, 1, []int{2}},
	} {
		j := &judging{modelServer: newModelServer(t, nil)}
		opts := &Options{Transport: j, RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: -1, MaxCommits: c.most} }}
		folders := []string{"a", "b", "c", "d"}[:len(c.contents)]
		g := standing(t, opts, folders...)
		calls := slices.Clone(g.calls)
		for i, each := range calls {
			each.plan = put("file", c.contents[i])
		}
		g.run()
		g.keep(nil)
		require.Equal(t, c.pushes, j.pushes, name)
		require.Equal(t, c.sizes, j.sizes, name)
		for i, each := range calls {
			switch {
			case c.most > 0 && i >= c.most:
				require.True(t, waits(each), name)
			case c.contents[i] == "guilty":
				require.ErrorIs(t, ended(t, each), gitsink.ErrRejected, name)
				require.Empty(t, each.result.Commits, name)
			default:
				require.NoError(t, ended(t, each), name)
				require.Len(t, each.result.Commits, 1, name)
				require.NotEmpty(t, each.result.Tip, name)
			}
		}
		require.Equal(t, max(len(calls)-max(c.most, 1), 0)*min(c.most, 1), len(g.remote.lane.waiting), name)
	}
}
