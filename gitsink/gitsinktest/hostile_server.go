package gitsinktest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// ploy answers an HTTP request in order to harm, or returns false and leaves it to an honest
// server.
type ploy func(s *hostileServer, t *turn) (answered bool)

// hostileServer stands before an honest server, and answers by a ploy.
type hostileServer struct {
	honest    *gitservertest.Server
	repo      *gitservertest.Repo
	objects   *rawObjects // that are in repo
	tip       objectName  // where main begins
	front     *httptest.Server
	elsewhere *httptest.Server // where no credentials may go
	closed    chan struct{}

	mu       sync.Mutex // guards what follows
	requests int
	faults   []error
}

// maxVisits is the greatest number of requests of two Applies to a server, whatever it answers.
const maxVisits = 60

// served makes the server of a case one that answers HTTP requests.
func served(c Hostile, answer ploy) Hostile {
	var s *hostileServer
	c.Make = func(t testing.TB) string {
		s = newHostileServer(t, answer)
		return s.front.URL + pathOf(s.honest, s.repo)
	}
	return judged(c, func() error { return s.visited() })
}

// judged adds a verdict to the Judge of the case.
func judged(c Hostile, also func() error) Hostile {
	judge := c.Judge
	c.Judge = func(r gitsink.Report) error {
		if judge != nil {
			return errors.Join(also(), judge(r))
		}
		return also()
	}
	return c
}

func newHostileServer(t testing.TB, answer ploy) *hostileServer {
	s := &hostileServer{honest: gitservertest.NewServer(t, nil), closed: make(chan struct{})}
	s.repo, s.objects, s.tip = honestRepo(t, s.honest)
	s.elsewhere = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			s.blame(errors.New("the credentials went to another server"))
		}
		http.NotFound(w, r)
	}))
	s.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(answer, w, r) }))
	t.Cleanup(func() {
		close(s.closed)
		s.elsewhere.Close()
		s.front.CloseClientConnections()
		s.front.Close()
	})
	return s
}

// honestRepo is a repository with a file, and a folder beside the one that is written.
func honestRepo(t testing.TB, server *gitservertest.Server) (r *gitservertest.Repo, o *rawObjects, tip objectName) {
	t.Helper()
	o = newRawObjects()
	beside := o.tree(rawEntry{rawFile, "file", o.blob("beside\n")})
	root := o.tree(rawEntry{rawFile, "README", o.blob("hostile\n")}, rawEntry{rawFolder, "beside", beside})
	tip = o.commit(root)
	r = server.NewRepo("hostile.git")
	honestFiles.Lock()
	defer honestFiles.Unlock()
	if honestFiles.fs == nil {
		o.branch(t, r, root)
		honestFiles.fs = filesOf(t, r.Dir(), "objects/pack/*", "refs/heads/*")
	} else if err := os.CopyFS(r.Dir(), honestFiles.fs); err != nil {
		t.Fatalf("gitsinktest: %s: %v", r.URL(), err)
	}
	return r, o, tip
}

// honestFiles are what an honest repository has beyond an empty one, made once: making it takes
// longer than most cases.
var honestFiles struct {
	sync.Mutex
	fs fstest.MapFS
}

// filesOf are the files of a folder that match a pattern.
func filesOf(t testing.TB, dir string, patterns ...string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	for _, pattern := range patterns {
		paths, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			t.Fatalf("gitsinktest: %v", err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				t.Fatalf("gitsinktest: %v", err)
			}
			all[path] = &fstest.MapFile{Data: data, Mode: 0o644}
		}
	}
	return all
}

// pathOf is the path in the URL of a repository.
func pathOf(server *gitservertest.Server, r *gitservertest.Repo) string {
	return strings.TrimPrefix(r.URL(), server.URL())
}

func (s *hostileServer) answer(answer ploy, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	t := newTurn(s, w, r)
	if !answer(s, t) {
		s.honest.ServeHTTP(w, t.request())
	}
}

func (s *hostileServer) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, err)
}

// visited returns an error if the sink made no request, made too many, or did what it must not.
func (s *hostileServer) visited() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == 0 {
		return errStayedAway
	}
	if s.requests > maxVisits {
		return fmt.Errorf("the sink made %d requests, more than %d", s.requests, maxVisits)
	}
	return errors.Join(s.faults...)
}

var (
	errStayedAway = errors.New("the sink did not ask the server")
	errNotOnTip   = errors.New("a push does not build on what is advertised")
)

// turn is a request that is to be answered.
type turn struct {
	service gitservertest.Service
	phase   gitservertest.Phase
	body    []byte // as it came
	w       http.ResponseWriter
	r       *http.Request
	server  *hostileServer
}

// newTurn reads a request whole. It panics, as a handler may, if the client has left.
func newTurn(s *hostileServer, w http.ResponseWriter, r *http.Request) *turn {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	t := &turn{body: body, w: w, r: r, server: s}
	if r.Method == http.MethodGet {
		t.service, t.phase = gitservertest.Service(r.URL.Query().Get("service")), gitservertest.Advertisement
	} else {
		t.service, t.phase = gitservertest.Service(path.Base(r.URL.Path)), gitservertest.RPC
	}
	return t
}

// request returns the client's request, with its body to be read once more.
func (t *turn) request() *http.Request {
	again := t.r.Clone(t.r.Context())
	again.Body, again.ContentLength, again.TransferEncoding = io.NopCloser(bytes.NewReader(t.body)), int64(len(t.body)), nil
	return again
}

