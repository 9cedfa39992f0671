package source

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// listings notes what is listed from now on: type, and namespace if it is one. What the labels of
// namespaces need is left out, and so are questions for the clock.
func (f *fixture) listings() (taken func() []string) {
	var mu sync.Mutex
	var seen []string
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Page == 1 && r.Resource.Resource != "namespaces" && r.Options.FieldSelector == "" {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, r.Resource.Resource+"/"+r.Namespace)
		}
		return nil
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		got := slices.Sorted(slices.Values(seen))
		seen = nil
		return got
	}
}

func service(namespace, name string) *unstructured.Unstructured {
	return newObject("v1", "Service", namespace, name, map[string]any{"spec": map[string]any{"type": "ClusterIP"}})
}

func TestARuleChangeListsOnlyWhatItChanges(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 1})
	for _, ns := range []string{"one", "two", "three"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"), service(ns, "s"))
	}
	prod, dev, old := spec("prod", "main"), spec("dev", "dev"), spec("old", "old")
	services := rule("services", "prod", "services")
	maps := inNamespaces("dev", "one", "two")
	f.setRules([]destination.Spec{prod, dev, old}, append(maps, services, rule("old", "old", "services"))...)
	f.seeded("prod", "dev", "old")
	listed := f.listings()

	t.Run("a destination less needs no listing", func(t *testing.T) {
		f.setRules([]destination.Spec{prod, dev}, append(maps, services)...)
		require.Eventually(t, func() bool { _, ok := f.watcher.Status(ref("old")); return !ok }, wait, tick)
		f.apply(service("one", "new"))
		require.Equal(t, "CREATE services/one/new for default/prod", f.next().String())
		require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Idle() }, wait, tick)
		require.Empty(t, listed())
	})
	t.Run("a rule for one namespace more lists that namespace", func(t *testing.T) {
		maps = inNamespaces("dev", "one", "two", "three")
		f.setRules([]destination.Spec{prod, dev}, append(maps, services)...)
		require.Equal(t, []string{"UPDATE configmaps/three/a for default/dev", "SEED_SYNC for default/dev"}, f.seeded("dev"))
		require.Equal(t, []string{"configmaps/three"}, listed())
	})
	t.Run("a rule less takes no file away, and deletes of its objects are no longer sent", func(t *testing.T) {
		maps = inNamespaces("dev", "one", "two")
		f.setRules([]destination.Spec{prod, dev}, append(maps, services)...)
		e := f.next()
		require.Equal(t, event.SeedSync, e.Operation)
		scopes, _ := view(t, e)
		require.Len(t, scopes, 2)
		require.NoError(t, f.cluster.Delete(configMaps, "three", "a"))
		require.NoError(t, f.cluster.Delete(configMaps, "two", "a"))
		require.Equal(t, "DELETE configmaps/two/a for default/dev", f.next().String())
		require.Contains(t, f.files, "dev configmaps/three/a")
		require.Subset(t, []string{"configmaps/three"}, listed())
	})
	t.Run("a branch that changes lists what its destination wants", func(t *testing.T) {
		moved := spec("prod", "other")
		clear(f.files) // that branch has none
		f.setRules([]destination.Spec{moved, dev}, append(maps, services)...)
		got := f.seeded("prod")
		require.Len(t, got, 5, "%q", got)
		require.Equal(t, []string{"services/"}, listed())
	})
}

