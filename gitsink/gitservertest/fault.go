package gitservertest

import (
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"time"
)

// Request is one HTTP request to a [Server] whose credentials were accepted, as the callbacks see it. It is valid until
// the callback returns.
type Request struct {
	Repo    string // as given to [Server.NewRepo]
	Service Service
	Phase   Phase
	N       int         // counts the requests of this Repo, Service and Phase, from 1
	Seq     int         // counts all requests to the server, from 1
	Header  http.Header // read only

	body *os.File
}

// Body returns what the client sent, decompressed: pkt-lines, and for a push the pack. An advertisement has none.
func (r Request) Body() ([]byte, error) {
	if r.body == nil {
		return nil, nil
	}
	var body io.Reader = io.NewSectionReader(r.body, 0, 1<<62)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	return io.ReadAll(body)
}

// Fault is what goes wrong with one request. The zero value: nothing.
type Fault struct {
	// Delay and Hold keep the request from Git: for a time, then until the channel is closed. If the client goes away
	// or the test ends before that, Git never sees the request. Default: no wait.
	Delay time.Duration
	Hold  <-chan struct{}

	// HoldReply lets Git do its work and keeps the answer back until the channel is closed, the client goes away or the
	// test ends: a client that loses patience cannot know the outcome. Default: no wait.
	HoldReply <-chan struct{}

	// Status, such as 503, is answered instead of passing the request to Git, with Header and the text Body.
	// Default: the request is passed on, and Header and Body mean nothing.
	Status int
	Header http.Header
	Body   string

	// Cut is where the exchange breaks off, if Status is zero. Default: NoCut.
	Cut Cut
}

// Cut is where an exchange breaks off.
type Cut int

// The places where an exchange breaks off.
const (
	NoCut      Cut = iota
	CutRequest     // the connection is closed before Git sees the request
	CutReply       // Git does its work, then the connection is closed before the first byte of the answer
	CutHalfway     // Git does its work, half of the answer's body arrives
	CutBody        // Git does its work, the answer is an orderly 200 with an empty body
)

// OnRequest has f called for each request after it was read and before [Server.Intercept] and Git see it: the moment to
// commit between a client's advertisement and its push. Nil ends it. Requests that come at the same time call f at the
// same time; a request waits for f, no other does.
func (s *Server) OnRequest(f func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRequest = f
}

// Intercept has f decide for each request what goes wrong with it. Nil ends it. Requests that come at the same time call
// f at the same time. Meanwhile connections are not kept for another request: HTTP clients, libcurl and Go's among them,
// silently repeat a request when a kept connection is cut before the answer, and a [Fault] would go unnoticed.
func (s *Server) Intercept(f func(Request) Fault) {
	s.http.Config.SetKeepAlivesEnabled(f == nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// faultOf runs the callbacks outside the lock, so that they may use the server.
func (s *Server) faultOf(req Request) Fault {
	s.mu.Lock()
	onRequest, intercept := s.onRequest, s.intercept
	s.mu.Unlock()
	if onRequest != nil {
		onRequest(req)
	}
	if intercept != nil {
		return intercept(req)
	}
	return Fault{}
}
