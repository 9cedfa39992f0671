package gogit

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

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
	gogittest.Canned
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
	s := newSink(t, &Options{Transport: gogittest.Canned(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/empty") {
			return gogittest.Saying(r, http.StatusOK, media, pkt(object.ID{}.String()+" capabilities^{}\x00ofs-delta\n")+"0000"), nil
		}
		return gogittest.Saying(r, http.StatusOK, strings.Replace(media, "git-upload-pack", r.URL.Query().Get("service"), 1), refs), nil
	})})
	auth := Auth{BearerToken: "s3cret-tok"}
	r := wayTo(s, "https://git.example/app", auth)
	opened, err := r.open(t.Context(), smart.ReceivePack)
	require.NoError(t, err)
	require.Empty(t, s.caps.all, "that is the other service")
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
	known, _ := s.caps.get(capsKey{"https://git.example/app", opened.who})
	require.NotNil(t, known)

	r = wayTo(s, "https://git.example/empty", auth)
	opened, err = r.open(t.Context(), smart.UploadPack)
	require.NoError(t, err)
	require.False(t, opened.Refs.MultiAck)
	require.Len(t, s.caps.all, 1, "it is asked again when it has something")
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
		idle.Canned = func(*http.Request) (*http.Response, error) { return nil, c.fails }
		r := wayTo(s, c.url, Auth{})
		if c.auth != nil {
			r.auth = func(context.Context) (Auth, error) { return Auth{}, c.auth }
		}
		opened, err := r.open(t.Context(), smart.UploadPack)
		require.ErrorIs(t, err, c.want, name)
		require.Nil(t, opened, name)
		require.Equal(t, c.closed, idle.closed, name)
	}
	for name, w := range map[string]*gogittest.Scripted{"no answer": {Err: errCut}, "no advertisement": {Answer: "hello"}} {
		opened, err := smart.Begin(t.Context(), w, "refs/heads/main")
		require.ErrorIs(t, err, gogittest.ErrExplained, name)
		require.Nil(t, opened, name)
		require.True(t, w.Closed, name)
		require.Equal(t, w.Err == nil, strings.Contains(err.Error(), "reading what the server advertises"), name)
	}
}
