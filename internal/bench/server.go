package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// serverJob is what a server is started with.
type serverJob struct {
	Root    string // the folder of the bare repositories
	Backend string // the path of git-http-backend
}

// serverState is the server's answer to each message, given when no request is under way.
type serverState struct {
	URL    string            // without a slash at the end
	Served map[string]served // so far, by repository
}

// served is what the server did for a repository.
type served struct {
	Requests int
	Busy     time.Duration // from a request's arrival until Git has ended
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
	b := &backend{served: map[string]served{}, cgi: cgi.Handler{
		Path: job.Backend, Dir: job.Root, Stderr: os.Stderr,
		Env: append(environment(os.Getenv("HOME")), "GIT_PROJECT_ROOT="+filepath.ToSlash(job.Root), "GIT_HTTP_EXPORT_ALL=1"),
	}}
	server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
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
	cgi cgi.Handler

	working sync.RWMutex // read-locked by each request until it has been counted
	mu      sync.Mutex   // guards what follows
	served  map[string]served
}

func (b *backend) counts() map[string]served {
	b.working.Lock()
	defer b.working.Unlock()
	return maps.Clone(b.served)
}

// ServeHTTP gives the request a length first, which CGI needs and a chunked body lacks.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.working.RLock()
	defer b.working.RUnlock()
	defer b.count(r, time.Now())
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	b.cgi.ServeHTTP(w, r)
}

func (b *backend) count(r *http.Request, begin time.Time) {
	repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := b.served[repository]
	b.served[repository] = served{Requests: sum.Requests + 1, Busy: sum.Busy + time.Since(begin)}
}
