package smart

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"
)

func TestAFetchAsksForWhatItNeedsAndTheServerOffers(t *testing.T) {
	t.Parallel()
	const all = "shallow filter no-progress"
	wants, haves, shallows := []plumbing.Hash{hash("1")}, []plumbing.Hash{hash("2")}, []plumbing.Hash{hash("3")}
	for name, c := range map[string]struct {
		offered  string
		req      FetchRequest
		multiAck bool
		depth    string
		filter   string
		has      []capability.Capability
		lacks    []capability.Capability
	}{
		"nothing special": {offered: all, req: FetchRequest{Filter: "blob:none"}, depth: "", filter: "blob:none",
			has: []capability.Capability{"filter", "no-progress"}, lacks: []capability.Capability{"shallow", "multi_ack"}},
		"a depth":        {offered: all, req: FetchRequest{Depth: 1}, depth: "deepen 1", has: []capability.Capability{"shallow"}},
		"its shallows":   {offered: all, req: FetchRequest{Shallows: shallows}, depth: "shallow " + shallows[0].String(), has: []capability.Capability{"shallow"}},
		"another filter": {offered: all, req: FetchRequest{Filter: "tree:0"}, filter: "tree:0"},
		"the files":      {offered: all, req: FetchRequest{}, lacks: []capability.Capability{"filter"}},
		"an old server": {offered: "ofs-delta", req: FetchRequest{Depth: 1, Shallows: shallows, Filter: "blob:none"},
			lacks: []capability.Capability{"shallow", "filter", "no-progress", "multi_ack"}},
		"one that wants it": {offered: "ofs-delta", multiAck: true, has: []capability.Capability{"multi_ack"}},
	} {
		refs := conversing(t, http.NoBody, c.offered).Refs
		refs.MultiAck = c.multiAck
		c.req.Wants, c.req.Haves = wants, haves
		req := c.req.request(refs)
		require.Equal(t, wants, req.Wants, name)
		require.Equal(t, haves, req.Haves, name)
		for _, each := range c.has {
			require.True(t, req.Capabilities.Supports(each), "%s: %s", name, each)
		}
		for _, each := range c.lacks {
			require.False(t, req.Capabilities.Supports(each), "%s: %s", name, each)
		}
		require.Equal(t, c.filter, string(req.Filter), name)
		var text strings.Builder
		require.NoError(t, req.UploadRequest.Encode(&text))
		require.Contains(t, text.String(), c.depth, name)
		require.Equal(t, strings.HasPrefix(c.depth, "deepen"), strings.Contains(text.String(), "deepen"), name)
		require.Equal(t, strings.HasPrefix(c.depth, "shallow"), strings.Contains(text.String(), "\n") && len(req.Shallows) > 0, name)
	}
}
