package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// scripted is a wire that answers what it was told to, and notes what it was asked.
type scripted struct {
	answer string
	err    error
	sent   string
	closed bool
}

var errExplained = errors.New("explained")

func (s *scripted) advertise(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.answer)), s.err
}

func (s *scripted) exchange(_ context.Context, parts ...[]byte) (io.ReadCloser, error) {
	for _, part := range parts {
		s.sent += string(part) + "|"
	}
	if s.err != nil {
		return nil, s.err
	}
	return io.NopCloser(strings.NewReader(s.answer)), nil
}

func (s *scripted) explain(err error) error { return fmt.Errorf("%w: %w", errExplained, err) }
func (s *scripted) close()                  { s.closed = true }

func speaking(w *scripted, offered ...capability.Capability) *session {
	return &session{wire: w, refs: &advertisement{capabilities: listOf(offered...)}}
}

func TestAStepThatIsCutOffSaysWhy(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errCut)
	until := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 1, io.EOF
	}
	_, err := bounded(t.Context(), time.Millisecond, until)
	require.ErrorIs(t, err, errNoAnswer)
	require.EqualError(t, err, "no answer from the server within 1ms")
	_, err = bounded(ended, time.Hour, until)
	require.ErrorIs(t, err, errCut)
	value, err := bounded(ended, time.Hour, func(context.Context) (int, error) { return 7, nil })
	require.NoError(t, err, "it was done before")
	require.Equal(t, 7, value)
	_, err = bounded(t.Context(), time.Hour, func(context.Context) (int, error) { return 0, io.EOF })
	require.Equal(t, io.EOF, err)
}

// idling is a transport that counts how often its idle connections were closed.
type idling struct {
	canned
	closed int
}

func (i *idling) CloseIdleConnections() { i.closed++ }

func wayTo(s *Sink, url string, auth Auth) *remote {
	r := newRemote(s, &lane{}, target(url, "main", ""))
	r.auth = func(context.Context) (Auth, error) { return auth, nil }
	return r
}

func TestASessionIsOpenedWithWhatItsServerSays(t *testing.T) {
	refs := pkt(someHash+" refs/heads/main\x00multi_ack thin-pack ofs-delta\n") + "0000"
	media := "application/x-git-upload-pack-advertisement"
	s := newSink(t, &Options{Transport: canned(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/empty") {
			return saying(r, http.StatusOK, media, pkt(plumbing.ZeroHash.String()+" capabilities^{}\x00ofs-delta\n")+"0000"), nil
		}
		return saying(r, http.StatusOK, strings.Replace(media, "git-upload-pack", r.URL.Query().Get("service"), 1), refs), nil
	})})
	auth := Auth{BearerToken: "s3cret-tok"}
	r := wayTo(s, "https://git.example/app", auth)
	opened, err := r.open(t.Context(), receivePack)
	require.NoError(t, err)
	require.Nil(t, r.lane.offers, "that is the other service")
	require.Equal(t, identify(r.dst.Repository, auth), opened.who)
	require.IsType(t, &httpWire{}, opened.wire)
	require.Contains(t, r.secrets, "s3cret-tok")

	opened, err = r.open(t.Context(), uploadPack)
	require.NoError(t, err)
	require.True(t, opened.multiAck)
	require.False(t, opened.refs.capabilities.Supports(capability.MultiACK))
	require.False(t, opened.refs.capabilities.Supports(capability.ThinPack))
	require.True(t, opened.refs.capabilities.Supports(capability.OFSDelta))
	require.Equal(t, plumbing.NewHash(someHash), opened.tip("refs/heads/main"))
	require.NotNil(t, r.lane.offers)
	require.Equal(t, opened.who, r.lane.offers.who)

	r = wayTo(s, "https://git.example/empty", auth)
	opened, err = r.open(t.Context(), uploadPack)
	require.NoError(t, err)
	require.False(t, opened.multiAck)
	require.Nil(t, r.lane.offers, "it is asked again when it has something")
}

func TestASessionThatCannotBeOpenedSaysWhy(t *testing.T) {
	idle := &idling{}
	s := newSink(t, &Options{Transport: idle})
	for name, c := range map[string]struct {
		url    string
		auth   error
		fails  error
		want   error
		closed int
	}{
		"no URL":                   {"http://\x7f", nil, nil, destination.ErrInvalid, 0},
		"no protocol that we know": {"ftp://git.example/app", nil, nil, destination.ErrInvalid, 0},
		"no credentials":           {"https://git.example/app", errCut, nil, errCut, 0},
		"no connection":            {"https://git.example/app", nil, io.ErrClosedPipe, io.ErrClosedPipe, 0},
		"no descriptor":            {"https://git.example/app", nil, syscall.EMFILE, syscall.EMFILE, 1},
		"none for anybody":         {"https://git.example/app", nil, syscall.ENFILE, syscall.ENFILE, 1},
	} {
		idle.closed = 0
		idle.canned = func(*http.Request) (*http.Response, error) { return nil, c.fails }
		r := wayTo(s, c.url, Auth{})
		if c.auth != nil {
			r.auth = func(context.Context) (Auth, error) { return Auth{}, c.auth }
		}
		opened, err := r.open(t.Context(), uploadPack)
		require.ErrorIs(t, err, c.want, name)
		require.Nil(t, opened, name)
		require.Equal(t, c.closed, idle.closed, name)
	}
	for name, w := range map[string]*scripted{"no answer": {err: errCut}, "no advertisement": {answer: "hello"}} {
		r := wayTo(s, "https://git.example/app", Auth{})
		opened, err := r.begin(t.Context(), &session{wire: w}, uploadPack)
		require.ErrorIs(t, err, errExplained, name)
		require.Nil(t, opened, name)
		require.True(t, w.closed, name)
		require.Equal(t, w.err == nil, strings.Contains(err.Error(), "reading what the server advertises"), name)
	}
}

