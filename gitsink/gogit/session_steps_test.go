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

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// scripted is a wire that answers what it was told to, and notes what it was asked.
type scripted struct {
	answer string
	err    error
	sent   string
	closed bool
}

var errExplained = errors.New("explained")

func (s *scripted) Advertise(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.answer)), s.err
}

func (s *scripted) Exchange(_ context.Context, parts ...[]byte) (io.ReadCloser, error) {
	for _, part := range parts {
		s.sent += string(part) + "|"
	}
	if s.err != nil {
		return nil, s.err
	}
	return io.NopCloser(strings.NewReader(s.answer)), nil
}

func (s *scripted) Explain(err error) error { return fmt.Errorf("%w: %w", errExplained, err) }
func (s *scripted) Close()                  { s.closed = true }

func TestAStepThatIsCutOffSaysWhy(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	refs := pkt(someHash+" refs/heads/main\x00multi_ack thin-pack ofs-delta\n") + "0000"
	media := "application/x-git-upload-pack-advertisement"
	s := newSink(t, &Options{Transport: canned(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/empty") {
			return saying(r, http.StatusOK, media, pkt(object.ID{}.String()+" capabilities^{}\x00ofs-delta\n")+"0000"), nil
		}
		return saying(r, http.StatusOK, strings.Replace(media, "git-upload-pack", r.URL.Query().Get("service"), 1), refs), nil
	})})
	auth := Auth{BearerToken: "s3cret-tok"}
	r := wayTo(s, "https://git.example/app", auth)
	opened, err := r.open(t.Context(), smart.ReceivePack)
	require.NoError(t, err)
	require.Nil(t, r.lane.caps, "that is the other service")
	require.Equal(t, identify(r.dst.Repository, auth), opened.who)
	require.True(t, opened.Repeats(), "it is over HTTP")
	require.Contains(t, r.secrets, "s3cret-tok")

	opened, err = r.open(t.Context(), smart.UploadPack)
	require.NoError(t, err)
	require.True(t, opened.Refs.MultiAck)
	require.False(t, opened.Refs.Capabilities.Supports(capability.MultiACK))
	require.False(t, opened.Refs.Capabilities.Supports(capability.ThinPack))
	require.True(t, opened.Refs.Capabilities.Supports(capability.OFSDelta))
	require.Equal(t, hexID(someHash), opened.Tip("refs/heads/main"))
	require.NotNil(t, r.lane.caps)
	require.Equal(t, opened.who, r.lane.caps.who)

	r = wayTo(s, "https://git.example/empty", auth)
	opened, err = r.open(t.Context(), smart.UploadPack)
	require.NoError(t, err)
	require.False(t, opened.Refs.MultiAck)
	require.Nil(t, r.lane.caps, "it is asked again when it has something")
}

func TestASessionThatCannotBeOpenedSaysWhy(t *testing.T) {
	t.Parallel()
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
		opened, err := r.open(t.Context(), smart.UploadPack)
		require.ErrorIs(t, err, c.want, name)
		require.Nil(t, opened, name)
		require.Equal(t, c.closed, idle.closed, name)
	}
	for name, w := range map[string]*scripted{"no answer": {err: errCut}, "no advertisement": {answer: "hello"}} {
		opened, err := smart.Begin(t.Context(), w, "refs/heads/main")
		require.ErrorIs(t, err, errExplained, name)
		require.Nil(t, opened, name)
		require.True(t, w.closed, name)
		require.Equal(t, w.err == nil, strings.Contains(err.Error(), "reading what the server advertises"), name)
	}
}
