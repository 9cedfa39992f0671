package gitsink

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// comparing is an Inventory that remembers what it was told.
type comparing struct {
	objects []event.Object
	waits   bool // something has to be sent before a sweep
	differ  []string
	landed  int
}

func (c *comparing) View(f func(event.Snapshot) error) error { return f(c) }
func (c *comparing) Landed(event.Snapshot)                   { c.landed++ }
func (c *comparing) Objects() iter.Seq[event.Object]         { return slices.Values(c.objects) }
func (c *comparing) Differs(o event.Object)                  { c.differ = append(c.differ, o.Name) }
func (c *comparing) MaySweep() bool                          { return !c.waits && len(c.differ) == 0 }
func (*comparing) Uncovered(event.Collection) bool           { return false }
func (*comparing) Collections() []event.Collection {
	return []event.Collection{{Resource: "configmaps", All: true}}
}

func (c *comparing) add(name, content string, p event.Precondition) {
	o := event.Object{Resource: id(name), Precondition: p}
	if content != "" {
		o.Digest = event.NewContent([]byte(content)).Digest()
	}
	c.objects = append(c.objects, o)
}

func pathOf(name string) string { return event.DefaultLayout.Path(id(name)) }

// Of each object what its file holds, what it should hold, and when it is written.
func TestASeedTellsWhatIsMissingOrDifferentAndMayBeWritten(t *testing.T) {
	live, files := &comparing{}, map[string]string{OwnerFile: string(owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode()), pathOf("dead"): "x"}
	var want []string
	for _, c := range []struct {
		name, holds, ought string
		when               event.Precondition
		differs            bool
	}{
		{"equal", "a", "a", event.Always, false},
		{"different", "a", "b", event.Always, true},
		{"missing", "", "a", event.Always, true},
		{"unknown", "a", "", event.Always, true},
		{"create-only", "a", "b", event.IfAbsent, false},
		{"create-only-missing", "", "b", event.IfAbsent, true},
		{"update-only", "a", "b", event.IfPresent, true},
		{"update-only-equal", "b", "b", event.IfPresent, false},
		{"update-only-missing", "", "b", event.IfPresent, false},
	} {
		live.add(c.name, c.ought, c.when)
		if c.holds != "" {
			files[pathOf(c.name)] = c.holds
		}
		if c.differs {
			want = append(want, c.name)
		}
	}
	w, err := NewWriter(&memorySink{}, "cluster-1", nil)
	require.NoError(t, err)
	p, err := w.plan(t.Context(), to("prod"), stub(files), []event.Event{{Destination: to("prod"), Operation: event.SeedSync, Inventory: live}})
	require.NoError(t, err)
	require.ElementsMatch(t, want, live.differ)
	require.Equal(t, len(want), p.report.Different)
	require.Empty(t, p.commits, "what differs comes first")
	require.False(t, p.swept)
	require.False(t, p.landed(Result{}, time.Now()).Swept())

	delete(files, pathOf("dead"))
	*live = comparing{objects: live.objects[:1]}
	p, err = w.plan(t.Context(), to("prod"), stub(files), []event.Event{{Destination: to("prod"), Operation: event.SeedSync, Inventory: live}})
	require.NoError(t, err)
	require.True(t, p.swept)
	require.Equal(t, len(files)-2, p.report.Removed, "all but the owner's file and that of the object")
}

func BenchmarkCompare(b *testing.B) {
	const n = 100_000
	live, files := &comparing{}, &flatTree{}
	for i := range n {
		name := fmt.Sprintf("object-%06d", i)
		live.add(name, "a", event.Always)
		files.paths = append(files.paths, pathOf(name))
	}
	w := &Writer{opts: (&WriterOptions{}).withDefaults()}
	p := &planRun{writer: w, base: files, layout: w.opts.Layout, overlay: map[string]*Entry{}}
	b.ReportAllocs()
	for b.Loop() {
		if left, err := p.compare(b.Context(), p.files(look(files).files), live); left || err != nil || len(live.differ) > 0 {
			b.Fatal(left, err, live.differ)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/object")
}

// flatTree has files whose content is a.
type flatTree struct {
	Tree
	paths []string
}

func (f *flatTree) Paths(string) iter.Seq2[string, Entry] {
	hash := nameOf("a")
	return func(yield func(string, Entry) bool) {
		for _, path := range f.paths {
			if !yield(path, Entry{ModeFile, hash}) {
				return
			}
		}
	}
}

// What stands in the way of a file is left alone, and the object is named. It is no difference: it
// would be sent with each seed.
func TestASeedDoesNotAskForWhatCannotBeWritten(t *testing.T) {
	live := &comparing{}
	tree := stub(map[string]string{
		OwnerFile:             string(owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode()),
		"ns/configmaps/owned": "x",
	})
	tree.entries[pathOf("link")] = Entry{Mode: ModeSymlink, Hash: nameOf("x")}
	tree.entries[pathOf("folder")+"/file"] = Entry{Mode: ModeFile, Hash: nameOf("x")}
	tree.entries["other/configmaps"] = Entry{Mode: ModeFile, Hash: nameOf("x")}
	tree.entries["theirs/"+OwnerFile] = Entry{Mode: ModeFile, Hash: nameOf("x")}
	for _, name := range []string{"link", "folder", "free"} {
		live.add(name, "a", event.Always)
	}
	for _, namespace := range []string{"other", "theirs"} {
		live.add("in-"+namespace, "a", event.Always)
		live.objects[len(live.objects)-1].Namespace = namespace
	}
	w, err := NewWriter(&memorySink{}, "cluster-1", nil)
	require.NoError(t, err)
	p, err := w.plan(t.Context(), to("prod"), tree, []event.Event{{Destination: to("prod"), Operation: event.SeedSync, Inventory: live}})
	require.NoError(t, err)
	require.Equal(t, []string{"free"}, live.differ)
	why := map[string]string{}
	for _, s := range p.skips.first {
		require.False(t, s.Retry)
		why[s.Resource.Name] = s.Err.Error()
	}
	require.Contains(t, why["link"], "symbolic link")
	require.Contains(t, why["folder"], "is a folder")
	require.Contains(t, why["in-other"], "other/configmaps is not a folder")
	require.Contains(t, why["in-theirs"], "theirs/"+OwnerFile+" stands in the way")
	require.Len(t, why, 4)
}
