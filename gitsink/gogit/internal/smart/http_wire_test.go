package smart

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

func wireOf(auth Credentials, answer gogittest.Canned) *httpConn {
	w := &httpConn{base: "https://git.example/app", service: UploadPack, auth: auth}
	w.client = &http.Client{Transport: answer, CheckRedirect: w.redirect}
	return w
}

func TestAnAdvertisementIsAskedForAndReadWhereItIs(t *testing.T) {
	for name, c := range map[string]struct {
		from  string // whence the answer comes
		base  string
		moved bool
	}{
		"here":      {"https://git.example/app/info/refs?service=git-upload-pack", "https://git.example/app", false},
		"elsewhere": {"https://git.example/new/info/refs?service=git-upload-pack", "https://git.example/new", true},
	} {
		var asked *http.Request
		w := wireOf(Credentials{BearerToken: "tok"}, func(r *http.Request) (*http.Response, error) {
			asked = r
			from, err := url.Parse(c.from)
			require.NoError(t, err)
			return gogittest.Saying(&http.Request{URL: from}, http.StatusOK, "application/x-git-upload-pack-advertisement; a=b", "refs"), nil
		})
		answer, err := w.Advertise(t.Context())
		require.NoError(t, err, name)
		text, err := io.ReadAll(answer)
		require.NoError(t, err, name)
		require.Equal(t, "refs", string(text), name)
		require.NoError(t, answer.Close(), name)
		require.Equal(t, "https://git.example/app/info/refs?service=git-upload-pack", asked.URL.String(), name)
		require.Equal(t, "git/kubescribe", asked.Header.Get("User-Agent"), name)
		require.Equal(t, "Bearer tok", asked.Header.Get("Authorization"), name)
		require.Equal(t, c.base, w.base, name)
		require.Equal(t, c.moved, w.moved, name)
		require.ErrorIs(t, w.Explain(errCut), errCut, name)
		w.Close()
	}
}

func TestARequestSendsItsPartsAndCanDoSoAgain(t *testing.T) {
	var asked *http.Request
	sent := ""
	w := wireOf(Credentials{}, func(r *http.Request) (*http.Response, error) {
		asked = r
		for _, open := range []func() (io.ReadCloser, error){func() (io.ReadCloser, error) { return r.Body, nil }, r.GetBody} {
			body, err := open()
			require.NoError(t, err)
			text, err := io.ReadAll(body)
			require.NoError(t, err)
			sent += string(text) + ";"
		}
		return gogittest.Saying(r, http.StatusOK, "application/x-git-upload-pack-result", "pack"), nil
	})
	answer, err := w.Exchange(t.Context(), []byte("one "), []byte("two"))
	require.NoError(t, err)
	text, err := io.ReadAll(answer)
	require.NoError(t, err)
	require.Equal(t, "pack", string(text))
	require.IsType(t, tidyBody{}, answer)
	require.NoError(t, answer.Close())
	require.Equal(t, "one two;one two;", sent)
	require.Equal(t, http.MethodPost, asked.Method)
	require.Equal(t, "https://git.example/app/git-upload-pack", asked.URL.String())
	require.EqualValues(t, len("one two"), asked.ContentLength)
	require.Equal(t, "application/x-git-upload-pack-request", asked.Header.Get("Content-Type"))
	require.Equal(t, "application/x-git-upload-pack-result", asked.Header.Get("Accept"))
	require.Empty(t, asked.Header.Get("Authorization"))
}

