package gitsink

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// object is a living object and what its file is to hold: a manifest that names it.
type object struct {
	event.ID
	kind string
}

func (o object) manifest() string {
	apiVersion := "v1"
	if o.Group != "" {
		apiVersion = o.Group + "/v1"
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n  namespace: %q\n", apiVersion, o.kind, o.Name, o.Namespace)
}

func (o object) write() event.Event {
	return event.Event{Destination: to("prod"), Operation: event.Update, Content: event.NewContent([]byte(o.manifest())),
		Resource: event.Resource{ID: o.ID, Version: "v1", Kind: o.kind}}
}

func (o object) remove() event.Event {
	return event.Event{Destination: to("prod"), Operation: event.Delete, Resource: event.Resource{ID: o.ID}}
}

func configMap(name string) object {
	return object{event.ID{Resource: "configmaps", Namespace: "shop", Name: name}, "ConfigMap"}
}

// world is an Inventory whose types are listed or not.
type world struct {
	live   map[event.ID]object
	listed []string // resources; others that objects have are in doubt
	blind  bool     // it does not know which types no rule covers
	differ []event.ID
}

func worldOf(objects ...object) *world {
	w := &world{live: map[event.ID]object{}, listed: []string{"configmaps", "pods", "services"}}
	for _, o := range objects {
		w.live[o.ID] = o
	}
	return w
}

func (w *world) View(f func(event.Snapshot) error) error { return f(w) }
func (*world) Landed(event.Snapshot)                     {}
func (w *world) Differs(o event.Object)                  { w.differ = append(w.differ, o.ID) }
func (w *world) MaySweep() bool                          { return len(w.differ) == 0 }

func (w *world) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for _, o := range w.live {
			if slices.Contains(w.listed, o.Resource) &&
				!yield(event.Object{Resource: event.Resource{ID: o.ID}, Digest: event.NewContent([]byte(o.manifest())).Digest()}) {
				return
			}
		}
	}
}

func (w *world) Collections() (all []event.Collection) {
	for _, r := range w.listed {
		all = append(all, event.Collection{Resource: r, All: true})
	}
	return all
}

func (w *world) Uncovered(c event.Collection) bool {
	return !w.blind && (c.Group != "" || !slices.Contains([]string{"configmaps", "pods", "services"}, c.Resource))
}

// sync has the folder compared, and sends what differs until nothing does, as a source would.
func (w *world) sync(t *testing.T, to *Writer) error {
	t.Helper()
	for range 5 {
		w.differ = nil
		err := to.Handle(t.Context(), batch(event.Event{Destination: destinationOf(), Operation: event.SeedSync, Inventory: w}))
		if err != nil || len(w.differ) == 0 {
			return err
		}
		var events []event.Event
		for _, id := range w.differ {
			events = append(events, w.live[id].write())
		}
		if err := to.Handle(t.Context(), batch(events...)); err != nil {
			return err
		}
	}
	return fmt.Errorf("what differs does not end: %v", w.differ)
}

func destinationOf() destination.Destination { return to("prod") }

// folder is a sink with a folder that was written with a layout, and what is allowed in it.
type movable struct {
	*memorySink
	policy  Policy
	reports *[]Report
	options WriterOptions
}

// begun returns a folder with the objects of a world.
func begun(t *testing.T, layout event.Layout, w *world) *movable {
	t.Helper()
	m := &movable{memorySink: &memorySink{}}
	require.NoError(t, w.sync(t, m.writer(t, layout)))
	return m
}

func (m *movable) writer(t *testing.T, layout event.Layout) *Writer {
	t.Helper()
	opts := m.options
	opts.Policy = func(destination.Destination) Policy {
		p := m.policy
		p.Layout = layout
		return p
	}
	w, reports := newTestWriter(t, m, &opts)
	m.reports = reports
	return w
}

func (m *movable) last() Report { return (*m.reports)[len(*m.reports)-1] }

func (m *movable) ownerFile() string { return string(m.folder("prod")[OwnerFile].Data) }

func pathsOf(layout event.Layout, objects ...object) (paths []string) {
	for _, o := range objects {
		paths = append(paths, layout.Path(event.Resource{ID: o.ID}))
	}
	slices.Sort(paths)
	return paths
}

func TestAFolderOfAnotherLayoutIsRefusedUntilItIsAdopted(t *testing.T) {
	live := worldOf(configMap("a"))
	m := begun(t, event.DefaultLayout, live)
	before := maps.Clone(m.folder("prod"))
	err := live.sync(t, m.writer(t, event.ByTypeLayout))
	require.ErrorIs(t, err, ErrOwned)
	require.ErrorIs(t, err, queue.ErrPermanent)
	require.ErrorContains(t, err, `.kubescribe says layout "default/v1"; this destination has the layout "by-type/v1" now: adopt the folder to have its files moved`)
	require.Equal(t, before, m.folder("prod"))
	require.Len(t, m.commits, 1)
}

