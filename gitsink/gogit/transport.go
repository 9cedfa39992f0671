package gogit

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/file"
	gitproto "github.com/go-git/go-git/v5/plumbing/transport/git"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"

	"github.com/kubescribe/kubescribe/destination"
)

const (
	lookTimeout  = 10 * time.Second // for a look at the branch after the caller's context has ended
	closeTimeout = 5 * time.Second  // for a server to take its leave
	maxAnswer    = 4 << 20          // of a push: its report and the words of hooks
	maxRemainder = 64 << 10         // of an answer, read so that its connection can be used again
	maxCABundles = 16               // with connections of their own
)

// service is one of git's two.
type service string

const (
	uploadPack  service = transport.UploadPackServiceName
	receivePack service = transport.ReceivePackServiceName
)

// errNoAnswer means that a step took longer than it may.
var errNoAnswer = errors.New("no answer from the server")

// await runs f with a bound, and returns when f has ended, the time is over or ctx has ended. Not all of go-git's
// transports honour a context everywhere, so f may be left behind; what it still returns is given to discard, which may
// be nil.
func await[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error), discard func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %s", errNoAnswer, limit))
	ended := make(chan outcome, 1)
	go func() {
		defer cancel()
		value, err := f(ctx)
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		if o.err != nil && ctx.Err() != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
			o.err = context.Cause(ctx)
		}
		return o.value, o.err
	case <-ctx.Done():
		select {
		case o := <-ended: // f cancels ctx when it ends
			return o.value, o.err
		default:
		}
		if discard != nil {
			go func() {
				if o := <-ended; o.err == nil {
					discard(o.value)
				}
			}()
		}
		var none T
		return none, context.Cause(ctx)
	}
}

// session is a conversation with one service of a repository that has advertised its references.
type session struct {
	upload  transport.UploadPackSession  // one of the two
	receive transport.ReceivePackSession // is set
	refs    *packp.AdvRefs
	busy    <-chan struct{} // closed when the request that was left behind is over; nil if none was
}

// ask does a request of the session, which must be the last if it fails.
func ask[T any](ctx context.Context, s *session, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	over := make(chan struct{})
	value, err := await(ctx, limit, func(ctx context.Context) (T, error) {
		defer close(over)
		return f(ctx)
	}, nil)
	select {
	case <-over:
	default:
		s.busy = over
	}
	return value, err
}

func (s *session) tip(ref plumbing.ReferenceName) plumbing.Hash {
	return s.refs.References[ref.String()]
}

// close ends the session, which waits for the server's process where there is one. A request that was left behind comes
// first, since a session is not for concurrent use.
func (s *session) close() {
	var closer io.Closer = s.receive
	if s.upload != nil {
		closer = s.upload
	}
	if s.busy != nil {
		go func() {
			<-s.busy
			_ = closer.Close()
		}()
		return
	}
	_, _ = await(context.Background(), closeTimeout, func(context.Context) (struct{}, error) {
		return struct{}{}, closer.Close()
	}, nil)
}

// open connects with fresh credentials and reads the advertisement.
func (r *remote) open(ctx context.Context, which service) (*session, error) {
	ep, err := transport.NewEndpoint(r.dst.Repository)
	if err != nil {
		return nil, fmt.Errorf("%w: the URL of the repository cannot be parsed", destination.ErrInvalid)
	}
	auth, err := r.credentials(ctx)
	if err != nil {
		return nil, err
	}
	r.secrets = append(r.secrets, auth.secrets(ep)...)
	client, err := r.sink.transports.client(ep, auth)
	if err != nil {
		return nil, err
	}
	method, err := auth.method(ep)
	if err != nil {
		return nil, err
	}
	return await(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		return dial(ctx, client, ep, method, which)
	}, (*session).close)
}

func (r *remote) credentials(ctx context.Context) (Auth, error) {
	ctx, cancel := context.WithTimeout(ctx, r.sink.opts.StepTimeout)
	defer cancel()
	auth, err := r.sink.opts.Auth(ctx, r.dst)
	if err != nil {
		return Auth{}, &authError{err}
	}
	return auth, nil
}

