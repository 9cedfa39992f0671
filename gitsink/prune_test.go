package gitsink

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// covering is an Inventory of ConfigMaps everywhere that also knows which types and namespaces no
// rule covers.
type covering struct {
	uncovered func(event.Collection) bool
	living    []event.Resource
}

func (c covering) View(f func(event.Snapshot) error) error { return f(c) }
func (c covering) Collections() []event.Collection {
	return []event.Collection{{Resource: "configmaps", All: true}}
}
func (covering) Landed(event.Snapshot) {}
func (covering) Differs(event.Object)  {}
func (covering) MaySweep() bool        { return true }
func (c covering) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for _, r := range c.living {
			if !yield(event.Object{Resource: r}) {
				return
			}
		}
	}
}
func (c covering) Uncovered(s event.Collection) bool { return c.uncovered(s) }

func notConfigMaps(s event.Collection) bool { return s.Resource != "configmaps" }

// seed is a SeedSync for which nothing but ConfigMaps is covered.
func seed(d string, living ...string) event.Event {
	c := covering{uncovered: notConfigMaps}
	for _, name := range living {
		c.living = append(c.living, id(name))
	}
	return event.Event{Destination: to(d), Operation: event.SeedSync, Inventory: c}
}

func manifestOf(apiVersion, kind, namespace, name string) []byte {
	text := "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata:\n  name: " + name + "\n"
	if namespace != "" {
		text += "  namespace: " + namespace + "\n"
	}
	return []byte(text)
}

// pruning is a Writer whose folder prod is adopted and holds a ConfigMap, and which prunes as told.
func pruning(t *testing.T, policy *Policy) (*memorySink, *Writer, func() Report) {
	t.Helper()
	sink := &memorySink{}
	w, reports := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return *policy }})
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seed("prod", "a"))))
	return sink, w, func() Report { return (*reports)[len(*reports)-1] }
}

func TestWhatNoRuleCoversStaysAndIsReportedUntilItIsPruned(t *testing.T) {
	var policy Policy
	sink, w, last := pruning(t, &policy)
	files := sink.folder("prod")
	files["ns/services/web.yaml"] = &fstest.MapFile{Data: manifestOf("v1", "Service", "ns", "web")}
	files["_cluster/widgets.x.example/w.yaml"] = &fstest.MapFile{Data: manifestOf("x.example/v1", "Widget", "", "w")}
	files["ns/configmaps/gone.yaml"] = &fstest.MapFile{Data: []byte("whatever")}
	require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a"))))
	require.Equal(t, []string{"_cluster/widgets.x.example/w.yaml", "ns/configmaps/a.yaml", "ns/services/web.yaml"}, sink.names("prod"))
	require.Equal(t, []string{"_cluster/widgets.x.example/w.yaml", "ns/services/web.yaml"}, last().Uncovered.Sample)
	require.Nil(t, last().Pruned)

	policy = Policy{Orphans: orphan.Options{Policy: orphan.OnDelete}, Prune: &orphan.Approval{}}
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "b", "1"), seed("prod", "a", "b"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml", "ns/configmaps/b.yaml"}, sink.names("prod"))
	require.Equal(t, &Pruned{Removed: 2}, last().Pruned)
	require.Nil(t, last().Uncovered)
	require.Equal(t, "Remove 2 files that no rule covers any more from clusters/prod\n", sink.commits[len(sink.commits)-1].Message)
	require.Equal(t, "Update configmaps/ns/b\n", sink.commits[len(sink.commits)-2].Message, "a commit of its own")
	require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a", "b"))))
	require.Equal(t, &Pruned{}, last().Pruned)
}

