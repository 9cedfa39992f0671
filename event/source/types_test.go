package source

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

func widget(version, namespace, name string) *unstructured.Unstructured {
	return newObject("example.com/"+version, "Widget", namespace, name, map[string]any{"spec": map[string]any{"size": int64(3)}})
}

// onWidgets is a fixture with one ConfigMap and one Widget, both mirrored to prod.
func onWidgets(t *testing.T, versions ...string) *fixture {
	t.Helper()
	f := newFixture(t, -1, nil)
	of := widgets
	of.Versions = versions
	require.NoError(t, f.cluster.AddType(of))
	f.apply(configMap("default", "a", "1"), widget(versions[0], "default", "w"))
	f.setRules([]destination.Spec{spec("prod", "main")}, widgetRule("prod"), rule("maps", "prod", "configmaps"))
	f.seeded("prod")
	require.Len(t, f.files, 2)
	watched := func() bool { return f.cluster.Requests("watch", widgets.GroupResource()) == 1 }
	require.Eventually(t, watched, wait, tick, "a fault must find the watch open")
	return f
}

// complete reports whether all types of a destination are listed and followed, and all is handed
// over.
func (f *fixture) complete(to string) func() bool {
	return func() bool {
		st, _ := f.watcher.Status(ref(to))
		return st.Idle() && st.Complete == st.Streams
	}
}

// swept asks what a sweep of this moment would look at, and requires that it spares what is there.
func (f *fixture) swept() []string {
	f.t.Helper()
	require.NoError(f.t, f.watcher.Sweep(ref("prod")))
	for {
		e := f.next()
		require.NotEqual(f.t, event.Delete, e.Operation, "%s", e)
		if e.Operation == event.SeedSync {
			scopes, _ := view(f.t, e)
			var resources []string
			for _, s := range scopes {
				resources = append(resources, s.Resource)
			}
			return resources
		}
	}
}

func TestATypeWhoseVersionChangesMovesNoFileAndLosesNone(t *testing.T) {
	f := onWidgets(t, "v1beta1")
	of := widgets
	of.Versions = []string{"v1", "v1beta1"}
	require.NoError(t, f.cluster.AddType(of))
	got := f.seeded("prod")
	require.Equal(t, []string{"UPDATE widgets.example.com/default/w for default/prod", "SEED_SYNC for default/prod"}, got)
	require.Contains(t, f.files["prod widgets.example.com/default/w"], "apiVersion: example.com/v1\n")
	require.Equal(t, 1, f.cluster.Requests("watch", schema.GroupResource{Resource: "configmaps"}), "other types go on")
}

func TestATypeWhoseScopeChangesTakesNothingWithIt(t *testing.T) {
	f := onWidgets(t, "v1")
	f.cluster.RemoveType(widgets.GroupResource())
	of := widgets
	of.Namespaced = false
	require.NoError(t, f.cluster.AddType(of))
	f.apply(widget("v1", "", "wide"))
	for f.files["prod widgets.example.com/wide"] == "" {
		e := f.next()
		require.NotEqual(t, event.Delete, e.Operation, "%s", e)
	}
	require.Eventually(t, f.complete("prod"), wait, tick)
	require.ElementsMatch(t, []string{"configmaps", "widgets"}, f.swept())
	require.True(t, f.uncovered("prod", widgetsIn("default")), "the file of old is reported, and stays")
	require.Contains(t, f.files, "prod widgets.example.com/default/w")
}

func TestAnAggregatedAPIThatIsDownKeepsItsReflectorsAndFiles(t *testing.T) {
	f := onWidgets(t, "v1")
	var down atomic.Bool
	down.Store(true)
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if down.Load() && r.Resource.Group == widgets.Group {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("no endpoints available")}
		}
		return nil
	})
	require.Eventually(t, f.wrong, wait, tick)
	require.ElementsMatch(t, []string{"configmaps", "widgets"}, f.swept(), "what was listed and followed is still known")
	f.cluster.CutWatches(widgets.GroupResource()) // it cannot be opened again
	f.apply(configMap("default", "b", "1"))
	require.Equal(t, "CREATE configmaps/default/b for default/prod", f.next().String(), "its neighbours go on")
	require.NoError(t, f.cluster.Delete(schema.GroupVersionResource{Group: widgets.Group, Version: "v1", Resource: widgets.Resource}, "default", "w"))
	require.Len(t, f.files, 3)
	down.Store(false)
	require.Equal(t, "DELETE widgets.example.com/default/w for default/prod", f.next().String())
}

// Each of these is a type that cannot be listed for a while: nothing of it is swept, and afterwards
// all is well.
func TestATypeThatCannotBeListedIsNotSwept(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"its conversion webhook fails": apierrors.NewInternalError(errors.New("conversion webhook for example.com/v1beta1, Kind=Widget failed")),
		"RBAC forbids it":              apierrors.NewForbidden(widgets.GroupResource(), "", errors.New("no")),
		"the server is busy":           apierrors.NewTooManyRequestsError("busy"),
		"a time limit was passed":      apierrors.NewTimeoutError("etcd", 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := onWidgets(t, "v1")
			var broken atomic.Bool
			broken.Store(true)
			f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
				if broken.Load() && r.Resource.Group == widgets.Group && r.Verb != "discover" {
					return &clustertest.Fault{Error: fault}
				}
				return nil
			})
			f.cluster.ExpireWatches(widgets.GroupResource()) // so it has to be listed
			require.Eventually(t, func() bool {
				st, _ := f.watcher.Status(ref("prod"))
				return len(st.Incomplete) == 1 && st.Incomplete[0].Collection.Resource == "widgets"
			}, wait, tick)
			f.apply(widget("v1", "default", "new"))
			require.Equal(t, []string{"configmaps"}, f.swept())
			require.Len(t, f.files, 2)
			broken.Store(false)
			for f.files["prod widgets.example.com/default/new"] == "" {
				require.NotEqual(t, event.Delete, f.next().Operation)
			}
			require.Eventually(t, f.complete("prod"), wait, tick)
			require.ElementsMatch(t, []string{"configmaps", "widgets"}, f.swept())
		})
	}
}