func TestAFolderIsMovedToAnotherLayoutInOneCommitOfCopies(t *testing.T) {
	objects := []object{configMap("a"), configMap("b"), {event.ID{Resource: "services", Namespace: "shop", Name: "web"}, "Service"}}
	live := worldOf(objects...)
	m := begun(t, event.DefaultLayout, live)
	foreign := fstest.MapFS{
		"README.md": {Data: []byte("x"), Mode: 0o644}, "docs/images/logo.yaml": {Data: []byte("x"), Mode: 0o644},
		"shop/configmaps/note.txt": {Data: []byte("x"), Mode: 0o644}, "theirs/" + OwnerFile: {Data: []byte("x"), Mode: 0o644},
		"theirs/configmaps/a.yaml": {Data: []byte("x"), Mode: 0o644},
	}
	maps.Copy(m.folder("prod"), foreign)
	m.policy.Adopt = true
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Len(t, m.commits, 2)
	commit := m.commits[1]
	require.Equal(t, "Move 3 files in clusters/prod to the layout by-type/v1\n", commit.Message)
	require.Len(t, commit.Changes, 7)
	for _, c := range commit.Changes[:6] {
		require.True(t, c.Remove != (c.From != ""), "%v", c)
		require.Nil(t, c.Data)
	}
	require.Equal(t, OwnerFile, commit.Changes[6].Path)
	require.Contains(t, m.ownerFile(), "layout: by-type/v1\n")
	require.NotContains(t, m.ownerFile(), "former")
	require.Equal(t, 3, m.last().Moved)
	require.Zero(t, m.last().Removed)
	require.Nil(t, m.last().Held)
	require.Equal(t, slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(foreign)), pathsOf(event.ByTypeLayout, objects...)...))), m.names("prod"))
	for path, file := range foreign {
		require.Same(t, file, m.folder("prod")[path])
	}
	for _, adopt := range []bool{true, false} {
		m.policy.Adopt = adopt
		require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
		require.Len(t, m.commits, 2, "nothing is left to be done")
	}
}

func TestFilesThatAreMovedAreNoDeletions(t *testing.T) {
	live := worldOf()
	var objects []object
	for i := range 40 {
		objects = append(objects, configMap(fmt.Sprint("n", i)))
		live.live[objects[i].ID] = objects[i]
	}
	m := begun(t, event.DefaultLayout, live)
	m.policy = Policy{Adopt: true}
	for _, gone := range objects[:15] { // more than ten, and less than half
		delete(live.live, gone.ID)
	}
	require.NoError(t, live.sync(t, m.writer(t, event.FlatLayout("shop"))))
	require.Nil(t, m.last().Held)
	require.Equal(t, 25, m.last().Moved)
	require.Equal(t, 15, m.last().Removed)
	require.Equal(t, pathsOf(event.FlatLayout("shop"), objects[15:]...), m.names("prod"))
	require.NotContains(t, m.ownerFile(), "former")
}

func TestWhatTheLimitHoldsStaysWhereItWasUntilItIsApproved(t *testing.T) {
	live := worldOf()
	var objects []object
	for i := range 40 {
		objects = append(objects, configMap(fmt.Sprint("n", i)))
		live.live[objects[i].ID] = objects[i]
	}
	m := begun(t, event.DefaultLayout, live)
	m.policy = Policy{Adopt: true}
	for _, gone := range objects[:30] {
		delete(live.live, gone.ID)
	}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, 30, m.last().Held.Count)
	want := slices.Sorted(slices.Values(append(pathsOf(event.DefaultLayout, objects[:30]...), pathsOf(event.ByTypeLayout, objects[30:]...)...)))
	require.Equal(t, want, m.names("prod"))
	require.Contains(t, m.ownerFile(), "former: default/v1\n")
	m.policy = Policy{} // the adoption is used up
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, 30, m.last().Held.Count)
	m.policy = Policy{Approval: orphan.Approval{Seen: &m.last().Held.Found}}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, pathsOf(event.ByTypeLayout, objects[30:]...), m.names("prod"))
	require.NotContains(t, m.ownerFile(), "former")
}