func TestPruningTouchesNoFileThatDoesNotNameItsObject(t *testing.T) {
	policy := Policy{Orphans: orphan.Options{MaxFiles: -1}, Prune: &orphan.Approval{}}
	sink, w, last := pruning(t, &policy)
	files := sink.folder("prod")
	for path, data := range map[string]string{
		"docs/images/logo.yaml":            "width: 10\n",
		"base/services/web.yaml":           string(manifestOf("v1", "Service", "", "web")),
		"base/deployments/web.yaml":        string(manifestOf("apps/v1", "Deployment", "base", "web")),
		"base/services/other.yaml":         string(manifestOf("v1", "Service", "base", "web")),
		"base/services/two.yaml":           string(manifestOf("v1", "Service", "base", "two")) + "---\nkind: Service\n",
		"base/services/list.yaml":          "- a\n- b\n",
		"base/services/broken.yaml":        "a: [\n",
		"base/services/empty.yaml":         "",
		"base/services/kind.yaml":          "apiVersion: v1\nmetadata: {name: kind, namespace: base}\n",
		"base/services/UPPER.yaml":         string(manifestOf("v1", "Service", "base", "UPPER")),
		"base/services/README.md":          "x",
		"base/services/nested/x.yaml":      string(manifestOf("v1", "Service", "base", "x")),
		"base/services/x.yaml/.gitkeep":    "",
		"base/services/kustomization.yaml": string(manifestOf("v1", "Service", "base", "kustomization")),
	} {
		files[path] = &fstest.MapFile{Data: []byte(data)}
	}
	before := sink.names("prod")
	files["base/services/ours.yaml"] = &fstest.MapFile{Data: manifestOf("v1", "Service", "base", "ours")}
	require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a"))))
	require.Equal(t, before, sink.names("prod"))
	require.Equal(t, 1, last().Pruned.Removed)
	require.Equal(t, 9, last().Uncovered.Count, "what is left still looks like ours: %s", last().Uncovered.Sample)
}

func TestPruningObeysPolicyAdoptionOwnershipAndTheLimit(t *testing.T) {
	fill := func(sink *memorySink, count int) {
		for i := range count {
			name := fmt.Sprintf("s-%02d", i)
			sink.folder("prod")["ns/services/"+name+".yaml"] = &fstest.MapFile{Data: manifestOf("v1", "Service", "ns", name)}
		}
	}
	t.Run("policy", func(t *testing.T) {
		policy := Policy{Orphans: orphan.Options{Policy: orphan.Never}, Prune: &orphan.Approval{}}
		sink, w, last := pruning(t, &policy)
		fill(sink, 1)
		require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a"))))
		require.ErrorIs(t, last().Pruned.Err, orphan.ErrNever)
		require.Len(t, sink.names("prod"), 2)
	})
	t.Run("adoption", func(t *testing.T) {
		sink := &memorySink{}
		fill(sink, 1)
		w, reports := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Prune: &orphan.Approval{}} }})
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seed("prod", "a"))))
		require.ErrorIs(t, (*reports)[0].Pruned.Err, ErrUnadopted)
		require.Equal(t, 1, (*reports)[0].Uncovered.Count)
		require.Len(t, sink.names("prod"), 2)
	})
	t.Run("ownership", func(t *testing.T) {
		policy := Policy{Prune: &orphan.Approval{}}
		sink, w, _ := pruning(t, &policy)
		fill(sink, 1)
		other, err := NewWriter(sink, "cluster-2", &WriterOptions{Policy: func(destination.Destination) Policy { return policy }})
		require.NoError(t, err)
		require.ErrorIs(t, other.Handle(t.Context(), batch(seed("prod"))), ErrOwned)
		require.Len(t, sink.names("prod"), 2)
		require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a"))))
		require.Len(t, sink.names("prod"), 1)
	})
	t.Run("limit", func(t *testing.T) {
		policy := Policy{Prune: &orphan.Approval{}}
		sink, w, last := pruning(t, &policy)
		fill(sink, 11)
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "b", "1"), seed("prod", "a", "b"))))
		require.ErrorIs(t, last().Pruned.Err, orphan.ErrTooMany)
		require.Len(t, sink.names("prod"), 13, "all else is written")
		policy.Prune = &orphan.Approval{Seen: last().Uncovered}
		fill(sink, 12)
		require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a", "b"))))
		require.ErrorIs(t, last().Pruned.Err, orphan.ErrTooMany, "one more than was seen")
		policy.Prune = &orphan.Approval{Seen: last().Uncovered}
		require.NoError(t, w.Handle(t.Context(), batch(seed("prod", "a", "b"))))
		require.Equal(t, &Pruned{Removed: 12}, last().Pruned)
	})
}