func TestANamespaceThatRBACForbidsIsNotSweptAndTheOthersAre(t *testing.T) {
	f := newFixture(t, -1, nil)
	for _, ns := range []string{"one", "two"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
	}
	allow := f.forbid("configmaps", "two")
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two")...)
	require.Equal(t, []string{"UPDATE configmaps/one/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
	require.NoError(t, f.watcher.Sweep(ref("prod")))
	scopes, _ := view(t, f.next())
	require.Equal(t, []event.Collection{{Resource: "configmaps", Namespace: "one"}}, scopes)
	st, _ := f.watcher.Status(ref("prod"))
	require.Equal(t, event.Collection{Resource: "configmaps", Namespace: "two"}, st.Incomplete[0].Collection)
	allow()
	require.Equal(t, []string{"UPDATE configmaps/two/a for default/prod", "SEED_SYNC for default/prod"}, f.seeded("prod"))
}

func TestATypeThatComesBackIsSeededAnew(t *testing.T) {
	f := onWidgets(t, "v1")
	f.cluster.RemoveType(widgets.GroupResource())
	require.Eventually(t, f.wrong, wait, tick)
	require.Equal(t, []string{"configmaps"}, f.swept())
	require.NoError(t, f.cluster.AddType(widgets))
	f.apply(widget("v1", "default", "other"))
	for f.files["prod widgets.example.com/default/other"] == "" {
		require.NotEqual(t, event.Delete, f.next().Operation, "a sweep decides about the old one, when all is listed")
	}
	require.Eventually(t, f.complete("prod"), wait, tick)
	require.ElementsMatch(t, []string{"configmaps", "widgets"}, f.swept())
}

// discoveries lets the watcher ask n times more which types there are.
func (f *fixture) discoveries(n int) {
	f.t.Helper()
	until := f.cluster.Requests("discover", schema.GroupResource{}) + 2*n // /api and /apis
	require.Eventually(f.t, func() bool { return f.cluster.Requests("discover", schema.GroupResource{}) >= until }, wait, tick)
}

// client-go makes the lists of an aggregated discovery by ranging over a map.
func TestATypeOfSeveralVersionsKeepsTheOneThatItIsReadIn(t *testing.T) {
	f := newFixture(t, -1, &Options{Rediscover: time.Millisecond})
	of := widgets
	of.Versions = []string{"v1", "v2", "v1beta1"}
	require.NoError(t, f.cluster.AddType(of))
	f.apply(widget("v1", "default", "w"))
	one, all := widgetRule("prod"), widgetRule("prod")
	one.Resources[0].APIVersions = []string{"v1"}
	all.Name.Name = "all-versions"
	specs := []destination.Spec{spec("prod", "main")}
	reads := func(version string) {
		t.Helper()
		require.Contains(t, f.files["prod widgets.example.com/default/w"], "apiVersion: example.com/"+version+"\n")
	}

	f.setRules(specs, rule("maps", "prod", "configmaps"), all)
	f.seeded("prod")
	reads("v2")
	f.discoveries(50)
	require.Equal(t, 1, f.listed("widgets"), "nothing has changed")
	f.cluster.SetPreferredVersion(widgets.Group, "v1beta1")
	f.seeded("prod")
	reads("v1beta1")

	f.setRules(specs, rule("maps", "prod", "configmaps"), one)
	f.seeded("prod")
	reads("v1")
	f.setRules(specs, rule("maps", "prod", "configmaps"), one, all)
	f.seeded("prod")
	f.discoveries(20)
	reads("v1") // what the files are written in is not for a new rule to change

	of.Versions = []string{"v2", "v1beta1"}
	require.NoError(t, f.cluster.AddType(of))
	for !strings.Contains(f.files["prod widgets.example.com/default/w"], "example.com/v1beta1") {
		require.NotEqual(t, event.Delete, f.next().Operation)
	}
	f.seeded("prod")
	f.quiet("prod")
}

// client-go takes the first version that is not stale for the preferred one of its group.
func TestAStaleVersionIsNotReplacedByTheNext(t *testing.T) {
	f := onWidgets(t, "v1", "v2")
	require.Contains(t, f.files["prod widgets.example.com/default/w"], "example.com/v2\n")
	lists := f.listed("widgets")
	var stale atomic.Bool
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if stale.Load() && r.Verb == "discover" && r.Resource.Group == widgets.Group && r.Resource.Version == "v2" {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("no endpoints available")}
		}
		return nil
	})
	for range 3 {
		stale.Store(!stale.Load())
		f.discoveries(2)
	}
	f.quiet("prod")
	require.Equal(t, lists, f.listed("widgets"))
}
