package gitsink

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/orphan"
)

// built returns the files that the kustomizations list, from that of a folder down, as kustomize
// would read them: what is not there, or is listed twice, is a fault.
func built(files fstest.MapFS, folder string) (paths []string, err error) {
	file, ok := files[join(folder, KustomizationFile)]
	if !ok {
		return nil, fmt.Errorf("%s has no kustomization", folder)
	}
	var k struct{ Resources []string }
	if err := yaml.UnmarshalStrict(file.Data, &map[string]any{}); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(file.Data, &k); err != nil {
		return nil, err
	}
	if len(k.Resources) == 0 || !slices.IsSorted(k.Resources) || len(slices.Compact(slices.Clone(k.Resources))) != len(k.Resources) {
		return nil, fmt.Errorf("%s is empty, not sorted, or has something twice: %v", join(folder, KustomizationFile), k.Resources)
	}
	for _, name := range k.Resources {
		path := join(folder, name)
		if _, is := files[path]; is {
			paths = append(paths, path)
			continue
		}
		below, err := built(files, path)
		if err != nil {
			return nil, err
		}
		paths = append(paths, below...)
	}
	slices.Sort(paths)
	return paths, nil
}

// kustomized returns a folder with a layout and kustomizations.
func kustomized(t *testing.T, layout event.Layout, w *world) *movable {
	t.Helper()
	m := &movable{memorySink: &memorySink{}, policy: Policy{Kustomization: true, Adopt: true}}
	require.NoError(t, w.sync(t, m.writer(t, layout)))
	return m
}

func (m *movable) requireBuilt(t *testing.T, want []string, msg ...any) {
	t.Helper()
	got, err := built(m.folder("prod"), "")
	require.NoError(t, err, msg...)
	require.Equal(t, want, got, msg...)
}

func TestAKustomizationListsWhatIsInEachFolder(t *testing.T) {
	service := object{event.ID{Resource: "services", Namespace: "1", Name: "web"}, "Service"}
	live := worldOf(configMap("a"), configMap("kustomization"), service)
	m := kustomized(t, event.DefaultLayout, live)
	m.requireBuilt(t, []string{"1/services/web.yaml", "shop/configmaps/%6Bustomization.yaml", "shop/configmaps/a.yaml"})
	require.Equal(t, kustomizationHead+"- \"1\"\n- \"shop\"\n", string(m.folder("prod")[KustomizationFile].Data))
	require.Len(t, m.commits, 1, "in the commit of the files")
}

func TestACommitThatAddsAndRemovesNoFileReadsAndWritesNoKustomization(t *testing.T) {
	live := worldOf(configMap("a"), configMap("b"))
	m := kustomized(t, event.DefaultLayout, live)
	changed := configMap("a").write()
	changed.Content = event.NewContent([]byte("another\n"))
	tree, err := FolderTree(m.folder("prod"))
	require.NoError(t, err)
	var read [][]string
	run, err := m.writer(t, event.DefaultLayout).plan(t.Context(), to("prod"), reading{tree, &read}, []event.Event{changed})
	require.NoError(t, err)
	require.Empty(t, read)
	require.Len(t, run.commits, 1)
	require.Len(t, run.commits[0].Changes, 1)
	// One more file changes the list of its folder alone; the last of a folder those above.
	require.NoError(t, m.writer(t, event.DefaultLayout).Handle(t.Context(), batch(configMap("c").write())))
	require.Len(t, m.commits[1].Changes, 2)
	m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/configmaps/b.yaml", "shop/configmaps/c.yaml"})
	require.NoError(t, m.writer(t, event.DefaultLayout).Handle(t.Context(), batch(configMap("a").remove(), configMap("b").remove())))
	m.requireBuilt(t, []string{"shop/configmaps/c.yaml"})
	require.NoError(t, m.writer(t, event.DefaultLayout).Handle(t.Context(), batch(configMap("c").remove())))
	require.Empty(t, m.names("prod"), "an empty list is none")
}