func TestLabelsOfANamespaceListOnlyWhatTheyMove(t *testing.T) {
	f := newFixture(t, -1, nil)
	team := newObject("v1", "Namespace", "", "team", map[string]any{})
	f.apply(team, newObject("v1", "Namespace", "", "other", map[string]any{}))
	f.apply(configMap("team", "a", "1"), configMap("other", "a", "1"), service("team", "s"))
	selective := rule("maps", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	f.setRules([]destination.Spec{spec("prod", "main")}, selective, rule("services", "prod", "services"))
	f.seeded("prod")
	listed := f.listings()
	label := func(labels map[string]string) {
		team.SetLabels(labels)
		f.apply(team)
	}
	label(map[string]string{"env": "prod"})
	require.Equal(t, []string{"UPDATE configmaps/team/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
	require.Equal(t, []string{"configmaps/team"}, listed())
	label(map[string]string{"env": "prod", "unheard": "of"})
	label(nil)
	require.Equal(t, []string{"DELETE configmaps/team/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
	require.Equal(t, []string{"configmaps/team"}, listed())
}

// A destination begins to want a namespace whose files are there already, from an earlier life of
// its rule. Between the change of rules and the listing a plan runs.
func TestNothingIsSweptOfANamespaceThatHasStillToBeListed(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 1})
	for _, ns := range []string{"one", "two", "three"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two")...)
	f.seeded("prod")
	release, reached := make(chan struct{}), make(chan struct{})
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Namespace == "three" {
			close(reached)
			return &clustertest.Fault{Hold: release}
		}
		return nil
	})
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two", "three")...)
	<-reached
	st, _ := f.watcher.Status(ref("prod"))
	require.False(t, st.Idle())
	scopes, _ := view(t, event.Event{Inventory: f.inventory("prod")})
	require.ElementsMatch(t, []event.Collection{{Resource: "configmaps", Namespace: "one"}, {Resource: "configmaps", Namespace: "two"}}, scopes)
	close(release)
	f.seeded("prod")
	scopes, living := view(t, event.Event{Inventory: f.inventory("prod")})
	require.Len(t, scopes, 3)
	require.Len(t, living, 3)
}

// A namespace is being listed anew when rules change once more: what was listed before that has to
// be listed again.
func TestANamespaceThatIsBeingListedAnewIsListedOnceMoreForRulesThatComeMeanwhile(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 1})
	for _, ns := range []string{"one", "two", "three"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		f.apply(configMap("three", name, "1"))
	}
	specs := []destination.Spec{spec("prod", "main"), spec("dev", "dev")}
	prod := inNamespaces("prod", "one", "two")
	f.setRules(specs, prod...)
	f.seeded("prod", "dev")
	release, reached := make(chan struct{}), make(chan struct{})
	var first sync.Once
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Namespace == "three" && r.Page == 2 {
			first.Do(func() { close(reached) })
			return &clustertest.Fault{Hold: release}
		}
		return nil
	})
	prod = inNamespaces("prod", "one", "two", "three")
	f.setRules(specs, prod...)
	<-reached
	f.setRules(specs, append(prod, inNamespaces("dev", "three")...)...)
	require.Eventually(t, func() bool {
		f.watcher.mu.RLock()
		defer f.watcher.mu.RUnlock()
		return f.watcher.ledger.observed == f.watcher.ledger.desired.Load()
	}, wait, tick)
	close(release)
	f.seeded("prod", "dev")
	require.Len(t, f.files, 8)
}

// A rule goes; before discovery has told what the rest comes to, an object changes that it alone
// had selected.
func TestAnObjectThatNoRuleWantsAnyMoreIsNotTakenForDeletedBeforeDiscoveryAnswers(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 1})
	for _, ns := range []string{"one", "two", "three"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two", "three")...)
	f.seeded("prod")
	release := make(chan struct{})
	asked := make(chan struct{}, 100)
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" {
			asked <- struct{}{}
			return &clustertest.Fault{Hold: release}
		}
		return nil
	})
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two")...)
	<-asked
	f.apply(configMap("three", "a", "2"), configMap("one", "a", "2"))
	require.Equal(t, "UPDATE configmaps/one/a for default/prod", f.next().String())
	close(release)
	require.Equal(t, event.SeedSync, f.next().Operation)
	require.Len(t, f.files, 3)
}

