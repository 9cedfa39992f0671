package source

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientrest "k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// hostileServer serves ConfigMaps as it should, and widgets as the test wants.
type hostileServer struct {
	list, watch func(w http.ResponseWriter, r *http.Request)
	lists       atomic.Int64 // of widgets
}

// ServerGroupsAndResources implements Discovery.
func (s *hostileServer) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	verbs := metav1.Verbs{"get", "list", "watch"}
	return nil, []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: verbs}}},
		{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{{Name: "widgets", Kind: "Widget", Namespaced: true, Verbs: verbs}}},
	}, nil
}

func (s *hostileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	watch := r.URL.Query().Get("watch") != ""
	switch {
	case strings.Contains(r.URL.Path, "configmaps") && watch:
		hang(w, r)
	case strings.HasSuffix(r.URL.Path, "/good"):
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"default","name":"good","resourceVersion":"5"}}`)
	case strings.Contains(r.URL.Path, "configmaps"):
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"7"},"items":[`+
			`{"metadata":{"namespace":"default","name":"good","resourceVersion":"5"}}]}`)
	case r.URL.Query().Get("fieldSelector") != "":
		_, _ = io.WriteString(w, widgetList("100", ""))
	case watch:
		s.watch(w, r)
	case strings.HasSuffix(r.URL.Path, "/widgets"):
		s.lists.Add(1)
		s.list(w, r)
	default:
		s.get(w, r)
	}
}