func TestATypeThatIsNotListedIsMovedWhenItIs(t *testing.T) {
	service := object{event.ID{Resource: "services", Namespace: "shop", Name: "web"}, "Service"}
	dead := object{event.ID{Resource: "services", Namespace: "shop", Name: "dead"}, "Service"}
	live := worldOf(configMap("a"), service, dead)
	m := begun(t, event.DefaultLayout, live)
	m.policy.Adopt = true
	live.listed = []string{"configmaps", "pods"}
	for range 2 {
		require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
		require.Equal(t, []string{"configmaps/shop/a.yaml", "shop/services/dead.yaml", "shop/services/web.yaml"}, m.names("prod"))
		require.Contains(t, m.ownerFile(), "former: default/v1\n")
	}
	require.Len(t, m.commits, 2)
	m.policy.Adopt = false
	delete(live.live, dead.ID)
	require.NoError(t, m.writer(t, event.ByTypeLayout).Handle(t.Context(), batch(dead.remove())), "a deletion that a watch tells")
	require.Equal(t, []string{"configmaps/shop/a.yaml", "shop/services/web.yaml"}, m.names("prod"))
	live.listed = []string{"configmaps", "pods", "services"}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml", "services/shop/web.yaml"}, m.names("prod"))
	require.NotContains(t, m.ownerFile(), "former")
}

func TestPathsThatTwoLayoutsShareKeepTheirObjects(t *testing.T) {
	pod := object{event.ID{Resource: "pods", Namespace: "services", Name: "x"}, "Pod"}
	service := object{event.ID{Resource: "services", Namespace: "pods", Name: "x"}, "Service"}
	both := object{event.ID{Resource: "pods", Namespace: "pods", Name: "x"}, "Pod"}
	alone := object{event.ID{Resource: "pods", Namespace: "services", Name: "alone"}, "Pod"}
	live := worldOf(pod, service, both, alone)
	m := begun(t, event.DefaultLayout, live)
	m.policy.Adopt = true
	for range 2 {
		require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
		for _, o := range live.live {
			require.Equal(t, o.manifest(), string(m.folder("prod")[event.ByTypeLayout.Path(event.Resource{ID: o.ID})].Data))
		}
		require.Len(t, m.names("prod"), 4)
		require.NotContains(t, m.ownerFile(), "former")
	}
}

func TestAFileThatTwoLayoutsCouldHaveWrittenStaysWhileOneOfThemMayMeanALivingObject(t *testing.T) {
	pod := object{event.ID{Resource: "pods", Namespace: "services", Name: "x"}, "Pod"}
	service := object{event.ID{Resource: "services", Namespace: "pods", Name: "y"}, "Service"}
	for name, opaque := range map[string]bool{"it says what it is": false, "it is encrypted": true} {
		live := worldOf(pod, service)
		m := begun(t, event.DefaultLayout, live)
		m.policy.Adopt = true
		if opaque {
			m.folder("prod")["pods/services/y.yaml"].Data = []byte("\x00opaque")
		}
		live.listed = []string{"configmaps", "pods"} // else the file is that of a dead pod
		require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
		require.Equal(t, []string{"pods/services/x.yaml", "pods/services/y.yaml"}, m.names("prod"), name)
		live.listed = []string{"configmaps", "pods", "services"}
		require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
		require.Equal(t, []string{"pods/services/x.yaml", "services/pods/y.yaml"}, m.names("prod"), name)
		require.NotContains(t, m.ownerFile(), "former")
	}
}

func TestAnOrphanGoesAlthoughTheFormerLayoutCouldHaveWrittenItToo(t *testing.T) {
	service := object{event.ID{Resource: "services", Namespace: "shop", Name: "web"}, "Service"}
	live := worldOf(configMap("a"), configMap("b"), service)
	live.blind = true
	m := begun(t, event.DefaultLayout, live)
	m.policy.Adopt = true
	live.listed = []string{"configmaps", "pods"} // so the former layout is not forgotten
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	delete(live.live, configMap("b").ID)
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml", "shop/services/web.yaml"}, m.names("prod"))
	require.Contains(t, m.ownerFile(), "former: default/v1\n")
}

