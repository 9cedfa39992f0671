package source

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientrest "k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// TestRecordedSequencesOfARealAPIServer plays back what a real API server has sent (internal/e2e
// records it and compares it with what the server sends today), and compares the events that reach
// the queue with those in the file "events".
func TestRecordedSequencesOfARealAPIServer(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			want := &archive.Files[len(archive.Files)-1]
			require.Equal(t, "events", want.Name)
			got := newRecording(t, archive).play()
			if *update {
				want.Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
			}
			require.Equal(t, string(want.Data), got)
		})
	}
}

// recording is an API server that knows one type and says what was recorded.
type recording struct {
	t           *testing.T
	types       *metav1.APIResourceList
	list, watch []byte
	out         *lines
	seeded      chan struct{} // closed when the files are what the listing says
}

func newRecording(t *testing.T, archive *txtar.Archive) *recording {
	t.Helper()
	parts := map[string][]byte{}
	for _, f := range archive.Files {
		parts[f.Name] = f.Data
	}
	r := &recording{t: t, types: &metav1.APIResourceList{}, list: parts["list"], watch: parts["watch"], out: newLines(-1), seeded: make(chan struct{})}
	require.NoError(t, json.Unmarshal(parts["type"], r.types))
	require.Len(t, r.types.APIResources, 1)
	require.NotEmpty(t, r.list)
	require.NotEmpty(t, r.watch)
	return r
}

// ServerGroupsAndResources implements Discovery.
func (r *recording) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, []*metav1.APIResourceList{r.types}, nil
}

const endOfRecording = "end-of-recording"

// ServeHTTP answers a list, a get from the list, and a watch, whose last event is one of the test's
// own. The watch begins when the listing is written, since either could come first.
func (r *recording) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	resource := r.types.APIResources[0].Name
	switch {
	case !strings.HasSuffix(req.URL.Path, "/"+resource):
		r.get(w, path.Base(req.URL.Path))
		return
	case req.URL.Query().Get("watch") == "":
		_, _ = w.Write(r.list)
		return
	}
	select {
	case <-r.seeded:
	case <-req.Context().Done():
		return
	}
	end := fmt.Sprintf(`{"type":"ADDED","object":{"apiVersion":%q,"kind":%q,"metadata":{"name":%q,"namespace":"default","resourceVersion":"1000"}}}`,
		r.types.GroupVersion, r.types.APIResources[0].Kind, endOfRecording)
	_, _ = w.Write(append(bytes.Clone(r.watch), end+"\n"...))
	_ = http.NewResponseController(w).Flush()
	<-req.Context().Done()
}

// get answers with an object of the list.
func (r *recording) get(w http.ResponseWriter, name string) {
	var list unstructured.UnstructuredList
	if err := json.Unmarshal(r.list, &list); err != nil {
		r.t.Error(err)
	}
	for _, obj := range list.Items {
		if obj.GetName() == name {
			obj.SetAPIVersion(r.types.GroupVersion)
			obj.SetKind(r.types.APIResources[0].Kind)
			_ = json.NewEncoder(w).Encode(obj.Object)
			return
		}
	}
	http.Error(w, "not found", http.StatusNotFound)
}

// play lets a Watcher follow the recording and returns the events that it puts into the queue.
func (r *recording) play() string {
	r.t.Helper()
	server := httptest.NewServer(r)
	r.t.Cleanup(server.Close)
	client, err := NewClient(&clientrest.Config{Host: server.URL, QPS: -1})
	require.NoError(r.t, err)
	out := r.out
	watcher := New(client, r, out, nil)
	watcher.SetRules(r.rules())
	ctx, cancel := context.WithTimeout(r.t.Context(), wait)
	done := make(chan error, 1)
	go func() { done <- watcher.Start(ctx) }()
	var b strings.Builder
	f := &fixture{t: r.t, lines: out, watcher: watcher, files: contents{}}
	for e := f.next(); e.Resource.Name != endOfRecording; e = f.next() {
		if isSeedSync(e) {
			close(r.seeded)
		}
		b.WriteString(played(e))
	}
	cancel()
	require.NoError(r.t, <-done)
	return b.String()
}

// rules send all objects of the type to one destination.
func (r *recording) rules() (destination.Set, *ruleset.RuleSet) {
	r.t.Helper()
	group, _, found := strings.Cut(r.types.GroupVersion, "/")
	if !found {
		group = ""
	}
	everything := rule("everything", "prod", r.types.APIResources[0].Name)
	everything.Resources[0].APIGroups = []string{group}
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/org/repo.git"}},
		[]destination.Spec{spec("prod", "main")})
	require.NoError(r.t, err)
	rs, err := ruleset.Compile(set, everything)
	require.NoError(r.t, err)
	return set, rs
}

func isSeedSync(e event.Event) bool { return e.Operation == event.SeedSync }

// played shows an event: what happened, the file, and what it holds.
func played(e event.Event) string {
	if isSeedSync(e) {
		return string(e.Operation) + "\n"
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s %s\n", e.Operation, event.DefaultLayout.Path(e.Resource))
	for line := range strings.Lines(string(e.Content.Bytes())) {
		b.WriteString("\t" + line)
	}
	return b.String()
}
