package smart

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func speaking(w *gogittest.Scripted, offered ...capability.Capability) *Session {
	return Assume(w, &Advertisement{Capabilities: listOf(offered...)})
}

func wanting(depth int, haves ...object.ID) FetchRequest {
	return FetchRequest{Wants: []object.ID{hexID(someHash)}, Haves: haves, Depth: depth}
}

func TestASessionThatDoesNotBeginIsExplainedAndClosed(t *testing.T) {
	t.Parallel()
	heard := pkt(someHash+" refs/heads/main\x00ofs-delta\n") + "0000"
	for name, c := range map[string]struct {
		wire *gogittest.Scripted
		want error
	}{
		"no answer":        {&gogittest.Scripted{Answer: heard, Err: errCut}, errCut},
		"no advertisement": {&gogittest.Scripted{Answer: "hello"}, gitsink.ErrProtocol},
	} {
		s, err := Begin(t.Context(), c.wire, "refs/heads/main")
		require.Nil(t, s, name)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorIs(t, err, gogittest.ErrExplained, name)
		require.True(t, c.wire.Closed, name)
	}
	w := &gogittest.Scripted{Answer: heard}
	s, err := Begin(t.Context(), w, "refs/heads/main")
	require.NoError(t, err)
	require.Equal(t, hexID(someHash), s.Tip("refs/heads/main"))
	require.False(t, w.Closed)
}

func TestAFetchAsksOnceAndHandsThePackOn(t *testing.T) {
	t.Parallel()
	w := &gogittest.Scripted{Answer: pkt("shallow "+someHash) + "0000" + pkt("NAK\n") + pkt("\x01PACK") + "0000"}
	var pack []byte
	take := func(r io.Reader) (err error) {
		pack, err = io.ReadAll(r)
		return err
	}
	have := hexID(otherHash)
	shallows, err := speaking(w, capability.Sideband64k, capability.Shallow).Fetch(t.Context(), wanting(1, have), take)
	require.NoError(t, err)
	require.Equal(t, []object.ID{hexID(someHash)}, shallows)
	require.Equal(t, "PACK", string(pack))
	require.True(t, strings.HasPrefix(w.Sent, pkt("want "+someHash+" side-band-64k shallow\n")), w.Sent)
	require.True(t, strings.HasSuffix(w.Sent, "0000"+pkt("have "+otherHash+"\n")+"0009done\n|"), w.Sent)

	w = &gogittest.Scripted{Answer: pkt("NAK\n") + "PACK"}
	shallows, err = speaking(w).Fetch(t.Context(), wanting(0), take)
	require.NoError(t, err)
	require.Empty(t, shallows)
	require.Equal(t, "PACK", string(pack))
}

func TestAFetchThatFailsSaysWhere(t *testing.T) {
	t.Parallel()
	nak := pkt("NAK\n")
	for name, c := range map[string]struct {
		wire *gogittest.Scripted
		req  FetchRequest
		take error
		want error
		says string
	}{
		"nothing is wanted":  {&gogittest.Scripted{Answer: nak}, FetchRequest{}, nil, nil, "wants nothing"},
		"no answer":          {&gogittest.Scripted{Err: errCut}, wanting(0), nil, errCut, "explained"},
		"no negotiation":     {&gogittest.Scripted{Answer: "hello"}, wanting(0), nil, gitsink.ErrProtocol, "explained: reading the answer to a fetch"},
		"no end of history":  {&gogittest.Scripted{Answer: nak}, wanting(1), nil, gitsink.ErrProtocol, "does not say where the history ends"},
		"no pack that holds": {&gogittest.Scripted{Answer: nak + "PACK"}, wanting(0), io.ErrNoProgress, io.ErrNoProgress, "explained"},
	} {
		shallows, err := speaking(c.wire, capability.Shallow).Fetch(t.Context(), c.req, func(io.Reader) error { return c.take })
		require.Error(t, err, name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
		}
		require.ErrorContains(t, err, c.says, name)
		require.Nil(t, shallows, name)
	}
}

var setting = Update{Ref: "refs/heads/main", New: hexID(someHash)}

func TestAPushHasAReportOrAnError(t *testing.T) {
	t.Parallel()
	report := pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + "0000"
	cut := pkt("unpack ok\n")
	for name, c := range map[string]struct {
		wire  *gogittest.Scripted
		band  []capability.Capability
		words string
		want  error
		says  string
	}{
		"a report":                     {&gogittest.Scripted{Answer: report}, nil, "", nil, ""},
		"a report in a sideband":       {&gogittest.Scripted{Answer: pkt("\x02one ") + pkt("\x01"+report) + pkt("\x02two") + "0000"}, []capability.Capability{capability.Sideband64k}, "one two", nil, ""},
		"no answer":                    {&gogittest.Scripted{Err: errCut}, nil, "", errCut, "explained"},
		"no end":                       {&gogittest.Scripted{Answer: cut}, nil, "", io.ErrUnexpectedEOF, "explained: reading the answer to a push"},
		"a sideband that is cut":       {&gogittest.Scripted{Answer: pkt("\x02one") + pkt("\x01"+cut)}, []capability.Capability{capability.Sideband64k}, "one", io.ErrUnexpectedEOF, "explained"},
		"no end in a sideband":         {&gogittest.Scripted{Answer: pkt("\x02one") + pkt("\x01"+cut) + "0000"}, []capability.Capability{capability.Sideband64k}, "one", gitsink.ErrProtocol, "the report of a push ends in the middle"},
		"no report, and a cut":         {&gogittest.Scripted{Answer: pkt("hello\n")}, nil, "", gitsink.ErrProtocol, "explained: reading the answer to a push"},
		"no report in a full sideband": {&gogittest.Scripted{Answer: pkt("\x01"+pkt("hello\n")) + "0000"}, []capability.Capability{capability.Sideband64k}, "", gitsink.ErrProtocol, "begins with"},
	} {
		got, words, err := speaking(c.wire, c.band...).Push(t.Context(), setting, []byte("PACK"))
		require.Equal(t, c.words, words, name)
		require.True(t, strings.HasSuffix(c.wire.Sent, "0000|PACK|"), name)
		if c.want == nil {
			require.NoError(t, err, name)
			require.Equal(t, "ok", got.UnpackStatus, name)
			require.Len(t, got.CommandStatuses, 1, name)
			continue
		}
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		require.Nil(t, got, name)
		if errors.Is(c.want, io.ErrUnexpectedEOF) {
			require.NotErrorIs(t, err, gitsink.ErrProtocol, name)
		}
	}
}

func TestOfWhatIsSaidTheBeginningIsKept(t *testing.T) {
	t.Parallel()
	b := &wordBuffer{}
	for _, text := range []string{"abc", strings.Repeat("x", maxWords), "more", ""} {
		n, err := b.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	require.Equal(t, "abc"+strings.Repeat("x", maxWords-3), b.String())
}