// The listing of a namespace overtakes the watch: what the watch then says of the time before must
// not come through.
func TestAWatchThatIsBehindAListingOfTheNamespaceIsNotHeard(t *testing.T) {
	r := &reflector{listedAt: map[string]string{"team": "20"}}
	at := func(namespace, version string) *object {
		obj := configMap(namespace, "a", "1")
		obj.SetResourceVersion(version)
		return read(t, obj)
	}
	require.True(t, r.overtaken(at("team", "9")))
	require.True(t, r.overtaken(at("team", "20")))
	require.False(t, r.overtaken(at("other", "9")))
	require.False(t, r.overtaken(at("team", "100")))
	require.Empty(t, r.listedAt)
	r.listedAt["team"] = "20"
	require.False(t, r.overtaken(at("team", "opaque")), "nobody knows")
}

func TestAForbiddenWatchOfAllNamespacesDoesNotStarveRulesOfSingleOnes(t *testing.T) {
	f := newFixture(t, -1, &Options{Rediscover: time.Hour})
	for _, ns := range []string{"one", "two"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
	}
	var forbidden atomic.Bool
	forbidden.Store(true)
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if forbidden.Load() && r.Resource == configMaps && r.Namespace == "" {
			return &clustertest.Fault{Error: apierrors.NewForbidden(configMaps.GroupResource(), "", nil)}
		}
		return nil
	})
	rules := append(inNamespaces("dev", "one"), rule("prod", "prod", "configmaps"))
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rules...)
	for len(f.files) < 2 {
		f.next()
	}
	require.Contains(t, f.files, "dev configmaps/one/a")
	require.Contains(t, f.files, "prod configmaps/one/a", "what is allowed goes to the cluster rule's destination, too")
	require.Eventually(t, func() bool {
		prod, _ := f.watcher.Status(ref("prod"))
		dev, _ := f.watcher.Status(ref("dev"))
		return dev.Complete == dev.Streams && prod.Complete == 1 && len(prod.Incomplete) == 1 && apierrors.IsForbidden(prod.Incomplete[0].Err)
	}, wait, tick)
	require.NoError(t, f.cluster.Delete(configMaps, "one", "a"))
	for len(f.files) > 0 {
		f.next()
	}
	forbidden.Store(false)
	for f.files["prod configmaps/two/a"] == "" {
		f.next()
	}
	require.Eventually(t, func() bool {
		prod, _ := f.watcher.Status(ref("prod"))
		return prod.Streams == 1 && prod.Complete == 1
	}, wait, tick)
}

