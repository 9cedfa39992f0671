package source

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

func TestEachDestinationGetsItsObjectsAndThenItsSeedSync(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), configMap("default", "b", "1"), configMap("kube-public", "c", "1"))
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
	f.seeded("prod", "dev")
	require.Len(t, f.files, 6)

	f.apply(configMap("default", "a", "2"))
	require.Equal(t, event.Update, f.next().Operation)
	require.Equal(t, event.Update, f.next().Operation)
	require.NoError(t, f.cluster.Delete(configMaps, "default", "b"))
	require.Equal(t, event.Delete, f.next().Operation)
	require.Equal(t, event.Delete, f.next().Operation)
	require.Len(t, f.files, 4)
}

func TestADestinationWithoutASingleObjectGetsItsSeedSync(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "services"))
	e := f.next()
	require.Equal(t, event.SeedSync, e.Operation)
	scopes, living := view(t, e)
	require.Equal(t, []event.Collection{{Resource: "services", All: true}}, scopes)
	require.Empty(t, living)
}

func TestAnUpdateThatChangesNoContentMakesNoEvent(t *testing.T) {
	f := newFixture(t, -1, nil)
	obj := configMap("default", "a", "1")
	f.apply(obj)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	obj.Object["status"] = map[string]any{"seen": "yes"}
	f.apply(obj)
	f.quiet("prod")
}

func TestWhatFindsNoRoomIsSentWhenThereIsRoom(t *testing.T) {
	f := newFixture(t, 2, nil)
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	for _, name := range names {
		f.apply(configMap("default", name, "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Complete == 1 }, wait, tick)
	// The listing is complete although nobody has taken an event yet. What changes now finds no
	// room either.
	f.apply(configMap("default", "a", "2"))
	require.NoError(t, f.cluster.Delete(configMaps, "default", "b"))
	require.Eventually(t, func() bool {
		scopes, living := view(t, event.Event{Inventory: f.inventory("prod")})
		return len(scopes) == 1 && len(living) == len(names)-1
	}, wait, tick)
	f.seeded("prod")
	require.Len(t, f.files, len(names)-1)
	require.Contains(t, f.files["prod configmaps/default/a"], `"2"`)
}

func TestManyObjectsWithoutRoomAreListedNotFetchedOneByOne(t *testing.T) {
	f := newFixture(t, 50, nil)
	const n = fetchMany + 60
	for i := range n {
		f.apply(configMap("default", "cm-"+string(rune('a'+i%26))+string(rune('a'+i/26)), "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Complete == 1 }, wait, tick)
	f.seeded("prod")
	require.Len(t, f.files, n)
	require.Less(t, f.cluster.Requests("get", configMaps.GroupResource()), fetchMany)
}

func TestAnExpiredWatchListsAgainAndFindsWhatWasDeletedMeanwhile(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), configMap("default", "b", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")

	var blocked atomic.Bool
	blocked.Store(true)
	remove := f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if blocked.Load() && r.Resource == configMaps && (r.Verb == "watch" || r.Verb == "list") {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("later")}
		}
		return nil
	})
	defer remove()
	f.cluster.CutWatches(configMaps.GroupResource())
	require.NoError(t, f.cluster.Delete(configMaps, "default", "b"))
	f.apply(configMap("default", "c", "1"))
	f.cluster.Compact()
	blocked.Store(false)
	f.seeded("prod")
	require.Len(t, f.files, 2)
	require.Contains(t, f.files, "prod configmaps/default/c")
}

func TestAForbiddenTypeIsNeitherSweptNorHoldsUpTheOthers(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"))
	var forbidden atomic.Bool
	forbidden.Store(true)
	remove := f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if forbidden.Load() && r.Verb == "list" && r.Resource.Resource == "services" {
			return &clustertest.Fault{Error: apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "", nil)}
		}
		return nil
	})
	defer remove()
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps", "services"))
	e := f.next()
	require.Equal(t, "configmaps/default/a", e.Resource.ID.String())
	e = f.next()
	require.Equal(t, event.SeedSync, e.Operation)
	scopes, _ := view(t, e)
	require.Equal(t, []event.Collection{{Resource: "configmaps", All: true}}, scopes)
	st, _ := f.watcher.Status(ref("prod"))
	require.Len(t, st.Incomplete, 1)
	require.True(t, apierrors.IsForbidden(st.Incomplete[0].Err))

	forbidden.Store(false)
	scopes, _ = view(t, f.next())
	require.Len(t, scopes, 2)
}

