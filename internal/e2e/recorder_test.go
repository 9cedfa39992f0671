package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

var record = flag.Bool("record", false, "write what the API server sends into event/source/testdata/recorded")

// recorder takes down what a real API server sends to a watch of one type in one namespace.
type recorder struct {
	*cluster
	gvr       schema.GroupVersionResource
	namespace string
	// Those that differ from time to time, and what stands for them in the recording.
	names map[string]string
	http  *http.Client
	url   string // of the collection
	list  []byte
	watch *bufio.Reader
}

// newRecorder records as a client of a fixed name, which managedFields hold.
func newRecorder(t *testing.T, gvr schema.GroupVersionResource) *recorder {
	t.Helper()
	config := server.Start(t).Config()
	config.UserAgent = "recorder"
	r := &recorder{cluster: newCluster(t, config, ""), gvr: gvr}
	r.namespace = r.cluster.namespace()
	r.names = map[string]string{r.namespace: "recorded"}
	var err error
	r.http, err = rest.HTTPClientFor(config)
	require.NoError(t, err)
	root := "/apis/" + gvr.Group
	if gvr.Group == "" {
		root = "/api"
	}
	r.url = config.Host + root + "/" + gvr.Version + "/namespaces/" + r.namespace + "/" + gvr.Resource
	return r
}

// begin lists, and watches from there on.
func (r *recorder) begin() {
	r.t.Helper()
	// Whether anything else was written since decides whether the listing is newer than its newest
	// object: make sure it is.
	other := fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: between, namespace: %s}}", r.namespace)
	r.apply(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, other)
	body := r.get("")
	list, err := io.ReadAll(body)
	require.NoError(r.t, err)
	r.list = bytes.TrimSpace(list)
	var meta struct{ Metadata metav1.ListMeta }
	require.NoError(r.t, json.Unmarshal(list, &meta))
	r.watch = bufio.NewReader(r.get("?watch=true&resourceVersion=" + meta.Metadata.ResourceVersion))
}

func (r *recorder) get(query string) io.Reader {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+query, nil)
	require.NoError(r.t, err)
	req.Header.Set("Accept", "application/json")
	resp, err := r.http.Do(req)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(r.t, http.StatusOK, resp.StatusCode)
	return resp.Body
}

// end creates one more object and returns all events before its own, one a line.
func (r *recorder) end(last string) []byte {
	r.t.Helper()
	obj := parse(r.t, last)
	_, err := r.objects().Create(r.t.Context(), obj, metav1.CreateOptions{})
	require.NoError(r.t, err)
	var events bytes.Buffer
	for {
		line, err := r.watch.ReadBytes('\n')
		require.NoError(r.t, err)
		var e struct{ Object unstructured.Unstructured }
		require.NoError(r.t, json.Unmarshal(line, &e))
		if e.Object.GetName() == obj.GetName() {
			return events.Bytes()
		}
		events.Write(line)
	}
}

// played is the type as discovery shows it, the listing and the watch, without what differs from
// one time to the next.
func (r *recorder) played(last string) []txtar.File {
	r.t.Helper()
	events := r.end(last)
	disco, err := discovery.NewDiscoveryClientForConfig(r.config)
	require.NoError(r.t, err)
	types, err := disco.ServerResourcesForGroupVersion(r.gvr.GroupVersion().String())
	require.NoError(r.t, err)
	types.APIResources = slices.DeleteFunc(types.APIResources, func(t metav1.APIResource) bool { return t.Name != r.gvr.Resource })
	for i := range types.APIResources {
		types.APIResources[i].StorageVersionHash = ""
	}
	list, err := json.Marshal(types)
	require.NoError(r.t, err)
	scrubbed := r.ordered(r.scrub(slices.Concat(list, []byte("\n"), r.list, []byte("\n"), events)))
	parts := bytes.SplitN(scrubbed, []byte("\n"), 3)
	return []txtar.File{
		{Name: "type", Data: append(parts[0], '\n')}, {Name: "list", Data: append(parts[1], '\n')}, {Name: "watch", Data: parts[2]},
	}
}

var (
	uidPattern     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	timePattern    = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)
	versionPattern = regexp.MustCompile(`"resourceVersion":"(\d+)"`)
)

// scrub replaces UIDs and resource versions by numbers that keep their order, times by one, and
// names that the server or the test chose.
func (r *recorder) scrub(data []byte) []byte {
	text := string(data)
	for name, standIn := range r.names {
		text = strings.ReplaceAll(text, name, standIn)
	}
	text = timePattern.ReplaceAllString(text, `"2026-01-01T00:00:00Z"`)
	seen := map[string]int{}
	text = uidPattern.ReplaceAllStringFunc(text, func(uid string) string {
		if seen[uid] == 0 {
			seen[uid] = len(seen) + 1
		}
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", seen[uid])
	})
	var versions []int
	for _, m := range versionPattern.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(r.t, err)
		versions = append(versions, n)
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	return []byte(versionPattern.ReplaceAllStringFunc(text, func(s string) string {
		n, _ := strconv.Atoi(versionPattern.FindStringSubmatch(s)[1]) // it was read above
		i, _ := slices.BinarySearchFunc(versions, n, cmp.Compare[int])
		return fmt.Sprintf(`"resourceVersion":"%d"`, 101+i)
	}))
}

// ordered orders managedFields, one JSON object a line: the server orders them by time, in seconds,
// so that it depends on the moment who comes first. Keys are ordered, too.
func (r *recorder) ordered(lines []byte) []byte {
	r.t.Helper()
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber() // a number must come out as it went in
		var value any
		require.NoError(r.t, decoder.Decode(&value))
		orderManagers(value)
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		require.NoError(r.t, encoder.Encode(value))
	}
	return out.Bytes()
}

func orderManagers(value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			orderManagers(v)
		}
	case map[string]any:
		if managers, ok := value["managedFields"].([]any); ok {
			slices.SortStableFunc(managers, func(a, b any) int { return cmp.Compare(manager(a), manager(b)) })
		}
		for _, v := range value {
			orderManagers(v)
		}
	}
}

func manager(entry any) string {
	e, _ := entry.(map[string]any)
	return fmt.Sprint(e["manager"], " ", e["operation"], " ", e["subresource"], " ", e["apiVersion"])
}

// compare fails unless the committed recording says the same. With -record it is written anew; what
// the watcher makes of it stays, until the test of event/source is run with -update.
func (r *recorder) compare(name, comment, last string) {
	r.t.Helper()
	file := filepath.Join("..", "..", "event", "source", "testdata", "recorded", name+".txtar")
	got := &txtar.Archive{Comment: []byte(comment + "\n\n"), Files: r.played(last)}
	committed, err := txtar.ParseFile(file)
	if *record {
		events := txtar.File{Name: "events"}
		if err == nil {
			events = committed.Files[len(committed.Files)-1]
		}
		got.Files = append(got.Files, events)
		require.NoError(r.t, os.WriteFile(file, txtar.Format(got), 0o600))
		return
	}
	require.NoError(r.t, err)
	require.Len(r.t, committed.Files, len(got.Files)+1)
	for i, f := range got.Files {
		require.Equal(r.t, committed.Files[i].Name, f.Name)
		require.Equal(r.t, string(committed.Files[i].Data), string(f.Data),
			"the API server does not send what was recorded; record with -record, then run the test of event/source with -update")
	}
}