// at is a ploy for the requests of a service in a phase; an empty service means both.
func at(which gitservertest.Service, phase gitservertest.Phase, answer func(t *turn)) ploy {
	return func(_ *hostileServer, t *turn) bool {
		if which != "" && t.service != which || t.phase != phase {
			return false
		}
		kind := "result"
		if phase == gitservertest.Advertisement {
			kind = "advertisement"
		}
		t.w.Header().Set("Content-Type", fmt.Sprintf("application/x-%s-%s", t.service, kind))
		answer(t)
		return true
	}
}

// either is the first of two ploys that answers.
func either(one, other ploy) ploy {
	return func(s *hostileServer, t *turn) bool { return one(s, t) || other(s, t) }
}

// says is a ploy that replaces the advertisement behind the service line of HTTP.
func says(text func(t *turn) string) ploy {
	return at("", gitservertest.Advertisement, func(t *turn) { t.write(t.greeting() + text(t)) })
}

func (t *turn) write(text string) { _, _ = io.WriteString(t.w, text) }

// greeting is the service line that HTTP has before an advertisement.
func (t *turn) greeting() string { return pkt("# service="+string(t.service)+"\n") + flushPkt }

// What an honest server can do.
const (
	canSend    = "multi_ack multi_ack_detailed side-band-64k ofs-delta shallow no-progress filter allow-tip-sha1-in-want allow-reachable-sha1-in-want"
	canReceive = "report-status side-band-64k delete-refs ofs-delta"
)

func capabilitiesOf(which gitservertest.Service) string {
	if which == gitservertest.ReceivePack {
		return canReceive
	}
	return canSend
}

// first is the first line of an honest advertisement, with more capabilities.
func (t *turn) first(more string) string { return firstLine(t.service, tipOf(t.server.repo), more) }

func firstLine(which gitservertest.Service, tip, more string) string {
	return pkt(fmt.Sprintf("%s refs/heads/main\x00%s object-format=sha1 agent=git/hostile%s\n", tip, capabilitiesOf(which), more))
}

// tipOf returns the tip of main. It reads the loose reference: nothing here packs references.
func tipOf(r *gitservertest.Repo) string {
	hash, _ := os.ReadFile(filepath.Join(r.Dir(), "refs", "heads", "main"))
	return strings.TrimSpace(string(hash))
}

// endless writes lines until the client has gone, or has taken far too many.
func endless(w io.Writer, line func(i int) string) {
	const enough = 512 << 20
	var block bytes.Buffer
	for i, sent := 0, 0; sent < enough; sent += block.Len() {
		for block.Reset(); block.Len() < 64<<10; i++ {
			block.WriteString(line(i))
		}
		if _, err := w.Write(block.Bytes()); err != nil {
			return
		}
	}
}

// drip writes a byte each 100 ms until the client has gone.
func (t *turn) drip(text string) {
	control := http.NewResponseController(t.w)
	for i := range len(text) {
		t.write(text[i : i+1])
		if control.Flush() != nil || !t.rests(100*time.Millisecond) {
			return
		}
	}
}

// silence says no more until the client has gone.
func (t *turn) silence() {
	_ = http.NewResponseController(t.w).Flush()
	for t.rests(time.Minute) {
		continue
	}
}

func (t *turn) rests(d time.Duration) (stays bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.r.Context().Done():
	case <-t.server.closed:
	}
	return false
}

// asks reports whether the request has these words.
func (t *turn) asks(words string) bool {
	body := t.body
	if t.r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return false
		}
		if body, err = io.ReadAll(unzipped); err != nil {
			return false
		}
	}
	return bytes.Contains(body, []byte(words))
}

// negotiation is what an honest server says before a pack with a commit.
func (t *turn) negotiation(tip objectName) string {
	if t.asks("deepen ") {
		return pkt("shallow "+tip.String()) + flushPkt + pkt("NAK\n")
	}
	return pkt("NAK\n")
}

// packed returns data in the pkt-lines of a side band, or as it is if the client asked for none.
func (t *turn) packed(data []byte) string {
	if !t.asks("side-band-64k") {
		return string(data)
	}
	var b strings.Builder
	for chunk := range slices.Chunk(data, 32<<10) {
		b.WriteString(pkt("\x01" + string(chunk)))
	}
	return b.String()
}

// flush ends a side band, if there is one.
func (t *turn) flush() string {
	if t.asks("side-band-64k") {
		return flushPkt
	}
	return ""
}

// sealed returns a whole pack of the objects.
func (o *rawObjects) sealed() []byte { return sealed(append(packHeader(o.count), o.pack.Bytes()...)) }

// sealed adds the checksum to a pack.
func sealed(pack []byte) []byte {
	sum := sha1.Sum(pack)
	return append(slices.Clip(pack), sum[:]...)
}

// report answers a push with these lines.
func (t *turn) report(lines ...string) {
	var inner strings.Builder
	for _, line := range lines {
		inner.WriteString(pkt(line + "\n"))
	}
	t.write(t.packed([]byte(inner.String()+flushPkt)) + t.flush())
}

// pushed lets the honest server take the push, and drops its answer.
func (t *turn) pushed() {
	t.server.honest.ServeHTTP(httptest.NewRecorder(), t.request())
}