func TestAnAnswerOfHTTPThatIsNoneSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		media  string
		text   string
		want   error
		words  string
	}{
		"a page in place of Git":  {http.StatusOK, "text/html", "<p>", gitsink.ErrNotFound, ""},
		"another service":         {http.StatusOK, "application/x-git-receive-pack-advertisement", "refs", gitsink.ErrNotFound, ""},
		"a status and its words":  {http.StatusForbidden, "text/plain", " no \n", nil, "no"},
		"a status and a page":     {http.StatusForbidden, "Text/HTML; charset=x", "no", nil, ""},
		"a status and a document": {http.StatusForbidden, "application/json", "{}", nil, "{}"},
		"another good status":     {http.StatusNoContent, "application/x-git-upload-pack-advertisement", "", nil, ""},
	} {
		w := wireOf(Credentials{}, func(r *http.Request) (*http.Response, error) {
			answer := gogittest.Saying(r, c.status, c.media, c.text)
			answer.Header.Set("Retry-After", "7")
			return answer, nil
		})
		answer, err := w.Advertise(t.Context())
		require.Error(t, err, name)
		require.Nil(t, answer, name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
			require.ErrorContains(t, err, "check the URL and the credentials", name)
			continue
		}
		require.Equal(t, c.status, StatusOf(err).Status, name)
		require.Equal(t, c.words, Words(err), name)
		require.Equal(t, c.status >= 400, StatusOf(err).RetryAfter == 7*time.Second, name)
		answer, err = w.Exchange(t.Context())
		require.Equal(t, c.status, StatusOf(err).Status, name)
		require.Nil(t, answer, name)
	}
	for name, w := range map[string]*httpConn{
		"no connection": wireOf(Credentials{}, func(*http.Request) (*http.Response, error) { return nil, errCut }),
		"no URL":        {base: "http://\x7f", client: &http.Client{}},
	} {
		_, err := w.Advertise(t.Context())
		require.Error(t, err, name)
		_, err = w.Exchange(t.Context())
		require.Error(t, err, name)
	}
}

func TestABodyIsTidiedUpAsFarAsItIsWorthIt(t *testing.T) {
	for size, left := range map[int]int{maxRemainder: 0, maxRemainder + 5: 5} {
		b := &gogittest.Body{Reader: strings.NewReader(strings.Repeat("x", size)), Err: errCut}
		require.ErrorIs(t, tidyBody{b}.Close(), errCut)
		require.True(t, b.Closed)
		require.Equal(t, left, b.Len())
	}
}

func TestARedirectIsFollowedOnlyWhereItIsSafe(t *testing.T) {
	basic := Credentials{Username: "bot", Password: "p"}
	at := func(method, where string) *http.Request {
		u, err := url.Parse(where)
		require.NoError(t, err)
		return &http.Request{Method: method, URL: u}
	}
	for name, c := range map[string]struct {
		method, from, to string
		hops             int
		auth             Credentials
		want             error
	}{
		"the last that may be":            {http.MethodGet, "https://a/x/info/refs", "https://a/y/info/refs", maxRedirects, basic, nil},
		"one more":                        {http.MethodGet, "https://a/x/info/refs", "https://a/y/info/refs", maxRedirects + 1, basic, http.ErrUseLastResponse},
		"of a push":                       {http.MethodPost, "https://a/x/info/refs", "https://a/y/info/refs", 1, basic, http.ErrUseLastResponse},
		"to a page":                       {http.MethodGet, "https://a/x/info/refs", "https://a/login", 1, basic, http.ErrUseLastResponse},
		"to TLS, from any port":           {http.MethodGet, "http://a:3000/x/info/refs", "https://a/x/info/refs", 1, basic, nil},
		"to TLS, at another port":         {http.MethodGet, "http://a/x/info/refs", "https://a:8443/x/info/refs", 1, basic, gitsink.ErrNotFound},
		"to the usual port of TLS":        {http.MethodGet, "https://a:8443/x/info/refs", "https://a/x/info/refs", 1, basic, gitsink.ErrNotFound},
		"to the usual port without TLS":   {http.MethodGet, "http://a:3000/x/info/refs", "http://a/x/info/refs", 1, basic, gitsink.ErrNotFound},
		"to another host":                 {http.MethodGet, "https://a/x/info/refs", "https://b/x/info/refs", 1, basic, gitsink.ErrNotFound},
		"to another host, with nothing":   {http.MethodGet, "https://a/x/info/refs", "https://b/x/info/refs", 1, Credentials{}, nil},
		"to plain text":                   {http.MethodGet, "https://a/x/info/refs", "http://a/x/info/refs", 1, Credentials{}, gitsink.ErrNotFound},
		"to another protocol, from plain": {http.MethodGet, "http://a/x/info/refs", "ftp://a/x/info/refs", 1, Credentials{}, gitsink.ErrNotFound},
		"from plain to TLS, with nothing": {http.MethodGet, "http://a/x/info/refs", "https://b:1/x/info/refs", 1, Credentials{}, nil},
	} {
		via := make([]*http.Request, c.hops)
		for i := range via {
			via[i] = at(http.MethodGet, "https://elsewhere/x/info/refs")
		}
		via[0] = at(c.method, c.from)
		err := (&httpConn{auth: c.auth}).redirect(at(http.MethodGet, c.to), via)
		if c.want == nil {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, c.want, name)
	}
}