func TestAListingThatBreaksOffOnAnyPageIsNeverComplete(t *testing.T) {
	t.Parallel()
	for page := 1; page <= 4; page++ {
		f := newFixture(t, -1, nil)
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			f.apply(configMap("default", name, "1"))
		}
		var failed atomic.Int32
		f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
			if r.Verb == "list" && r.Resource == configMaps && r.Page == page && failed.Add(1) == 1 {
				return &clustertest.Fault{Error: apierrors.NewInternalError(errExpired)}
			}
			return nil
		})
		f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
		complete := false
		for !complete {
			e := f.next()
			if e.Operation != event.SeedSync {
				continue
			}
			scopes, living := view(t, e)
			complete = len(scopes) == 1
			if complete {
				require.Len(t, living, 10, "page %d", page)
			}
		}
		f.stop()
		f.stop = func() {}
	}
}

func TestAnObjectThatIsBeingDeletedCountsAsDeleted(t *testing.T) {
	f := newFixture(t, -1, nil)
	obj := configMap("default", "a", "1")
	obj.SetFinalizers([]string{"example.com/wait"})
	f.apply(obj)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	require.NoError(t, f.cluster.Delete(configMaps, "default", "a"))
	require.Equal(t, "DELETE configmaps/default/a for default/prod", f.next().String())
	f.quiet("prod")
}

func TestASecretIsRefusedAndNamedAndStaysAlive(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(newObject("v1", "Secret", "default", "s", map[string]any{"data": map[string]any{"password": "aHVudGVyMg=="}}))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "secrets"))
	e := f.next()
	require.Equal(t, event.SeedSync, e.Operation)
	_, living := view(t, e)
	require.Equal(t, []string{"secrets/default/s"}, living)
	st, _ := f.watcher.Status(ref("prod"))
	require.Len(t, st.Refused, 1)
	require.ErrorIs(t, st.Refused[0].Err, event.ErrSecret)
	require.NotContains(t, st.Refused[0].Err.Error(), "aHVudGVyMg")
}

func TestAnObjectThatLeavesTheSelectorIsDeleted(t *testing.T) {
	f := newFixture(t, -1, nil)
	obj := configMap("default", "a", "1")
	obj.SetLabels(map[string]string{"mirror": "yes"})
	f.apply(obj)
	r := rule("prod", "prod", "configmaps")
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mirror": "yes"}}
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	f.seeded("prod")
	obj.SetLabels(nil)
	f.apply(obj)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", f.next().String())
}

func TestANamespaceWhoseLabelsChangeMovesItsObjects(t *testing.T) {
	f := newFixture(t, -1, nil)
	ns := newObject("v1", "Namespace", "", "team", map[string]any{})
	f.apply(ns)
	f.apply(configMap("team", "a", "1"))
	r := rule("prod", "prod", "configmaps")
	r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	f.seeded("prod")
	require.Empty(t, f.files)
	ns.SetLabels(map[string]string{"env": "prod"})
	f.apply(ns)
	require.Equal(t, "UPDATE configmaps/team/a for default/prod", f.next().String())
	f.seeded("prod")
	ns.SetLabels(nil)
	f.apply(ns)
	require.Equal(t, "DELETE configmaps/team/a for default/prod", f.next().String())
}

