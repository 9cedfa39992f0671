package gogit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// act is what happens around a request.
type act int

const (
	nothingHappens  act = iota
	requestLost         // the server never sees it
	replyLost           // the server does it, the client does not hear
	comesLate           // the client hears of a failure; the server does it after the next request
	comesLater          // or after the one after that
	outsiderFirst       // somebody else pushes before it
	outsiderAndLost     // somebody else pushes after it, and the reply is lost
	acts
)

// schedule says what happens to each of the first requests.
type schedule map[int]act

// modelServer is a Git server of one branch, as small as can be: smart HTTP, no capability that
// it could do without. It refuses what git would refuse: a push onto another commit than the
// branch's, and one that lacks objects.
type modelServer struct {
	t        *testing.T
	schedule schedule
	requests int
	late     []lateRequest
	objects  map[object.ID]object.Object
	tip      object.ID
	outside  int
}

type lateRequest struct {
	due  int
	body []byte
}

func newModelServer(t *testing.T, s schedule) *modelServer {
	m := &modelServer{t: t, schedule: s, objects: map[object.ID]object.Object{}}
	m.outsider() // a branch to begin with
	return m
}

var errCut = errors.New("connection cut")

// RoundTrip implements http.RoundTripper.
func (m *modelServer) RoundTrip(r *http.Request) (*http.Response, error) {
	m.requests++
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	what := m.schedule[m.requests]
	if what == outsiderFirst {
		m.outsider()
	}
	var answer []byte
	switch what {
	case requestLost:
	case comesLate, comesLater:
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, string(smart.ReceivePack)) {
			m.late = append(m.late, lateRequest{m.requests + 1 + int(what-comesLate), body})
		}
	default:
		answer = m.answer(r, body)
	}
	if what == outsiderAndLost {
		m.outsider()
	}
	for len(m.late) > 0 && m.late[0].due <= m.requests {
		m.receive(m.late[0].body)
		m.late = m.late[1:]
	}
	if what != nothingHappens && what != outsiderFirst {
		return nil, errCut
	}
	header := http.Header{"Content-Type": {"application/x-" + r.URL.Query().Get("service") + "-advertisement"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

func (m *modelServer) answer(r *http.Request, body []byte) []byte {
	switch {
	case r.Method == http.MethodGet:
		return m.advertise(r.URL.Query().Get("service"))
	case strings.HasSuffix(r.URL.Path, string(smart.ReceivePack)):
		return m.receive(body)
	}
	return m.upload(body)
}

func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

func (m *modelServer) advertise(service string) []byte {
	line := fmt.Sprintf("%s HEAD\x00report-status symref=HEAD:refs/heads/main\n", m.tip)
	if service == string(smart.ReceivePack) {
		line = fmt.Sprintf("%s refs/heads/main\x00report-status no-thin\n", m.tip)
	}
	text := pkt("# service="+service+"\n") + "0000" + pkt(line)
	if service != string(smart.ReceivePack) {
		text += pkt(fmt.Sprintf("%s refs/heads/main\n", m.tip))
	}
	return []byte(text + "0000")
}

var wantLine = regexp.MustCompile(`want ([0-9a-f]{40})`)

// upload sends everything that the wanted commits reach: it knows neither shallow nor filter, and
// needs no haves.
func (m *modelServer) upload(body []byte) []byte {
	var objects []object.Object
	seen := map[object.ID]bool{}
	for _, want := range wantLine.FindAllSubmatch(body, -1) {
		if err := m.reach(hexID(string(want[1])), seen, &objects); err != nil {
			m.t.Errorf("a want: %v", err)
		}
	}
	pack := object.EncodePack(object.SHA1, objects, nil).Bytes()
	return append([]byte(pkt("NAK\n")), pack...)
}

func (m *modelServer) reach(hash object.ID, seen map[object.ID]bool, found *[]object.Object) error {
	if seen[hash] {
		return nil
	}
	seen[hash] = true
	o, ok := m.objects[hash]
	if !ok {
		return fmt.Errorf("object %s is missing", hash)
	}
	*found = append(*found, o)
	var below []object.ID
	switch o.Kind {
	case plumbing.CommitObject:
		for line := range strings.Lines(string(o.Data)) {
			if kind, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && (kind == "tree" || kind == "parent") && plumbing.IsHash(name) {
				below = append(below, hexID(name))
			}
		}
	case plumbing.TreeObject:
		for e, err := range object.Entries(object.SHA1, string(o.Data)) {
			if err != nil {
				return err
			}
			below = append(below, e.ID())
		}
	}
	for _, next := range below {
		if err := m.reach(next, seen, found); err != nil {
			return err
		}
	}
	return nil
}

func (m *modelServer) receive(body []byte) []byte {
	req := packp.NewReferenceUpdateRequest()
	if err := req.Decode(bytes.NewReader(body)); err != nil {
		m.t.Errorf("a push: %v", err)
		return nil
	}
	got, err := object.Unpack(object.SHA1, req.Packfile, object.Limits{Receive: 1 << 30, Hold: 1 << 30}, true)
	if err != nil {
		m.t.Errorf("a push: %v", err)
		return nil
	}
	for hash, data := range got.Commits.All() {
		m.objects[hash] = object.Object{Kind: plumbing.CommitObject, Hash: hash, Data: []byte(data)}
	}
	for hash, tree := range got.Trees.All() {
		m.objects[hash] = object.Object{Kind: plumbing.TreeObject, Hash: hash, Data: []byte(tree)}
	}
	for hash, data := range got.Blobs.All() {
		m.objects[hash] = object.Object{Kind: plumbing.BlobObject, Hash: hash, Data: []byte(data)}
	}
	old, tip := namedBy(req.Commands[0].Old), namedBy(req.Commands[0].New)
	status := "ok refs/heads/main\n"
	if err := m.reach(tip, map[object.ID]bool{}, &[]object.Object{}); err != nil {
		m.t.Errorf("a push: %v", err)
	}
	if old != m.tip {
		status = "ng refs/heads/main failed to update ref\n"
	} else {
		m.tip = tip
	}
	return []byte(pkt("unpack ok\n") + pkt(status) + "0000")
}

// namedBy is the name that go-git has for an object.
func namedBy(hash plumbing.Hash) object.ID { return hexID(hash.String()) }

// outsider pushes a commit of somebody else: a file beside the base folder.
func (m *modelServer) outsider() {
	m.outside++
	s := object.NewStore()
	s.Tip = m.tip
	for hash, o := range m.objects {
		if o.Kind == plumbing.TreeObject {
			s.Trees.Set(hash, string(o.Data))
		}
	}
	if !m.tip.IsZero() {
		root, err := object.RootOf(object.SHA1, string(m.objects[m.tip].Data))
		require.NoError(m.t, err)
		s.Root = root
	}
	ch := newPushStack(object.SHA1, s, m.tip)
	name := fmt.Sprintf("outside %d", m.outside)
	d, err := ch.build("", []gitsink.Commit{{Message: name, Changes: writes(name, name)}}, func(root, parent object.ID, c gitsink.Commit, now time.Time) ([]byte, error) {
		return object.EncodeCommit(root, parent, c, gitsink.Signature{Name: "o", Email: "o"}, now), nil
	})
	require.NoError(m.t, err)
	for _, o := range d.objects {
		m.objects[o.Hash] = o
	}
	m.tip = d.tip
}

// history returns the subjects of all commits, the oldest first.
func (m *modelServer) history() []string {
	var subjects []string
	for hash := m.tip; !hash.IsZero(); {
		header, message, _ := strings.Cut(string(m.objects[hash].Data), "\n\n")
		subjects = append(subjects, strings.TrimSpace(message))
		hash = object.ID{}
		for line := range strings.Lines(header) {
			if parent, ok := strings.CutPrefix(line, "parent "); ok {
				hash = hexID(strings.TrimSpace(parent))
			}
		}
	}
	slices.Reverse(subjects)
	return subjects
}

// run makes three calls of two commits each on one file, each repeated until it succeeds, as a
// queue does that keeps every event. The result is what is wrong with the branch then.
func (m *modelServer) run() error {
	s := New(&Options{Transport: m, RateLimit: unpaced, MaxAttempts: 100})
	defer func() { _ = s.Close() }()
	d := target("http://model.invalid/app", "main", "base")
	var want []string
	for i := range 3 {
		var plan []gitsink.Commit
		for j := range 2 {
			name := fmt.Sprintf("mine %d.%d", i, j)
			want = append(want, name)
			plan = append(plan, gitsink.Commit{Message: name, Changes: writes("file", fmt.Sprintf("content %d", j))})
		}
		// The second of each leaves what the one before had left: only the history tells them
		// apart.
		if err := insist(func() error { _, err := s.Apply(m.t.Context(), d, commits(plan...)); return err }); err != nil {
			return err
		}
	}
	var mine []string
	outside := 0
	for _, subject := range m.history() {
		if strings.HasPrefix(subject, "mine") {
			mine = append(mine, subject)
		} else if outside++; subject != fmt.Sprintf("outside %d", outside) {
			return fmt.Errorf("%q is out of order", subject)
		}
	}
	switch {
	case outside != m.outside:
		return fmt.Errorf("%d commits of others, want %d", outside, m.outside)
	case !slices.Equal(mine, want):
		return fmt.Errorf("the commits are %q, want %q", mine, want)
	}
	return nil
}

// insist repeats a call until it succeeds or cannot any more.
func insist(apply func() error) error {
	var err error
	for range 20 {
		err = apply()
		if err == nil || errors.Is(err, queue.ErrPermanent) {
			return err
		}
	}
	return err
}

// TestNoScheduleOfFaultsLosesOrRepeatsACommit tries every single fault and, of those with more,
// all pairs and many triples with KUBESCRIBE_SOAK, else a sample. KUBESCRIBE_SEED repeats a run.
func TestNoScheduleOfFaultsLosesOrRepeatsACommit(t *testing.T) {
	t.Parallel()
	const requests = 14 // without faults there are 8
	soak, chance := testsize.Soak(), testsize.Chance(t)
	var all []schedule
	for n := 1; n <= requests; n++ {
		for what := nothingHappens; what < acts; what++ {
			all = append(all, schedule{n: what})
			for m := n + 1; m <= requests && soak; m++ {
				for then := nothingHappens + 1; then < acts; then++ {
					all = append(all, schedule{n: what, m: then})
				}
			}
		}
	}
	for range (testsize.Sizes{Usual: 200, Soak: 5000}).Pick() {
		s := schedule{}
		for range 2 + chance.IntN(3) {
			s[1+chance.IntN(2*requests)] = 1 + act(chance.IntN(int(acts)-1))
		}
		all = append(all, s)
	}
	for _, s := range all {
		if err := newModelServer(t, s).run(); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
	t.Logf("%d schedules", len(all))
}