func TestWhatAServerSaysOfItsRestIsHeededWithinReason(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	in := func(d time.Duration) string { return now.Add(d).UTC().Format(http.TimeFormat) }
	reset := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for name, c := range map[string]struct {
		status                  int
		after, remaining, reset string
		want                    time.Duration
	}{
		"seconds":                       {400, "7", "", "", 7 * time.Second},
		"no failure":                    {399, "7", "", "", 0},
		"more seconds than an hour":     {503, "3601", "", "", time.Hour},
		"more seconds than there are":   {503, "4294967296", "", "", 0},
		"a date":                        {503, in(time.Minute), "", "", time.Minute},
		"a date that is far":            {503, in(2 * time.Hour), "", "", time.Hour},
		"a date that has passed":        {503, in(-time.Minute), "", "", 0},
		"no date":                       {503, "soon", "", "", 0},
		"a limit that is used up":       {403, "", "0", reset(time.Minute), time.Minute},
		"a limit that is, for long":     {403, "", "0", reset(2 * time.Hour), time.Hour},
		"a limit that was":              {403, "", "0", reset(-time.Minute), 0},
		"a limit that is not":           {403, "", "1", reset(time.Minute), 0},
		"a limit, and another word":     {403, "7", "0", reset(time.Minute), 7 * time.Second},
		"a limit until nobody knows":    {403, "", "0", "soon", 0},
		"a limit, and nothing of until": {403, "", "0", "", 0},
	} {
		header := http.Header{"X-Ratelimit-Remaining": {c.remaining}, "X-Ratelimit-Reset": {c.reset}}
		if c.after != "" {
			header.Set("Retry-After", c.after)
		}
		require.Equal(t, c.want, retryAfter(c.status, header, now), name)
	}
	before := time.Time{}.Add(-time.Minute) // a clock that is wrong makes no time of what is none
	require.Zero(t, retryAfter(503, http.Header{"Retry-After": {"soon"}}, before))
	require.Zero(t, retryAfter(403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"soon"}}, before))
}

