package smart

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func TestAFetchAsksForWhatItNeedsAndTheServerOffers(t *testing.T) {
	t.Parallel()
	const all = "shallow filter no-progress"
	wants, haves, shallows := []object.ID{hash("1")}, []object.ID{hash("2")}, []object.ID{hash("3")}
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
		request, deepens, err := c.req.encode(refs)
		require.NoError(t, err)
		first, rest, _ := strings.Cut(string(request), "\n")
		require.Equal(t, "want "+wants[0].String(), first[4:4+5+40], name)
		asked := strings.Fields(first[4+5+40:])
		for _, each := range c.has {
			require.Contains(t, asked, each.String(), name)
		}
		for _, each := range c.lacks {
			require.NotContains(t, asked, each.String(), name)
		}
		var lines []string
		if c.depth != "" {
			lines = append(lines, pkt(c.depth+"\n"))
		}
		if c.filter != "" {
			lines = append(lines, pkt("filter "+c.filter+"\n"))
		}
		require.Equal(t, strings.Join(lines, "")+"0000"+pkt("have "+haves[0].String()+"\n")+"0009done\n", rest, name)
		require.Equal(t, strings.HasPrefix(c.depth, "deepen"), deepens, "%s: the answer says where the history ends", name)
	}
}

func TestWhatIsNamedTwiceIsAskedForOnce(t *testing.T) {
	refs := conversing(t, http.NoBody, "shallow").Refs
	one, two := hash("1"), hash("2")
	both := []object.ID{two, one, two}
	request, _, err := FetchRequest{Wants: both, Haves: both, Shallows: both}.encode(refs)
	require.NoError(t, err)
	for _, line := range []string{"want ", "shallow ", "have "} {
		require.Equal(t, 2, strings.Count(string(request), line), line)
	}
	require.Equal(t, []object.ID{two, one, two}, both, "they are the caller's")
}

func TestARequestSaysItsFormatUnlessThatIsSHA1(t *testing.T) {
	old, tip := strings.Repeat("1", 64), strings.Repeat("2", 64)
	for format, digits := range map[string]int{"sha1": 40, "sha256": 64} {
		f, ok := object.FormatOf(format)
		require.True(t, ok)
		zero := strings.Repeat("0", digits)
		s, err := Begin(t.Context(), answered{strings.NewReader(pkt(zero+" capabilities^{}\x00shallow report-status object-format="+format+"\n") + "0000")}, "refs/heads/main")
		require.NoError(t, err)
		require.Equal(t, f, s.Refs.Format)
		require.True(t, s.Refs.Empty)
		id, ok := object.ParseID(f, tip[:digits])
		require.True(t, ok)
		request, _, err := FetchRequest{Wants: []object.ID{id}, Depth: 1}.encode(s.Refs)
		require.NoError(t, err)
		require.Contains(t, string(request), "want "+tip[:digits]+" ")
		require.Equal(t, format == "sha256", strings.Contains(string(request), "object-format=sha256"))
		update := string(Update{Ref: "refs/heads/main", New: id}.encode(s.Refs))
		require.Contains(t, update, zero+" "+tip[:digits]+" refs/heads/main\x00", "there is no branch yet")
		require.Equal(t, format == "sha256", strings.Contains(update, "object-format=sha256"))
		before, ok := object.ParseID(f, old[:digits])
		require.True(t, ok)
		require.Contains(t, string(Update{Ref: "refs/heads/main", Old: before, New: id}.encode(s.Refs)), old[:digits]+" "+tip[:digits]+" ")
	}
	_, err := Begin(t.Context(), answered{strings.NewReader(pkt(old+" HEAD\x00object-format=blake3\n") + "0000")}, "refs/heads/main")
	require.ErrorIs(t, err, gitsink.ErrUnsupported)
	require.ErrorContains(t, err, "it has object-format blake3")
	_, err = Begin(t.Context(), answered{strings.NewReader(pkt(old[:40]+" HEAD\x00object-format=sha256\n") + "0000")}, "refs/heads/main")
	require.ErrorIs(t, err, gitsink.ErrProtocol, "a name of the other format")
}