func TestASeedReadsNoKustomizationThatIsAsItShouldBe(t *testing.T) {
	live := worldOf(configMap("a"), object{event.ID{Resource: "services", Namespace: "other", Name: "web"}, "Service"})
	m := kustomized(t, event.DefaultLayout, live)
	tree, err := FolderTree(m.folder("prod"))
	require.NoError(t, err)
	var read [][]string
	seed := event.Event{Destination: to("prod"), Operation: event.SeedSync, Inventory: live}
	run, err := m.writer(t, event.DefaultLayout).plan(t.Context(), to("prod"), reading{tree, &read}, []event.Event{seed})
	require.NoError(t, err)
	require.Empty(t, read)
	require.Empty(t, run.commits)
}

func TestAKustomizationOfAnotherOwnerBelowIsNotOurs(t *testing.T) {
	live := worldOf(configMap("a"))
	m := kustomized(t, event.DefaultLayout, live)
	theirs := &fstest.MapFile{Data: []byte(kustomizationHead + "- \"x.yaml\"\n"), Mode: 0o644}
	m.folder("prod")["theirs/"+KustomizationFile] = theirs
	m.folder("prod")["theirs/"+OwnerFile] = &fstest.MapFile{Data: []byte("source: theirs\n"), Mode: 0o644}
	for _, wanted := range []bool{true, false} {
		m.policy = Policy{Kustomization: wanted}
		require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
		require.Same(t, theirs, m.folder("prod")["theirs/"+KustomizationFile])
	}
	require.NotContains(t, m.folder("prod"), KustomizationFile)
}

func TestAKustomizationOfSomebodyElseIsLeftAndReported(t *testing.T) {
	theirs := &fstest.MapFile{Data: []byte("resources: [x.yaml]\n"), Mode: 0o644}
	for _, name := range []string{KustomizationFile, "kustomization.yml", "Kustomization"} {
		live := worldOf(configMap("a"), object{event.ID{Resource: "services", Namespace: "shop", Name: "web"}, "Service"})
		m := &movable{memorySink: &memorySink{}, policy: Policy{Kustomization: true, Adopt: true}}
		m.folder("prod")["shop/configmaps/"+name] = theirs
		require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
		require.Same(t, theirs, m.folder("prod")["shop/configmaps/"+name])
		require.Equal(t, []string{"shop/configmaps/kustomization.yaml"}, m.last().Kustomizations.Sample)
		require.Equal(t, kustomizationHead+"- \"configmaps\"\n- \"services\"\n", string(m.folder("prod")["shop/kustomization.yaml"].Data))
		delete(m.folder("prod"), "shop/configmaps/"+name)
		require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
		require.Nil(t, m.last().Kustomizations)
		m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/services/web.yaml"})
	}
}

func TestKustomizationsAreMadeAndRemovedAsTheyAreWanted(t *testing.T) {
	live := worldOf(configMap("a"), configMap("b"))
	m := begun(t, event.DefaultLayout, live)
	theirs := &fstest.MapFile{Data: []byte("resources: [x.yaml]\n"), Mode: 0o644}
	m.folder("prod")["overlay/"+KustomizationFile] = theirs
	m.folder("prod")["docs/images/logo.yaml"] = theirs
	m.policy = Policy{Kustomization: true}
	require.NoError(t, m.writer(t, event.DefaultLayout).Handle(t.Context(), batch(configMap("c").write())))
	require.NotContains(t, m.folder("prod"), KustomizationFile, "a list of a part would be no list")
	live.live[configMap("c").ID] = configMap("c")
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/configmaps/b.yaml", "shop/configmaps/c.yaml"})
	commits := len(m.commits)
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	require.Len(t, m.commits, commits)
	// What somebody has changed in ours is put right.
	m.folder("prod")["shop/configmaps/"+KustomizationFile].Data = []byte(kustomizationHead + "- \"gone.yaml\"\n")
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/configmaps/b.yaml", "shop/configmaps/c.yaml"})
	require.Equal(t, "Update the kustomizations of clusters/prod\n", m.commits[len(m.commits)-1].Message)
	m.policy = Policy{}
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	require.Equal(t, []string{"docs/images/logo.yaml", "overlay/kustomization.yaml", "shop/configmaps/a.yaml", "shop/configmaps/b.yaml", "shop/configmaps/c.yaml"}, m.names("prod"))
}