func TestAWireIsForTheURLAndItsCredentials(t *testing.T) {
	base := gogittest.Canned(func(*http.Request) (*http.Response, error) { return nil, errCut })
	transports := NewHTTP(base)
	for name, c := range map[string]struct {
		ep   transport.Endpoint
		auth Credentials
		base string
		user string
	}{
		"a port":           {transport.Endpoint{Protocol: "http", Host: "git.example", Port: 3000, Path: "/app//"}, Credentials{}, "http://git.example:3000/app", ""},
		"no port":          {transport.Endpoint{Protocol: "https", Host: "git.example", Path: "/a b"}, Credentials{}, "https://git.example/a%20b", ""},
		"a user":           {transport.Endpoint{Protocol: "https", User: "me", Host: "git.example"}, Credentials{Password: "p"}, "https://git.example", "me"},
		"a user of Auth's": {transport.Endpoint{Protocol: "https", User: "me", Host: "git.example"}, Credentials{Username: "bot"}, "https://git.example", "bot"},
	} {
		made, err := transports.Conn(&c.ep, c.auth, ReceivePack)
		require.NoError(t, err, name)
		w := made.(*httpConn)
		require.Equal(t, c.base, w.base, name)
		require.Equal(t, ReceivePack, w.service, name)
		require.Equal(t, c.user, w.auth.Username, name)
		require.Equal(t, c.auth.Password, w.auth.Password, name)
		_, err = w.Advertise(t.Context())
		require.ErrorIs(t, err, errCut, name)
		require.NotNil(t, w.client.CheckRedirect, name)
	}
	for _, auth := range []Credentials{{CABundle: []byte("x")}, {ClientCertificate: []byte("x")}, {ClientKey: []byte("x")}, {Proxy: "http://p"}} {
		_, err := transports.Conn(&transport.Endpoint{Protocol: "https", Host: "git.example"}, auth, ReceivePack)
		require.ErrorIs(t, err, gitsink.ErrAuth)
		require.ErrorContains(t, err, "an *http.Transport")
	}
}

// without is a transport that has made nothing of its own for TLS yet.
func without() *http.Transport {
	return &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
}

func TestConnectionsAreSharedByEqualTrustOnly(t *testing.T) {
	base := without()
	transports := NewHTTP(base)
	trusting := func(proxy string) http.RoundTripper {
		made, err := transports.trusting(Credentials{Proxy: proxy})
		require.NoError(t, err)
		return made
	}
	require.Same(t, base, trusting(""))
	first := trusting("http://p0")
	require.NotSame(t, base, first)
	require.Same(t, first, trusting("http://p0"))
	require.NotSame(t, first, trusting("http://p1"))
	require.EqualValues(t, tls.VersionTLS12, first.(*http.Transport).TLSClientConfig.MinVersion)
	require.Nil(t, base.TLSClientConfig)

	for i := 2; i < maxTrusts; i++ {
		trusting("http://p" + strconv.Itoa(i))
	}
	require.Len(t, transports.byTrust, maxTrusts)
	require.Same(t, first, trusting("http://p0"), "all of them are kept")
	trusting("http://another")
	require.Len(t, transports.byTrust, 1, "or they would be without an end")
	require.NotSame(t, first, trusting("http://p0"))

	_, err := transports.trusting(Credentials{CABundle: []byte("none")})
	require.ErrorIs(t, err, gitsink.ErrAuth)
	require.Len(t, transports.byTrust, 2, "what cannot be used is not kept")

	base.TLSClientConfig = &tls.Config{ServerName: "another", MinVersion: tls.VersionTLS13}
	kept := trusting("http://p9").(*http.Transport).TLSClientConfig
	require.Equal(t, "another", kept.ServerName)
	require.EqualValues(t, tls.VersionTLS13, kept.MinVersion)
}

func TestTheTransportIsACopyOfTheUsualOneUnlessItIsGiven(t *testing.T) {
	given := NewHTTP(without())
	require.False(t, given.owned)
	usual := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = usual })
	own := NewHTTP(nil)
	require.True(t, own.owned)
	require.NotSame(t, usual, own.base)
	made := own.base.(*http.Transport)
	require.Equal(t, 16, made.MaxIdleConnsPerHost)
	require.EqualValues(t, maxHeaders, made.MaxResponseHeaderBytes)

	odd := gogittest.Canned(func(*http.Request) (*http.Response, error) { return nil, errors.New("odd") })
	http.DefaultTransport = odd
	_, err := (&httpConn{client: &http.Client{Transport: NewHTTP(nil).base}}).Advertise(t.Context())
	require.ErrorContains(t, err, "odd", "somebody has put another one there")
}