func TestASecretIsMovedAsItIsEncrypted(t *testing.T) {
	sink := &memorySink{}
	enc := &reverser{}
	adopting := func(layout event.Layout) *WriterOptions {
		return &WriterOptions{Encryptor: enc, Layout: layout, Policy: func(destination.Destination) Policy { return Policy{Adopt: true} }}
	}
	w, _ := newTestWriter(t, sink, adopting(nil))
	require.NoError(t, w.Handle(t.Context(), batch(secretOf("s", "plain"), secretOf("t", "plain"), secretOf("u", "plain"))))
	stored := string(sink.folder("prod")["ns/secrets/s.yaml"].Data)
	secrets := event.NewInventory([]event.Collection{{Resource: "secrets", All: true}}, func(event.Collection) ([]event.Resource, error) {
		return []event.Resource{secretOf("s", "").Resource, secretOf("t", "").Resource, secretOf("u", "").Resource}, nil
	})
	w, _ = newTestWriter(t, sink, adopting(event.ByTypeLayout))
	seed := event.Event{Destination: to("prod"), Operation: event.SeedSync, Inventory: secrets}
	require.NoError(t, w.Handle(t.Context(), batch(
		secretOf("s", "plain"), secretOf("t", "other"), secretOf("u", "other"), secretOf("u", "plain"), seed)))
	require.Equal(t, []string{"secrets/ns/s.yaml", "secrets/ns/t.yaml", "secrets/ns/u.yaml"}, sink.names("prod"))
	require.Equal(t, stored, string(sink.folder("prod")["secrets/ns/s.yaml"].Data), "it is not encrypted anew")
	for name, plain := range map[string]string{"t": "other", "u": "plain"} {
		same, err := enc.Same(t.Context(), event.Plaintext{Content: []byte(plain), Stored: sink.folder("prod")["secrets/ns/"+name+".yaml"].Data})
		require.NoError(t, err)
		require.True(t, same, name)
	}
}

func TestWhatStandsInTheWayOfAMoveIsLeftAndReported(t *testing.T) {
	live := worldOf(configMap("a"), configMap("b"))
	m := begun(t, event.DefaultLayout, live)
	m.policy.Adopt = true
	m.folder("prod")["configmaps/shop/a.yaml/theirs"] = &fstest.MapFile{Data: []byte("x")}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml/theirs", "configmaps/shop/b.yaml", "shop/configmaps/a.yaml"}, m.names("prod"))
	require.Equal(t, 1, m.last().SkippedCount)
	require.Contains(t, m.ownerFile(), "former: default/v1\n")
	delete(m.folder("prod"), "configmaps/shop/a.yaml/theirs")
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml", "configmaps/shop/b.yaml"}, m.names("prod"))
	require.NotContains(t, m.ownerFile(), "former")
}

func TestALayoutThatIsNotKnownIsNamedBeforeItsFilesAreMoved(t *testing.T) {
	live := worldOf(configMap("a"))
	m := begun(t, renamed{event.FlatLayout("shop")}, live)
	for _, adopt := range []bool{false, true} {
		m.policy.Adopt = adopt
		err := live.sync(t, m.writer(t, event.ByTypeLayout))
		require.ErrorIs(t, err, ErrOwned)
		require.ErrorContains(t, err, `"renamed"`)
		require.ErrorContains(t, err, "WriterOptions.Layouts")
	}
	m.options.Layouts = []event.Layout{renamed{event.FlatLayout("shop")}}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml"}, m.names("prod"))
}

func TestUncoveredFilesOfAFormerLayoutCanBePruned(t *testing.T) {
	old := object{event.ID{Resource: "widgets", Namespace: "shop", Name: "w"}, "Widget"}
	live := worldOf(configMap("a"))
	m := begun(t, event.DefaultLayout, live)
	m.folder("prod")["shop/widgets/w.yaml"] = &fstest.MapFile{Data: []byte(old.manifest())}
	m.folder("prod")["docs/images/logo.yaml"] = &fstest.MapFile{Data: []byte("theirs")}
	m.policy = Policy{Adopt: true}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Contains(t, m.ownerFile(), "former: default/v1\n", "a file of ours is left")
	require.Contains(t, m.last().Uncovered.Sample, "shop/widgets/w.yaml")
	m.policy = Policy{Prune: &orphan.Approval{All: true}}
	require.NoError(t, live.sync(t, m.writer(t, event.ByTypeLayout)))
	require.Equal(t, []string{"configmaps/shop/a.yaml", "docs/images/logo.yaml"}, m.names("prod"))
	require.NotContains(t, m.ownerFile(), "former")
}

func TestACopyOfABranchMayHaveAnUnknownLayout(t *testing.T) {
	live := worldOf(configMap("a"))
	m := begun(t, renamed{event.FlatLayout("shop")}, live)
	copied, err := decodeOwner([]byte(m.ownerFile()))
	require.NoError(t, err)
	copied.Branch = "elsewhere"
	m.folder("prod")[OwnerFile].Data = copied.encode()
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	require.Equal(t, []string{"configmaps_a.yaml", "shop/configmaps/a.yaml"}, m.names("prod"))
	require.False(t, m.last().Adopted)
}

