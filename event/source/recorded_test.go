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
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
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
}

func newRecording(t *testing.T, archive *txtar.Archive) *recording {
	t.Helper()
	parts := map[string][]byte{}
	for _, f := range archive.Files {
		parts[f.Name] = f.Data
	}
	r := &recording{t: t, types: &metav1.APIResourceList{}, list: parts["list"], watch: parts["watch"], out: newLines(-1)}
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

// ServeHTTP answers a list, and a watch, whose last event is one of the test's own. The watch
// begins when the SeedSync is in the queue, since either could come first.
func (r *recording) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if req.URL.Query().Get("watch") == "" {
		_, _ = w.Write(r.list)
		return
	}
	if r.out.until(req.Context(), func() bool { return slices.ContainsFunc(r.out.waiting, isSeedSync) }) != nil {
		return
	}
	end := fmt.Sprintf(`{"type":"ADDED","object":{"apiVersion":%q,"kind":%q,"metadata":{"name":%q,"namespace":"default","resourceVersion":"1000"}}}`,
		r.types.GroupVersion, r.types.APIResources[0].Kind, endOfRecording)
	_, _ = w.Write(append(bytes.Clone(r.watch), end+"\n"...))
	_ = http.NewResponseController(w).Flush()
	<-req.Context().Done()
}

// play lets a Watcher follow the recording and returns the events that it puts into the queue.
func (r *recording) play() string {
	r.t.Helper()
	server := httptest.NewServer(r)
	r.t.Cleanup(server.Close)
	client, err := dynamic.NewForConfig(&clientrest.Config{Host: server.URL, QPS: -1})
	require.NoError(r.t, err)
	out := r.out
	watcher := New(client, r, out, nil)
	watcher.SetRules(r.rules())
	ctx, cancel := context.WithTimeout(r.t.Context(), wait)
	done := make(chan error, 1)
	go func() { done <- watcher.Start(ctx) }()
	err = out.until(ctx, func() bool {
		return len(out.waiting) > 0 && out.waiting[len(out.waiting)-1].Resource.Name == endOfRecording
	})
	cancel()
	require.NoError(r.t, <-done)
	require.NoError(r.t, err, "the recording was not played to its end")
	var b strings.Builder
	for _, e := range out.waiting[:len(out.waiting)-1] {
		b.WriteString(played(e))
	}
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
	for line := range strings.Lines(string(e.Content)) {
		b.WriteString("\t" + line)
	}
	return b.String()
}