func TestNothingFromElsewhereStaysInAList(t *testing.T) {
	live := worldOf(configMap("a"), configMap("b"))
	m := kustomized(t, event.DefaultLayout, live)
	file := m.folder("prod")["shop/configmaps/"+KustomizationFile]
	file.Data = append(slices.Clone(file.Data), "- \"../../theirs\"\n- \"https://host/x\"\n- \"host:x\"\n- \"..\"\n- unquoted\npatches: []\n"...)
	require.NoError(t, m.writer(t, event.DefaultLayout).Handle(t.Context(), batch(configMap("c").write())))
	m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/configmaps/b.yaml", "shop/configmaps/c.yaml"})
}

func TestWhatNoRuleCoversAnyMoreStaysInTheList(t *testing.T) {
	widget := object{event.ID{Resource: "widgets", Namespace: "shop", Name: "w"}, "Widget"}
	live := worldOf(configMap("a"), widget)
	live.listed = append(live.listed, "widgets")
	m := kustomized(t, event.DefaultLayout, live)
	live.listed = []string{"configmaps", "pods", "services"}
	for range 2 {
		require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
		m.requireBuilt(t, []string{"shop/configmaps/a.yaml", "shop/widgets/w.yaml"})
	}
	m.policy.Prune = &orphan.Approval{All: true}
	require.NoError(t, live.sync(t, m.writer(t, event.DefaultLayout)))
	m.requireBuilt(t, []string{"shop/configmaps/a.yaml"})
}

// Whatever comes and goes, moves, fails or is switched off in between: after each push the lists
// are those of the files of ours.
func TestKustomizationsKeepStepWhateverHappens(t *testing.T) {
	layouts := []event.Layout{event.DefaultLayout, event.ByTypeLayout, event.FlatLayout("shop"), event.FlatLayout("pods")}
	names := []string{"shop", "pods", "1", "true"}
	kinds := map[string]string{"pods": "Pod", "services": "Service", "configmaps": "ConfigMap"}
	seed := testsize.Seed(t)
	for round := range (testsize.Sizes{Short: 30, Usual: 60, Long: 300, Soak: 1500}).Pick() {
		draw := rand.New(rand.NewPCG(seed, uint64(round)))
		live := worldOf(configMap("first"))
		m := kustomized(t, layouts[0], live)
		m.policy.Orphans.MaxFiles = -1
		for range 25 {
			layout := layouts[0]
			if draw.IntN(3) == 0 {
				draw.Shuffle(len(layouts), func(i, j int) { layouts[i], layouts[j] = layouts[j], layouts[i] })
				layout = layouts[0]
				_ = live.sync(t, flakyWriter(t, m, draw, layout)) // the move may fail
			}
			w := flakyWriter(t, m, draw, layout)
			resource := slices.Sorted(func(yield func(string) bool) { _ = yield("pods") && yield("services") && yield("configmaps") })[draw.IntN(3)]
			o := object{event.ID{Resource: resource, Namespace: names[draw.IntN(4)], Name: names[draw.IntN(4)]}, kinds[resource]}
			if draw.IntN(2) == 0 {
				live.live[o.ID] = o
				_ = w.Handle(t.Context(), batch(o.write()))
			} else {
				delete(live.live, o.ID)
				_ = w.Handle(t.Context(), batch(o.remove()))
			}
			if files := m.folder("prod"); files[KustomizationFile] != nil {
				_, err := built(files, "")
				require.NoError(t, err, "round %d: the lists name what is there", round)
			}
		}
		require.NoError(t, live.sync(t, m.writer(t, layouts[0])))
		var objects []object
		for _, o := range live.live {
			objects = append(objects, o)
		}
		if len(objects) == 0 {
			require.Empty(t, m.names("prod"), "round %d", round)
			continue
		}
		m.requireBuilt(t, pathsOf(layouts[0], objects...), "round %d", round)
		ours := slices.DeleteFunc(m.names("prod"), func(path string) bool { return strings.HasSuffix(path, KustomizationFile) })
		require.Equal(t, pathsOf(layouts[0], objects...), ours, "round %d", round)
	}
}

// flakyWriter returns a Writer some of whose pushes fail.
func flakyWriter(t *testing.T, m *movable, draw *rand.Rand, layout event.Layout) *Writer {
	t.Helper()
	w, err := NewWriter(flaky{m, draw}, "cluster-1", &WriterOptions{Policy: func(destination.Destination) Policy {
		p := m.policy
		p.Layout = layout
		return p
	}})
	require.NoError(t, err)
	return w
}
