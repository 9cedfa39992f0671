package smart

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/gitsink"
)

const (
	maxHeaders    = 256 << 10 // of an answer
	maxRedirects  = 5         // of one request
	maxTrusts     = 16        // with connections of their own
	maxRetryAfter = time.Hour // what a server may ask for at most
)

// httpConn is the smart protocol over HTTP (gitprotocol-http(5)): each exchange is a request of
// its own.
type httpConn struct {
	client  *http.Client
	base    string // the URL that the advertisement came from, without a slash at its end
	moved   bool   // that is elsewhere than where it was asked for
	service Service
	auth    Credentials
}

// Shares reports whether one advertisement on a connection can serve several sessions: so it is
// over HTTP, where each exchange is a request of its own. Elsewhere the server waits for one
// request and leaves.
func Shares(conn Conn) bool {
	_, ok := overHTTP(conn)
	return ok
}

// Twin returns a connection that Shares once more, for somebody else to use.
func Twin(conn Conn) Conn {
	w, _ := overHTTP(conn)
	twin := *w
	if counted, ok := conn.(*countedConn); ok {
		return &countedConn{&twin, counted.traffic, counted.requests}
	}
	return &twin
}

func (w *httpConn) Explain(err error) error { return err }
func (w *httpConn) Close()                  {}

func (w *httpConn) Advertise(ctx context.Context) (io.ReadCloser, error) {
	const path = "/info/refs"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path+"?service="+string(w.service), nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.do(req)
	if err != nil {
		return nil, err
	}
	if got := mediaType(resp); got != "application/x-"+string(w.service)+"-advertisement" {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: the server answers with %q in place of Git's protocol: check the URL and the credentials",
			gitsink.ErrNotFound, got)
	}
	from := *resp.Request.URL
	from.RawQuery = ""
	if base := strings.TrimSuffix(from.String(), path); base != w.base {
		w.base, w.moved = base, true
	}
	return resp.Body, nil
}

func (w *httpConn) Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error) {
	body := func() (io.ReadCloser, error) {
		readers := make([]io.Reader, 0, len(parts))
		for _, part := range parts {
			readers = append(readers, bytes.NewReader(part))
		}
		return io.NopCloser(io.MultiReader(readers...)), nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/"+string(w.service), nil)
	if err != nil {
		return nil, err
	}
	req.Body, _ = body()
	req.GetBody = body // an idle connection that the server has closed is found out too late
	for _, part := range parts {
		req.ContentLength += int64(len(part))
	}
	req.Header.Set("Content-Type", "application/x-"+string(w.service)+"-request")
	req.Header.Set("Accept", "application/x-"+string(w.service)+"-result")
	resp, err := w.do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// do sends a request. What is not 200 is an error.
func (w *httpConn) do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "git/kubescribe") // some servers know git by the first word
	w.auth.show(req)
	resp, err := w.client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // the URL is in the error of the operation already
		}
		return nil, err
	}
	resp.Body = tidyBody{resp.Body}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	words, _ := io.ReadAll(io.LimitReader(resp.Body, maxWords))
	_ = resp.Body.Close()
	said := strings.TrimSpace(string(words))
	if strings.Contains(mediaType(resp), "html") {
		said = "" // a page for people, mostly of style
	}
	return nil, &RemoteError{&StatusError{resp.StatusCode, retryAfter(resp.StatusCode, resp.Header, time.Now())}, said}
}