func TestATypeThatAppearsLaterIsFollowed(t *testing.T) {
	f := newFixture(t, -1, nil)
	r := rule("prod", "prod", "widgets")
	r.Resources[0].APIGroups = []string{"example.com"}
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	f.seeded("prod")
	require.True(t, f.wrong(), "the type is missing")
	require.NoError(t, f.cluster.AddType(clustertest.Type{Group: "example.com", Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}))
	f.apply(newObject("example.com/v1", "Widget", "default", "w", map[string]any{"spec": map[string]any{"size": int64(3)}}))
	require.Equal(t, "widgets.example.com/default/w", f.next().Resource.ID.String())
	f.seeded("prod")
	require.False(t, f.wrong())

	// A type that goes away without a word takes nothing with it.
	f.cluster.RemoveType(schema.GroupResource{Group: "example.com", Resource: "widgets"})
	require.Eventually(t, f.wrong, wait, tick)
	require.NoError(t, f.watcher.Resync(ref("prod")))
	scopes, _ := view(t, f.next())
	require.Empty(t, scopes)
}

func TestRulesThatChangeWhileRunning(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), newObject("v1", "Service", "default", "s", map[string]any{"spec": map[string]any{"type": "ClusterIP"}}))
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")},
		rule("prod", "prod", "configmaps", "services"), rule("dev", "dev", "configmaps"))
	f.seeded("prod", "dev")
	require.Len(t, f.files, 3)

	// Services are covered no more: they stay. dev moves to another branch: its old line is
	// forgotten, and it is seeded.
	moved := spec("dev", "other")
	delete(f.files, "dev configmaps/default/a") // that branch has none
	f.setRules([]destination.Spec{spec("prod", "main"), moved}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
	got := f.seeded("prod", "dev")
	require.ElementsMatch(t, []string{"UPDATE configmaps/default/a for default/dev", "SEED_SYNC for default/dev", "SEED_SYNC for default/prod"}, got)
	require.Len(t, f.files, 3)
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	require.Len(t, f.lines.forgotten, 1)
	require.Equal(t, "dev", f.lines.forgotten[0].Branch)
}

func TestASeedSendsWhatDiffersAndNothingElse(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), configMap("default", "b", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	for name, seed := range map[string]func(destination.Ref) error{"Resync": f.watcher.Resync, "Sweep": f.watcher.Sweep} {
		listed := f.listed("configmaps")
		require.NoError(t, seed(ref("prod")))
		require.Len(t, f.seeded("prod"), 1)
		f.files["prod configmaps/default/a"] = "somebody else's"
		require.NoError(t, seed(ref("prod")))
		require.Len(t, f.seeded("prod"), 2)
		delete(f.files, "prod configmaps/default/b")
		require.NoError(t, seed(ref("prod")))
		require.Len(t, f.seeded("prod"), 2)
		require.Contains(t, f.files["prod configmaps/default/a"], "key")
		require.Equal(t, name == "Resync", f.listed("configmaps") > listed, "only a Resync lists")
	}
	require.ErrorIs(t, f.watcher.Resync(ref("nobody")), destination.ErrUnknown)
}

func TestObjectsThatAreGoneBeforeTheirWatchSaysSoAreNotListedInATightLoop(t *testing.T) {
	f := newFixture(t, 1, nil) // for a SeedSync
	f.keepNothing()
	const n = fetchMany + 10
	name := func(i int) string { return fmt.Sprintf("cm-%d", i) }
	for i := range n {
		f.apply(configMap("default", name(i), "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Complete == 1 }, wait, tick)
	require.Eventually(t, func() bool { return f.statusOf("prod").Seeds > 0 }, wait, tick)
	f.lines.setRoom(0)
	f.takeAll()
	require.Equal(t, n, f.statusOf("prod").Waiting)
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "watch" {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("later")}
		}
		return nil
	})
	f.cluster.CutWatches(configMaps.GroupResource())
	for i := range n {
		require.NoError(t, f.cluster.Delete(configMaps, "default", name(i)))
	}
	before := f.listed("configmaps")
	f.lines.mu.Lock()
	f.lines.room = -1
	f.lines.notify()
	f.lines.mu.Unlock()
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Err != nil }, wait, tick)
	require.LessOrEqual(t, f.listed("configmaps")-before, 3)
}