func TestTheOwnerFileHoldsAllFormerLayoutsThatItNames(t *testing.T) {
	us := owner{Source: "a", Layout: "template/v1/" + strings.Repeat("x", 200)}
	for i := range 50 {
		them := us
		us.Layout = fmt.Sprint(i, strings.Repeat("y", 200))
		us.Former = us.formerOf(them)
		require.LessOrEqual(t, len(us.encode()), maxOwnerFile)
		require.NotContains(t, us.Former, us.Layout)
		require.True(t, strings.HasPrefix(us.Former, them.Layout))
		again, err := decodeOwner(us.encode())
		require.NoError(t, err)
		require.Equal(t, us, again)
	}
}

// flaky is a folder of which some pushes fail, before or after they have landed.
type flaky struct {
	*movable
	draw *rand.Rand
}

func (f flaky) Apply(ctx context.Context, d destination.Destination, plan Plan) (Result, error) {
	switch f.draw.IntN(4) {
	case 0:
		if tree, err := FolderTree(f.folder("prod")); err == nil {
			_, _ = plan(ctx, tree) // and the push is lost
		}
		return Result{}, ErrUnavailable
	case 1:
		if _, err := f.movable.Apply(ctx, d, plan); err != nil {
			return Result{}, err
		}
		return Result{}, ErrUnknown // it has landed
	}
	return f.movable.Apply(ctx, d, plan)
}

// Whatever layouts follow each other, whatever is listed when, whichever pushes fail and whoever
// dies meanwhile: in the end each living object has its file at its path, and no more is ours.
func TestWhateverHappensOnTheWayAMoveEndsWithEachFileAtItsPath(t *testing.T) {
	layouts := []event.Layout{event.DefaultLayout, event.ByTypeLayout, event.FlatLayout("shop"), event.FlatLayout("pods")}
	template, err := event.ParseLayout("{namespace}/{group}/{resource}/{name}.yaml")
	require.NoError(t, err)
	layouts = append(layouts, template)
	names := []string{"shop", "pods", "services", "configmaps"}
	kinds := map[string]string{"pods": "Pod", "services": "Service", "configmaps": "ConfigMap"}
	seed := testsize.Seed(t)
	for round := range (testsize.Sizes{Short: 50, Usual: 300, Long: 600, Soak: 3000}).Pick() {
		draw := rand.New(rand.NewPCG(seed, uint64(round)))
		anyObject := func() object {
			resource := names[1+draw.IntN(3)]
			return object{event.ID{Resource: resource, Namespace: names[draw.IntN(4)], Name: names[draw.IntN(4)]}, kinds[resource]}
		}
		live := worldOf()
		for range 12 {
			o := anyObject()
			live.live[o.ID] = o
		}
		layout := layouts[draw.IntN(len(layouts))]
		m := begun(t, layout, live)
		m.folder("prod")["README.md"] = &fstest.MapFile{Data: []byte("theirs")}
		m.policy = Policy{Adopt: true, Orphans: orphan.Options{MaxFiles: -1}}
		for range 6 {
			layout = layouts[draw.IntN(len(layouts))]
			live.listed = slices.DeleteFunc([]string{"configmaps", "pods", "services"}, func(string) bool { return draw.IntN(4) == 0 })
			w, err := NewWriter(flaky{m, draw}, "cluster-1", &WriterOptions{Policy: func(destination.Destination) Policy {
				p := m.policy
				p.Layout = layout
				return p
			}})
			require.NoError(t, err)
			for range draw.IntN(4) {
				if o := anyObject(); draw.IntN(2) == 0 {
					live.live[o.ID] = o
				} else if _, lives := live.live[o.ID]; lives {
					delete(live.live, o.ID)
					if draw.IntN(2) == 0 {
						_ = w.Handle(t.Context(), batch(o.remove()))
					}
				}
				_ = live.sync(t, w)
			}
		}
		live.listed = []string{"configmaps", "pods", "services"}
		for range 2 { // once for what was in doubt
			require.NoError(t, live.sync(t, m.writer(t, layout)))
		}
		want := pathsOf(layout, slices.Collect(maps.Values(live.live))...)
		require.Equal(t, slices.Sorted(slices.Values(append(want, "README.md"))), m.names("prod"), "round %d, %s", round, layout.Name())
		for _, o := range live.live {
			require.Equal(t, o.manifest(), string(m.folder("prod")[layout.Path(event.Resource{ID: o.ID})].Data), "round %d", round)
		}
		require.False(t, strings.Contains(m.ownerFile(), "former"), "round %d: %s", round, m.ownerFile())
		commits := len(m.commits)
		require.NoError(t, live.sync(t, m.writer(t, layout)))
		require.Len(t, m.commits, commits, "round %d", round)
	}
}
