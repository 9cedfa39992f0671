package gogittest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Scripted is a connection that answers what it was told to, and notes what it was asked.
type Scripted struct {
	Answer string
	Err    error
	Sent   string
	Closed bool
}

// ErrExplained is what every error of a Scripted matches once it is explained.
var ErrExplained = errors.New("explained")

// Advertise returns the Answer.
func (s *Scripted) Advertise(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.Answer)), s.Err
}

// Exchange notes what was sent, each part with a bar behind it, and returns the Answer.
func (s *Scripted) Exchange(_ context.Context, parts ...[]byte) (io.ReadCloser, error) {
	for _, part := range parts {
		s.Sent += string(part) + "|"
	}
	if s.Err != nil {
		return nil, s.Err
	}
	return io.NopCloser(strings.NewReader(s.Answer)), nil
}

// Explain returns an error that matches err and ErrExplained.
func (s *Scripted) Explain(err error) error { return fmt.Errorf("%w: %w", ErrExplained, err) }

// Close notes that it was called.
func (s *Scripted) Close() { s.Closed = true }

// Canned answers every request without a network.
type Canned func(r *http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (c Canned) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// Body is the body of an answer. It notes whether it was closed, and closes with Err.
type Body struct {
	*strings.Reader
	Closed bool
	Err    error
}

// Close implements io.Closer.
func (b *Body) Close() error {
	b.Closed = true
	return b.Err
}

// Saying is an answer with a status, a media type and a text.
func Saying(r *http.Request, status int, media, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {media}}, Request: r, Body: &Body{Reader: strings.NewReader(text)},
	}
}