// get serves one object, as it is in the listing.
func (s *hostileServer) get(w http.ResponseWriter, r *http.Request) {
	listed := httptest.NewRecorder()
	s.list(listed, r)
	var all struct{ Items []json.RawMessage }
	if err := json.Unmarshal(listed.Body.Bytes(), &all); err != nil || len(all.Items) == 0 {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(all.Items[0])
}

func widgetList(version, token string, items ...string) string {
	return fmt.Sprintf(`{"apiVersion":"example.com/v1","kind":"WidgetList","metadata":{"resourceVersion":%q,"continue":%q},"items":[%s]}`,
		version, token, strings.Join(items, ","))
}

func widgetItem(name, version, value string) string {
	return fmt.Sprintf(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"namespace":"default","name":%q,"resourceVersion":%q},"spec":%q}`,
		name, version, value)
}

func changed(kind, object string) string {
	return fmt.Sprintf("{\"type\":%q,\"object\":%s}\n", kind, object)
}

// hang says nothing until the client goes.
func hang(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func says(lines ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, line := range lines {
			_, _ = io.WriteString(w, line)
		}
		hang(w, r)
	}
}

func lists(answer string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }
}

// start follows both types, each for a destination of its own.
func (s *hostileServer) start(t *testing.T) *fixture {
	t.Helper()
	server := httptest.NewServer(s)
	client, err := NewClient(&clientrest.Config{Host: server.URL, QPS: -1})
	require.NoError(t, err)
	f := &fixture{t: t, lines: newLines(-1), files: map[string]string{}}
	f.watcher = New(client, s, f.lines, &Options{Lists: 1, PageSize: 10, Resync: -1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.watcher.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		server.CloseClientConnections()
		server.Close()
	})
	widgets := rule("widgets", "hostile", "widgets")
	widgets.Resources[0].APIGroups = []string{"example.com"}
	f.setRules([]destination.Spec{spec("prod", "main"), spec("hostile", "main")}, []ruleset.Rule{rule("maps", "prod", "configmaps"), widgets}...)
	return f
}

func (f *fixture) statusOf(to string) DestinationStatus {
	st, _ := f.watcher.Status(ref(to))
	return st
}

// Whatever the server says of one type, the others go on, nothing is deleted, and the status says
// it.
func TestAHostileServerHoldsUpNoOtherType(t *testing.T) {
	page := func(token func(n int64) string) *hostileServer {
		s := &hostileServer{watch: hang}
		s.list = func(w http.ResponseWriter, _ *http.Request) {
			n := s.lists.Load()
			_, _ = io.WriteString(w, widgetList("100", token(n), widgetItem(fmt.Sprintf("w%d", n%50), "50", "x")))
		}
		return s
	}
	good := widgetList("100", "", widgetItem("a", "50", "old"))
	for name, c := range map[string]struct {
		server  *hostileServer
		told    string // of the status: an error in it
		written string // of a file
	}{
		"a listing that comes back to its first page": {page(func(int64) string { return "again" }), "continue token comes again", ""},
		"a listing in a circle":                       {page(func(n int64) string { return fmt.Sprint(n % 7) }), "continue token comes again", ""},
		"a list that breaks off":                      {&hostileServer{list: lists(`{"items":[`), watch: hang}, "breaks off", ""},
		"a list that is no JSON":                      {&hostileServer{list: lists(`{"items":[}`), watch: hang}, "is no JSON", ""},
		"an object where a list was asked for":        {&hostileServer{list: lists(widgetItem("a", "50", "x")), watch: hang}, "not a list", ""},
		"an object of more than a bound":              {&hostileServer{list: lists(widgetList("100", "", widgetItem("a", "50", strings.Repeat("x", 3*maxObject)))), watch: hang}, "more than 16 MiB", ""},
		"an object of another kind": {&hostileServer{list: lists(widgetList("100", "",
			strings.Replace(widgetItem("a", "50", "x"), `"Widget"`, `"Secret"`, 1))), watch: hang}, "not of the type", ""},
		"an object of another group": {&hostileServer{list: lists(widgetList("100", "",
			strings.Replace(widgetItem("a", "50", "x"), `example.com/v1`, `v1`, 1))), watch: hang}, "not of the type", ""},
		"an event that is no JSON":       {&hostileServer{list: lists(good), watch: says(changed("MODIFIED", widgetItem("a", "101", "new")), "{{{\n")}, "", "new"},
		"an event of a type unheard of":  {&hostileServer{list: lists(good), watch: says(changed("EXPLODED", "{}"))}, "", "old"},
		"events that repeat":             {&hostileServer{list: lists(good), watch: says(strings.Repeat(changed("MODIFIED", widgetItem("a", "101", "new")), 1000))}, "", "new"},
		"resource versions that go back": {&hostileServer{list: lists(good), watch: says(changed("MODIFIED", widgetItem("a", "200", "new")), changed("MODIFIED", widgetItem("a", "3", "past")))}, "", "new"},
		"an object of five megabytes": {&hostileServer{list: lists(widgetList("100", "", widgetItem("a", "50", strings.Repeat("x", 5<<20)))), watch: hang},
			"", "xxxx"},
		"a watch that says nothing": {&hostileServer{list: lists(good), watch: hang}, "", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			t.Run("run", func(t *testing.T) {
				f := c.server.start(t)
				seen := func() bool {
					f.drainAll()
					if f.files["prod configmaps/default/good"] == "" || !f.statusOf("prod").Idle() {
						return false
					}
					if c.written != "" {
						return strings.Contains(f.files["hostile widgets.example.com/default/a"], c.written)
					}
					return strings.Contains(fmt.Sprint(f.statusOf("hostile").Incomplete, f.statusOf("hostile").Refused), c.told)
				}
				require.Eventually(t, seen, wait, tick, "%s", name)
				if c.told != "" {
					require.NotContains(t, f.files, "hostile widgets.example.com/default/a")
				}
			})
			require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, wait, tick, "goroutines are left")
		})
	}
}

// drainAll does what all waiting events say, and requires that none of them deletes.
func (f *fixture) drainAll() {
	for _, text := range f.takeAll() {
		require.NotContains(f.t, text, event.Delete)
	}
}

// One place to list, and a listing without an end: between two of its pages others have their turn.
func TestAListingWithoutAnEndKeepsNoOtherFromListing(t *testing.T) {
	s := &hostileServer{watch: hang}
	s.list = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, widgetList("100", time.Now().String(), widgetItem("a", "50", "x")))
	}
	f := s.start(t)
	require.Eventually(t, func() bool { f.drainAll(); return s.lists.Load() > 20 && f.statusOf("prod").Idle() }, wait, tick)
	require.Less(t, f.statusOf("hostile").Complete, 1)
	require.True(t, f.statusOf("hostile").SeedDue, "nothing of it reads as in sync")
}