func dial(ctx context.Context, client transport.Transport, ep *transport.Endpoint, method transport.AuthMethod, which service) (*session, error) {
	s := &session{}
	var common transport.Session
	var err error
	if which == uploadPack {
		s.upload, err = client.NewUploadPackSession(ep, method)
		common = s.upload
	} else {
		s.receive, err = client.NewReceivePackSession(ep, method)
		common = s.receive
	}
	if err != nil {
		return nil, err
	}
	if s.refs, err = common.AdvertisedReferencesContext(ctx); err != nil {
		_ = common.Close()
		if which == receivePack && errors.Is(err, transport.ErrEmptyRemoteRepository) {
			err = errors.New("the server advertised nothing at all")
		}
		return nil, err
	}
	return s, nil
}

// transports are go-git's clients. It may be used concurrently.
type transports struct {
	base  http.RoundTripper
	owned bool
	plain transport.Transport // http without a CA bundle
	ssh   transport.Transport

	mu       sync.Mutex // guards what follows
	byBundle map[string]*http.Transport
}

func newTransports(base http.RoundTripper) *transports {
	t := &transports{base: base, ssh: gitssh.NewClient(nil), byBundle: map[string]*http.Transport{}}
	if base == nil {
		t.owned = true
		t.base = http.DefaultTransport
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			copied := standard.Clone()
			copied.MaxIdleConnsPerHost = 16 // many lanes may lead to one host
			t.base = copied
		}
	}
	t.plain = newHTTPClient(t.base)
	return t
}

func newHTTPClient(base http.RoundTripper) transport.Transport {
	return githttp.NewClient(&http.Client{Transport: tidyTransport{base}})
}

func (t *transports) client(ep *transport.Endpoint, auth Auth) (transport.Transport, error) {
	switch ep.Protocol {
	case "http", "https":
		if len(auth.CABundle) == 0 || ep.Protocol == "http" {
			return t.plain, nil
		}
		return t.trusting(string(auth.CABundle))
	case "ssh":
		return t.ssh, nil
	case "git":
		return gitproto.DefaultClient, nil
	case "file":
		return file.DefaultClient, nil
	}
	return nil, fmt.Errorf("%w: the protocol %q is not spoken", destination.ErrInvalid, ep.Protocol)
}

// trusting keeps connections apart by what they trust, so that they can be used again.
func (t *transports) trusting(bundle string) (transport.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.byBundle[bundle]
	if found == nil {
		standard, ok := t.base.(*http.Transport)
		if !ok {
			return nil, invalidAuth("a CABundle needs Options.Transport to be an *http.Transport")
		}
		pool, err := certificates(bundle)
		if err != nil {
			return nil, err
		}
		found = standard.Clone()
		if found.TLSClientConfig == nil {
			found.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		found.TLSClientConfig.RootCAs = pool
		if len(t.byBundle) >= maxCABundles {
			t.forget()
		}
		t.byBundle[bundle] = found
	}
	return newHTTPClient(found), nil
}

func (t *transports) forget() {
	for _, old := range t.byBundle {
		old.CloseIdleConnections()
	}
	clear(t.byBundle)
}

func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if t.owned {
		(&http.Client{Transport: t.base}).CloseIdleConnections()
	}
}

// tidyTransport makes up for what go-git leaves behind: it does not read answers to their end, nor close those of a push,
// so that their connections could neither be used again nor end; and it reads the text of a failure without a bound.
type tidyTransport struct{ next http.RoundTripper }

func (t tidyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= http.StatusMultipleChoices:
		resp.Body = boundedBody{io.LimitReader(resp.Body, maxRemainder), resp.Body}
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/"+string(receivePack)):
		resp.Body = readAhead(resp.Body)
	default:
		resp.Body = tidyBody{resp.Body}
	}
	return resp, nil
}

type boundedBody struct {
	io.Reader
	io.Closer
}

// readAhead reads a body whole, now, and keeps the error for where it belongs.
func readAhead(body io.ReadCloser) io.ReadCloser {
	var whole bytes.Buffer
	n, err := io.Copy(&whole, io.LimitReader(body, maxAnswer))
	if err == nil && n == maxAnswer {
		err = fmt.Errorf("the answer to the push is longer than %d bytes", maxAnswer)
	}
	_ = body.Close()
	if err == nil {
		err = io.EOF
	}
	return io.NopCloser(io.MultiReader(&whole, failingReader{err}))
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// tidyBody reads the little that is left before it closes.
type tidyBody struct{ io.ReadCloser }

func (b tidyBody) Close() error {
	_, _ = io.CopyN(io.Discard, b.ReadCloser, maxRemainder)
	return b.ReadCloser.Close()
}
