package gitservertest

import (
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"time"
)

// Request is an HTTP request to a [Server] as the callbacks see it: it was read whole, and its
// credentials were accepted. It is valid until the callback returns.
type Request struct {
	Repo    string // as given to [Server.NewRepo]
	Service Service
	Phase   Phase
	N       int         // counts the requests of this Repo, Service and Phase, from 1
	Seq     int         // counts all requests to the server, from 1
	Header  http.Header // read only

	body *os.File
}

// Body returns what the client sent, decompressed: pkt-lines, and for a push the pack. The request
// for an advertisement has none.
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

// Fault is what goes wrong with one request. The zero value is no fault.
type Fault struct {
	// Delay and Hold keep the request from Git: for a time, then until the channel is closed. If
	// the client goes away or the test ends before that, Git never sees the request. Default: no
	// wait.
	Delay time.Duration
	Hold  <-chan struct{}

	// HoldReply lets Git do its work, and keeps the answer back until the channel is closed, the
	// client goes away or the test ends. A client that gives up cannot know the outcome. Default:
	// no wait.
	HoldReply <-chan struct{}

	// Status, such as 503, is the answer in Git's place, with Header and the text Body. Default:
	// Git answers; Header and Body mean nothing.
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
	// Git does its work, then the connection is closed before the first byte of the answer
	CutReply
	CutHalfway // Git does its work, half of the answer's body arrives
	CutBody    // Git does its work, the answer is an orderly 200 with an empty body
)

// OnRequest calls f for each request before [Server.Intercept] and Git see it. There a test commits
// between a client's advertisement and its push. Concurrent requests call f concurrently. A request
// waits for its own call alone. Nil ends it.
func (s *Server) OnRequest(f func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRequest = f
}

// Intercept has f name the [Fault] of each request. Concurrent requests call f concurrently. Nil
// ends it.
//
// Meanwhile the server keeps no connection alive. When a connection that was kept alive is cut
// before the answer, HTTP clients such as libcurl and Go's silently repeat the request, so that a
// test would not notice its Fault.
func (s *Server) Intercept(f func(Request) Fault) {
	s.http.Config.SetKeepAlivesEnabled(f == nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// faultOf runs the callbacks. It does not hold the lock, so that they may use the server.
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
