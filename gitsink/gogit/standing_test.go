package gogit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// standing makes a group of one call for each folder, as a worker has them in hand that has not
// begun. The server is Options.Transport: see answers.
func standing(t *testing.T, opts *Options, folders ...string) *pushGroup {
	t.Helper()
	s := newSink(t, opts)
	var l *lane
	for i, folder := range folders {
		d := target("https://standing.invalid/app", "main", folder)
		d.Ref.Name = fmt.Sprint("dest", i)
		c := newCall(t.Context(), d, nothing)
		require.NoError(t, s.admit(c))
		if made := s.lanes.submit(c); made != nil {
			l = made
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	lead := l.waiting[0]
	g := &pushGroup{
		remote: newRemote(s, l, lead.dst), callers: &refCountedContext{ctx: ctx, cancel: cancel}, key: lead.key, limit: lead.key.limit,
	}
	g.remote.auth = g.credentials
	g.join()
	require.Len(t, g.calls, len(folders))
	return g
}

// answers is a server in memory: the status and the body of each answer.
type answers func(r *http.Request, body string) (status int, answer string)

// RoundTrip implements http.RoundTripper.
func (f answers) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	status, answer := f(r, string(body))
	header := http.Header{}
	if r.Method == http.MethodGet && status == http.StatusOK {
		header.Set("Content-Type", "application/x-"+r.URL.Query().Get("service")+"-advertisement")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// advertised is an advertisement: the name of a reference and its hash, in turn. The first is
// followed by the capabilities.
func advertises(r *http.Request, capabilities string, refs ...string) string {
	text := pkt("# service="+r.URL.Query().Get("service")+"\n") + "0000"
	for i := 0; i < len(refs); i += 2 {
		line := refs[i+1] + " " + refs[i]
		if i == 0 {
			line += "\x00" + capabilities
		}
		text += pkt(line + "\n")
	}
	return text + "0000"
}

// stocked is a complete store of a commit that holds the files: path, content, path, content.
func stocked(t *testing.T, files ...string) *object.Store {
	t.Helper()
	s := object.NewStore()
	s.Complete = true
	extend(t, s, files...)
	return s
}

// plainly writes a commit object, unsigned.
func plainly(root, parent object.ID, c gitsink.Commit, now time.Time) ([]byte, error) {
	return object.EncodeCommit(root, parent, c, gitsink.Signature{Name: "o", Email: "o"}, now), nil
}

// extend makes a commit of the files the tip of a store.
func extend(t *testing.T, s *object.Store, files ...string) object.ID {
	t.Helper()
	ch := newPushStack(object.SHA1, s, s.Tip)
	d, err := ch.build("", []gitsink.Commit{{Message: "start", Changes: writes(files...)}}, plainly)
	require.NoError(t, err)
	ch.add(&call{}, d)
	ch.moveStore()
	return s.Tip
}

// ended returns what a call has ended with.
func ended(t *testing.T, c *call) error {
	t.Helper()
	select {
	case <-c.done:
	default:
		t.Fatal("the call is not over")
	}
	return c.err
}

// waits reports whether a call has not ended.
func waits(c *call) bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// closable is a wire that notes its end.
type closable struct {
	answered
	closed int
}

func (c *closable) Close() { c.closed++ }

// talking is a session in which this answer comes next.
func talking(t testing.TB, answer io.Reader, capabilities string) *session {
	return &session{Session: conversing(t, answer, capabilities)}
}

func opened(who identity) (*session, *closable) {
	w := &closable{}
	return &session{Session: smart.Assume(w, &smart.Advertisement{}), who: who}, w
}

// named returns the credentials of each destination by its Ref's name; none are errNotYours.
func named(auths map[string]string, asked *[]string) func(context.Context, destination.Destination) (Auth, error) {
	var mu sync.Mutex // several are asked for at once
	return func(_ context.Context, d destination.Destination) (Auth, error) {
		mu.Lock()
		*asked = append(*asked, d.Ref.Name)
		mu.Unlock()
		user, ok := auths[d.Ref.Name]
		if !ok {
			return Auth{}, errNotYours
		}
		return Auth{BearerToken: user}, nil
	}
}
