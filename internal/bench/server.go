package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverJob is what a server is started with.
type serverJob struct {
	Root    string // the folder of the bare repositories
	Backend string // the path of git-http-backend
}

// serverState is the server's answer to each message, given when no request is under way.
type serverState struct {
	URL    string // without a slash at the end
	Served served // so far
}

// served is what the server did.
type served struct {
	Requests, Pushes, Refused int
	In, Out                   int64         // bytes on the wire, headers included
	Busy                      time.Duration // from each request's arrival until Git has ended
}

func (s served) plus(t served) served {
	return served{
		Requests: s.Requests + t.Requests, Pushes: s.Pushes + t.Pushes, Refused: s.Refused + t.Refused,
		In: s.In + t.In, Out: s.Out + t.Out, Busy: s.Busy + t.Busy,
	}
}

func (s served) minus(t served) served {
	return s.plus(served{Requests: -t.Requests, Pushes: -t.Pushes, Refused: -t.Refused, In: -t.In, Out: -t.Out, Busy: -t.Busy})
}

// serve is the child process that runs git http-backend on a port of its own on loopback.
func serve(_ context.Context, in *json.Decoder, out *json.Encoder) error {
	var job serverJob
	if err := in.Decode(&job); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b := &backend{cgi: cgi.Handler{
		Path: job.Backend, Dir: job.Root, Stderr: os.Stderr,
		Env: append(environment(os.Getenv("HOME")), "GIT_PROJECT_ROOT="+filepath.ToSlash(job.Root), "GIT_HTTP_EXPORT_ALL=1"),
	}}
	server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(meteredListener{listener, b}) }()
	defer func() { _ = server.Close() }()
	for {
		if err := out.Encode(serverState{URL: "http://" + listener.Addr().String(), Served: b.counts()}); err != nil {
			return err
		}
		var again struct{}
		if err := in.Decode(&again); err != nil {
			return err
		}
	}
}

// backend passes requests to Git and counts them.
type backend struct {
	cgi     cgi.Handler
	in, out atomic.Int64

	working sync.RWMutex // read-locked by each request until it has been counted
	mu      sync.Mutex   // guards what follows
	served  served
}

func (b *backend) counts() served {
	b.working.Lock()
	defer b.working.Unlock()
	sum := b.served
	sum.In, sum.Out = b.in.Load(), b.out.Load()
	return sum
}

// ServeHTTP gives the request a length first, which CGI needs and a chunked body lacks.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.working.RLock()
	defer b.working.RUnlock()
	begin := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	answer := &refusalScanner{ResponseWriter: w}
	b.cgi.ServeHTTP(answer, r)

	this := served{Requests: 1, Busy: time.Since(begin)}
	// The git command sends that to try its credentials.
	if strings.HasSuffix(r.URL.Path, "/git-receive-pack") && len(body) > len("0000") {
		this.Pushes = 1
		if answer.refusal {
			this.Refused = 1
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.served = b.served.plus(this)
}

// refusalScanner looks for a refused branch in receive-pack's report, which comes in one write.
type refusalScanner struct {
	http.ResponseWriter
	refusal bool
}

func (s *refusalScanner) Write(p []byte) (int, error) {
	s.refusal = s.refusal || bytes.Contains(p, []byte("ng refs/heads/"))
	return s.ResponseWriter.Write(p)
}

// meteredListener counts the bytes of all connections.
type meteredListener struct {
	net.Listener
	to *backend
}

func (l meteredListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return meteredConn{conn, l.to}, err
}

type meteredConn struct {
	net.Conn
	to *backend
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.in.Add(int64(n))
	return n, err
}

// Write counts first: whoever has received something finds it counted.
func (c meteredConn) Write(p []byte) (int, error) {
	c.to.out.Add(int64(len(p)))
	return c.Conn.Write(p)
}
