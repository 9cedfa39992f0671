package gitservertest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ServeHTTP implements http.Handler: it answers as the server does on its port. A test of a proxy,
// or of a server that lies, calls it for the requests that are to be answered honestly.
//
// A request is read whole, authenticated, counted, shown to the callbacks and passed to Git.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, ok := s.parse(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := s.spool(r)
	if err != nil { // the client left in the middle of its request
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = body.Close() }()
	req.body = body
	if !s.enter(&req, r) {
		refuse(w, http.StatusUnauthorized, "authentication required\n")
		return
	}
	s.answer(&countingWriter{ResponseWriter: w, server: s, req: req}, r, req, s.faultOf(req))
}

// parse knows the URLs of the smart HTTP protocol; the dumb one is not served.
func (s *Server) parse(r *http.Request) (Request, bool) {
	req := Request{Header: r.Header}
	if repo, ok := strings.CutSuffix(r.URL.Path, "/info/refs"); ok && r.Method == http.MethodGet {
		req.Repo, req.Service, req.Phase = repo, Service(r.URL.Query().Get("service")), Advertisement
	} else if i := strings.LastIndexByte(r.URL.Path, '/'); i >= 0 && r.Method == http.MethodPost {
		req.Repo, req.Service, req.Phase = r.URL.Path[:i], Service(r.URL.Path[i+1:]), RPC
	}
	req.Repo = strings.TrimPrefix(req.Repo, "/")
	return req, req.Service == UploadPack || req.Service == ReceivePack
}

// spool reads the body into a file. CGI needs its length, which a chunked request does not have.
// And net/http notices that a client has left only once the body has been read.
func (s *Server) spool(r *http.Request) (*os.File, error) {
	file, err := os.CreateTemp(s.home, "body")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	n, err := io.Copy(file, r.Body)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	r.Body, r.ContentLength, r.TransferEncoding = file, n, nil
	return file, nil
}

// enter checks the credentials and counts the request.
func (s *Server) enter(req *Request, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.credentials.accepts(r) {
		s.meter.unauthorized++
		return false
	}
	s.meter.number(req, r.ContentLength)
	return true
}

func refuse(w http.ResponseWriter, status int, text string) {
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Add("WWW-Authenticate", `Basic realm="gitservertest"`)
		w.Header().Add("WWW-Authenticate", `Bearer realm="gitservertest"`)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// answer passes the request to Git, or commits the fault. It panics in order to cut the connection.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, req Request, fault Fault) {
	if !s.pause(r, fault.Delay) || !s.wait(r, fault.Hold) {
		panic(http.ErrAbortHandler)
	}
	switch {
	case fault.Status != 0:
		for name, values := range fault.Header {
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
		refuse(w, fault.Status, fault.Body)
		return
	case fault.Cut == CutRequest:
		panic(http.ErrAbortHandler)
	case fault.Cut == NoCut && fault.HoldReply == nil:
		if !s.plain(w, r, req) {
			s.backend(w, r)
		}
		return
	}
	reply := httptest.NewRecorder()
	s.backend(reply, r)
	if !s.wait(r, fault.HoldReply) || fault.Cut == CutReply {
		panic(http.ErrAbortHandler)
	}
	send(w, reply, fault.Cut)
}

// send sends the reply as far as cut allows.
func send(w http.ResponseWriter, reply *httptest.ResponseRecorder, cut Cut) {
	body := reply.Body.Bytes()
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	switch cut {
	case CutBody:
		w.WriteHeader(http.StatusOK)
	case CutHalfway:
		w.WriteHeader(reply.Code)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(reply.Code)
		_, _ = w.Write(body)
	}
}

// pause waits for d, and reports whether the client still waits for its answer.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	over := make(chan struct{})
	timer := time.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	return s.wait(r, over)
}

// wait waits until hold is closed, and reports whether the client still waits for its answer.
func (s *Server) wait(r *http.Request, hold <-chan struct{}) bool {
	if hold == nil {
		return true
	}
	select {
	case <-hold:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

// backend lets Git answer. Hooks find the user of HTTP Basic in REMOTE_USER.
func (s *Server) backend(w http.ResponseWriter, r *http.Request) {
	user, _, _ := r.BasicAuth()
	out := testLog{s.t}
	(&cgi.Handler{
		Path: s.smart, Dir: s.root,
		Env:    append(s.Env(), "GIT_PROJECT_ROOT="+filepath.ToSlash(s.root), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+user),
		Logger: log.New(out, "", 0), Stderr: out,
	}).ServeHTTP(w, r)
}

// countingWriter counts what is sent. It hides from net/http/cgi that the client has gone: cgi
// would kill git in the middle of its work, which no server does.
type countingWriter struct {
	http.ResponseWriter
	server *Server
	req    Request
}

// Write implements io.Writer.
func (w *countingWriter) Write(p []byte) (int, error) {
	w.server.countOut(w.req, len(p))
	_, _ = w.ResponseWriter.Write(p)
	return len(p), nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// testLog writes what Git complains about into the test's log.
type testLog struct{ t testing.TB }

// Write implements io.Writer.
func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("git server: %s", bytes.TrimSpace(p))
	return len(p), nil
}