// mediaType is what an answer claims to be, in lower case and without parameters (RFC 9110,
// section 8.3), which do not matter even if they are malformed: git takes them so, too.
func mediaType(resp *http.Response) string {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// tidyBody reads the little that is left before it closes.
type tidyBody struct{ io.ReadCloser }

func (b tidyBody) Close() error {
	_, _ = io.CopyN(io.Discard, b.ReadCloser, maxRemainder)
	return b.ReadCloser.Close()
}

// redirect follows the advertisement to where the repository has moved, as git does by default
// (http.followRedirects in git-config(1)). Credentials are for the place that the destination
// names, so they go nowhere else: where some would have to, the URL must be changed.
func (w *httpConn) redirect(req *http.Request, via []*http.Request) error {
	from, to := via[0].URL, req.URL
	moved := &url.URL{Scheme: to.Scheme, Host: to.Host, Path: strings.TrimSuffix(to.Path, "/info/refs")}
	switch upgrade := from.Scheme == "http" && to.Scheme == "https"; {
	case via[0].Method != http.MethodGet, len(via) > maxRedirects, !strings.HasSuffix(to.Path, "/info/refs"):
		return http.ErrUseLastResponse
	case from.Scheme != to.Scheme && !upgrade:
		return fmt.Errorf("%w: it has moved to %s, which is not encrypted: change its URL", gitsink.ErrNotFound, moved)
	case !w.auth.Anonymous() && (from.Hostname() != to.Hostname() || from.Port() != to.Port() && !(upgrade && to.Port() == "")):
		return fmt.Errorf("%w: it has moved to %s, where its credentials are not sent: change its URL", gitsink.ErrNotFound, moved)
	}
	return nil
}

// retryAfter reads how long a server wants to be left alone: the header Retry-After (RFC 9110,
// section 10.2.3), or what GitHub says when a limit is used up.
func retryAfter(status int, header http.Header, now time.Time) time.Duration {
	if status < http.StatusBadRequest {
		return 0
	}
	value := header.Get("Retry-After")
	if value == "" && header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return min(max(time.Unix(reset, 0).Sub(now), 0), maxRetryAfter)
		}
	}
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// trust is what connections are told apart by, so that they can be used again.
type trust struct{ ca, certificate, key, proxy string }

// HTTP makes the connections of HTTP. It may be used concurrently.
type HTTP struct {
	base  http.RoundTripper
	owned bool

	mu      sync.Mutex // guards what follows
	byTrust map[trust]*http.Transport
}

// NewHTTP makes connections with a transport; nil: a copy of http.DefaultTransport, which Close
// closes.
func NewHTTP(base http.RoundTripper) *HTTP {
	t := &HTTP{base: base, byTrust: map[trust]*http.Transport{}}
	if base == nil {
		t.owned = true
		t.base = http.DefaultTransport
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			copied := standard.Clone()
			copied.MaxIdleConnsPerHost = 16 // many lanes may lead to one host
			copied.MaxResponseHeaderBytes = maxHeaders
			t.base = copied
		}
	}
	return t
}

// Conn returns a connection to a service, which sends nothing yet.
func (t *HTTP) Conn(ep *transport.Endpoint, auth Credentials, which Service) (Conn, error) {
	next, err := t.trusting(auth)
	if err != nil {
		return nil, err
	}
	base := url.URL{Scheme: ep.Protocol, Host: ep.Host, Path: strings.TrimRight(ep.Path, "/")}
	if ep.Port != 0 {
		base.Host += ":" + strconv.Itoa(ep.Port)
	}
	if auth.Username == "" {
		auth.Username = ep.User
	}
	w := &httpConn{base: base.String(), service: which, auth: auth}
	w.client = &http.Client{Transport: next, CheckRedirect: w.redirect}
	return w, nil
}

func (t *HTTP) trusting(auth Credentials) (http.RoundTripper, error) {
	key := trust{string(auth.CABundle), string(auth.ClientCertificate), string(auth.ClientKey), auth.Proxy}
	if key == (trust{}) {
		return t.base, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.byTrust[key]; found != nil {
		return found, nil
	}
	standard, ok := t.base.(*http.Transport)
	if !ok {
		return nil, invalidAuth("CABundle, ClientCertificate and Proxy need Options.Transport to be an *http.Transport")
	}
	made := standard.Clone()
	if made.TLSClientConfig == nil {
		made.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := auth.configure(made); err != nil {
		return nil, err
	}
	if len(t.byTrust) >= maxTrusts {
		t.forget()
	}
	t.byTrust[key] = made
	return made, nil
}

func (t *HTTP) forget() {
	for _, old := range t.byTrust {
		old.CloseIdleConnections()
	}
	clear(t.byTrust)
}

// CloseIdle closes the connections that nobody uses at the moment.
func (t *HTTP) CloseIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, each := range t.byTrust {
		each.CloseIdleConnections()
	}
	(&http.Client{Transport: t.base}).CloseIdleConnections()
}

// Close closes the connections that nobody uses, and forgets all others.
func (t *HTTP) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if t.owned {
		(&http.Client{Transport: t.base}).CloseIdleConnections()
	}
}
