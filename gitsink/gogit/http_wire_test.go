package gogit

import (
	"crypto/tls"
	"net/http"
	"strings"
)

// canned answers every request without a network.
type canned func(r *http.Request) (*http.Response, error)

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// body is one that reports whether it was read to its end and closed.
type body struct {
	*strings.Reader
	closed bool
	err    error
}

func (b *body) Close() error {
	b.closed = true
	return b.err
}

// saying is an answer of a status, a media type and a text.
func saying(r *http.Request, status int, media, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {media}}, Request: r, Body: &body{Reader: strings.NewReader(text)},
	}
}

// without is a transport that has made nothing of its own for TLS yet.
func without() *http.Transport {
	return &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
}