// Objects of a type that may not be read any more wait; all others are fetched, and the destination
// is swept.
func TestObjectsThatCannotBeFetchedHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), service("default", "s"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps", "services"))
	f.seeded("prod")
	f.lines.setRoom(0)
	changed := service("default", "s")
	changed.SetLabels(map[string]string{"changed": "yes"})
	f.apply(configMap("default", "a", "2"), changed)
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Waiting == 2 }, wait, tick)
	var forbidden atomic.Bool
	forbidden.Store(true)
	services := configMaps.GroupVersion().WithResource("services")
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if forbidden.Load() && r.Resource == services {
			return &clustertest.Fault{Error: apierrors.NewForbidden(services.GroupResource(), "", nil)}
		}
		return nil
	})
	f.cluster.CutWatches(services.GroupResource())
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return len(st.Incomplete) == 1 }, wait, tick)
	require.NoError(t, f.watcher.Sweep(ref("prod")))
	f.lines.setRoom(-1)
	require.Equal(t, []string{"UPDATE configmaps/default/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
	st, _ := f.watcher.Status(ref("prod"))
	require.Equal(t, 1, st.Waiting)
	forbidden.Store(false)
	got := f.seeded("prod")
	require.Equal(t, []string{"UPDATE services/default/s for default/prod", "SEED_SYNC for default/prod"}, got)
}

func TestARuleThatChangesInItsOneNamespaceIsAskedAgain(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(newObject("v1", "Namespace", "", "one", map[string]any{}), configMap("one", "a", "1"))
	rules := inNamespaces("prod", "one")
	f.setRules([]destination.Spec{spec("prod", "main")}, rules...)
	f.seeded("prod")
	rules[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mirror": "yes"}}
	f.setRules([]destination.Spec{spec("prod", "main")}, rules...)
	require.Equal(t, []string{"DELETE configmaps/one/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
}

// forbid has a type refused, in one namespace or in all ("").
func (f *fixture) forbid(resource, namespace string) (allow func()) {
	return f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Resource.Resource == resource && r.Namespace == namespace {
			return &clustertest.Fault{Error: apierrors.NewForbidden(r.Resource.GroupResource(), "", nil)}
		}
		return nil
	})
}

func (f *fixture) idle(to string) func() bool {
	return func() bool { st, _ := f.watcher.Status(ref(to)); return st.Idle() }
}

func TestAForbiddenListingOfARelabelledNamespaceHoldsUpNoSweep(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	team := newObject("v1", "Namespace", "", "team", map[string]any{})
	f.apply(team, configMap("team", "a", "1"))
	selective := rule("maps", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	f.setRules([]destination.Spec{spec("prod", "main")}, selective)
	f.seeded("prod")
	allowOne, allow := f.forbid("configmaps", "team"), f.forbid("configmaps", "")
	team.SetLabels(map[string]string{"env": "prod"})
	f.apply(team)
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return len(st.Incomplete) == 1 }, wait, tick)
	require.NoError(t, f.watcher.Sweep(ref("prod")))
	scopes, _ := view(t, f.next())
	require.Empty(t, scopes)
	allowOne()
	allow()
	require.Equal(t, []string{"UPDATE configmaps/team/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
	require.Eventually(t, f.idle("prod"), wait, tick)
}

func TestARelabelledNamespaceOfAForbiddenWatchIsNotWaitedFor(t *testing.T) {
	f := newFixture(t, -1, nil)
	one := newObject("v1", "Namespace", "", "one", map[string]any{})
	two := newObject("v1", "Namespace", "", "two", map[string]any{})
	f.apply(one, two, configMap("one", "a", "1"))
	f.forbid("configmaps", "")
	selective := rule("prod", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, append(inNamespaces("dev", "one"), selective)...)
	for f.files["dev configmaps/one/a"] == "" {
		f.next()
	}
	require.Eventually(t, func() bool { f.takeAll(); return f.idle("prod")() }, wait, tick)
	for _, ns := range []*unstructured.Unstructured{one, two} {
		ns.SetLabels(map[string]string{"env": "prod"})
		f.apply(ns)
	}
	for f.files["prod configmaps/one/a"] == "" {
		f.next()
	}
	require.Eventually(t, func() bool { f.takeAll(); return f.idle("prod")() }, wait, tick)
}

// The last objects of a type go, and the type with them, while the destination has no room.
func TestADeleteThatWaitsIsSentAlthoughItsTypeHasGone(t *testing.T) {
	for _, asked := range []bool{true, false} {
		f := newFixture(t, -1, nil)
		require.NoError(t, f.cluster.AddType(clustertest.Type{Group: "example.com", Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}))
		widgets := configMaps.GroupVersion().WithResource("widgets")
		widgets.Group = "example.com"
		f.apply(newObject("example.com/v1", "Widget", "default", "w", map[string]any{}), configMap("default", "a", "1"))
		r := rule("prod", "prod", "widgets", "configmaps")
		r.Resources[0].APIGroups = nil
		f.setRules([]destination.Spec{spec("prod", "main")}, r)
		f.seeded("prod")
		f.lines.setRoom(0)
		require.NoError(t, f.cluster.Delete(widgets, "default", "w"))
		waits := func(n int) func() bool {
			return func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Waiting == n }
		}
		require.Eventually(t, waits(1), wait, tick)
		f.cluster.RemoveType(widgets.GroupResource())
		require.Eventually(t, f.wrong, wait, tick)
		if !asked {
			f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
			require.Eventually(t, waits(0), wait, tick)
		}
		f.lines.setRoom(-1)
		f.seeded("prod")
		_, there := f.files["prod widgets.example.com/default/w"]
		require.Equal(t, !asked, there)
	}
}