func wanting(depth packp.Depth, haves ...plumbing.Hash) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequest()
	req.Wants, req.Haves, req.Depth = []plumbing.Hash{plumbing.NewHash(someHash)}, haves, depth
	if !depth.IsZero() {
		_ = req.Capabilities.Set(capability.Shallow)
	}
	return req
}

func TestAFetchAsksOnceAndHandsThePackOn(t *testing.T) {
	w := &scripted{answer: pkt("shallow "+someHash) + "0000" + pkt("NAK\n") + pkt("\x01PACK") + "0000"}
	var pack []byte
	take := func(r io.Reader) (err error) {
		pack, err = io.ReadAll(r)
		return err
	}
	have := plumbing.NewHash(otherHash)
	shallows, err := speaking(w, capability.Sideband64k).upload(t.Context(), wanting(packp.DepthCommits(1), have), take)
	require.NoError(t, err)
	require.Equal(t, []plumbing.Hash{plumbing.NewHash(someHash)}, shallows)
	require.Equal(t, "PACK", string(pack))
	require.True(t, strings.HasPrefix(w.sent, pkt("want "+someHash+" shallow\n")), w.sent)
	require.True(t, strings.HasSuffix(w.sent, "0000"+pkt("have "+otherHash+"\n")+"0009done\n|"), w.sent)

	w = &scripted{answer: pkt("NAK\n") + "PACK"}
	shallows, err = speaking(w).upload(t.Context(), wanting(packp.DepthCommits(0)), take)
	require.NoError(t, err)
	require.Empty(t, shallows)
	require.Equal(t, "PACK", string(pack))
}

func TestAFetchThatFailsSaysWhere(t *testing.T) {
	nak := pkt("NAK\n")
	for name, c := range map[string]struct {
		wire *scripted
		req  *packp.UploadPackRequest
		take error
		want error
		says string
	}{
		"nothing is wanted":  {&scripted{answer: nak}, packp.NewUploadPackRequest(), nil, nil, "empty wants"},
		"no answer":          {&scripted{err: errCut}, wanting(packp.DepthCommits(0)), nil, errCut, "explained"},
		"no negotiation":     {&scripted{answer: "hello"}, wanting(packp.DepthCommits(0)), nil, gitsink.ErrProtocol, "explained: reading the answer to a fetch"},
		"no end of history":  {&scripted{answer: nak}, wanting(packp.DepthCommits(1)), nil, gitsink.ErrProtocol, "does not say where the history ends"},
		"no pack that holds": {&scripted{answer: nak + "PACK"}, wanting(packp.DepthCommits(0)), io.ErrNoProgress, io.ErrNoProgress, "explained"},
	} {
		shallows, err := speaking(c.wire).upload(t.Context(), c.req, func(io.Reader) error { return c.take })
		require.Error(t, err, name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
		}
		require.ErrorContains(t, err, c.says, name)
		require.Nil(t, shallows, name)
	}
}

func setting() *packp.ReferenceUpdateRequest {
	req := packp.NewReferenceUpdateRequest()
	req.Commands = []*packp.Command{{Name: "refs/heads/main", New: plumbing.NewHash(someHash)}}
	return req
}

func TestAPushHasAReportOrAnError(t *testing.T) {
	report := pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + "0000"
	cut := pkt("unpack ok\n")
	for name, c := range map[string]struct {
		wire  *scripted
		band  []capability.Capability
		words string
		want  error
		says  string
	}{
		"a report":                     {&scripted{answer: report}, nil, "", nil, ""},
		"a report in a sideband":       {&scripted{answer: pkt("\x02one ") + pkt("\x01"+report) + pkt("\x02two") + "0000"}, []capability.Capability{capability.Sideband64k}, "one two", nil, ""},
		"no answer":                    {&scripted{err: errCut}, nil, "", errCut, "explained"},
		"no end":                       {&scripted{answer: cut}, nil, "", io.ErrUnexpectedEOF, "explained: reading the answer to a push"},
		"a sideband that is cut":       {&scripted{answer: pkt("\x02one") + pkt("\x01"+cut)}, []capability.Capability{capability.Sideband64k}, "one", io.ErrUnexpectedEOF, "explained"},
		"no end in a sideband":         {&scripted{answer: pkt("\x02one") + pkt("\x01"+cut) + "0000"}, []capability.Capability{capability.Sideband64k}, "one", gitsink.ErrProtocol, "the report of a push ends in the middle"},
		"no report, and a cut":         {&scripted{answer: pkt("hello\n")}, nil, "", gitsink.ErrProtocol, "explained: reading the answer to a push"},
		"no report in a full sideband": {&scripted{answer: pkt("\x01"+pkt("hello\n")) + "0000"}, []capability.Capability{capability.Sideband64k}, "", gitsink.ErrProtocol, "begins with"},
	} {
		got, words, err := speaking(c.wire, c.band...).receive(t.Context(), setting(), []byte("PACK"))
		require.Equal(t, c.words, words, name)
		require.True(t, strings.HasSuffix(c.wire.sent, "0000|PACK|"), name)
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
	w := &scripted{answer: report}
	_, _, err := speaking(w).receive(t.Context(), packp.NewReferenceUpdateRequest(), nil)
	require.Error(t, err)
	require.Empty(t, w.sent, "nothing is to be set")
}

func TestOfWhatIsSaidTheBeginningIsKept(t *testing.T) {
	b := &wordBuffer{}
	for _, text := range []string{"abc", strings.Repeat("x", maxWords), "more", ""} {
		n, err := b.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	require.Equal(t, "abc"+strings.Repeat("x", maxWords-3), b.String())
}