func TestAFolderWithAnOwnerOfItsOwnIsNeitherWrittenNorSweptNorPruned(t *testing.T) {
	policy := Policy{Orphans: orphan.Options{MaxFiles: -1}, Prune: &orphan.Approval{}}
	sink, w, last := pruning(t, &policy)
	files := sink.folder("prod")
	// An inner destination whose folder is named like one of our namespaces, or like a type in it.
	inner := map[string][]byte{
		"ns/" + OwnerFile:                    []byte("source: cluster-2\n"),
		"ns/configmaps/theirs.yaml":          manifestOf("v1", "ConfigMap", "ns", "theirs"),
		"ns/services/theirs.yaml":            manifestOf("v1", "Service", "ns", "theirs"),
		"ns2/configmaps/" + OwnerFile:        []byte("source: cluster-2\n"),
		"ns2/configmaps/x/configmaps/a.yaml": []byte("x"),
		"ns2/configmaps/deep.yaml":           manifestOf("v1", "ConfigMap", "ns2", "deep"),
	}
	for path, data := range inner {
		files[path] = &fstest.MapFile{Data: data}
	}
	files["ns3/configmaps/gone.yaml"] = &fstest.MapFile{Data: []byte("x")}
	before := sink.names("prod")
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "b", "1"), write("prod", "theirs", "2"), remove("prod", "theirs"), seed("prod"))))
	require.Equal(t, slices.DeleteFunc(before, func(p string) bool { return p == "ns3/configmaps/gone.yaml" }), sink.names("prod"))
	for path, data := range inner {
		require.Equal(t, string(data), string(files[path].Data), path)
	}
	skipped := last().Skipped
	require.Len(t, skipped, 2)
	for _, s := range skipped {
		require.ErrorIs(t, s.Err, ErrOwned)
		require.ErrorContains(t, s.Err, "ns/"+OwnerFile)
		require.False(t, s.Retry)
	}
	require.Equal(t, 1, last().Removed)
	require.Nil(t, last().Uncovered)
}

// TestAForeignFileIsNeverTouchedWhateverItsName tries random names, near to those that the layout
// writes.
func TestAForeignFileIsNeverTouchedWhateverItsName(t *testing.T) {
	n := rand.Uint64()
	t.Logf("seed %d", n)
	random := rand.New(rand.NewPCG(n, n))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	foreign := func() string {
		parts := []string{pick("ns", "_cluster", "NS", "n%73", "..ns", "ns ", "pods", ".github")}
		for range random.IntN(4) {
			parts = append(parts, pick("configmaps", "Configmaps", "configmaps.", "services", "a", "%zz", "-"))
		}
		return strings.Join(parts, "/") + "/" + pick("a.yaml", "a.yml", "A.yaml", "kustomization.yaml", ".yaml", "a.yaml.bak", "a%2fb.yaml",
			"README.md", "con.yaml", "~.yaml", "a..yaml", "ä.yaml", "a b.yaml", OwnerFile+".yaml")
	}
	touched := 0
	for range 300 {
		policy := Policy{Orphans: orphan.Options{MaxFiles: -1}, Prune: &orphan.Approval{}}
		sink, w, _ := pruning(t, &policy)
		files := sink.folder("prod")
		var theirs []string
		for range 10 {
			path := foreign()
			if _, ours := event.DefaultLayout.Collection(path); ours {
				files[path] = &fstest.MapFile{Data: []byte("x")} // may go, with all that is ours
				touched++
				continue
			}
			files[path] = &fstest.MapFile{Data: manifestOf("v1", "ConfigMap", "ns", "a")}
			theirs = append(theirs, path)
		}
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "b", "1"), remove("prod", "a"), seed("prod"))))
		for _, path := range theirs {
			require.Contains(t, files, path)
			require.Equal(t, string(manifestOf("v1", "ConfigMap", "ns", "a")), string(files[path].Data), path)
		}
	}
	require.NotZero(t, touched)
}
