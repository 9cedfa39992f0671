package source

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

var widgets = clustertest.Type{Group: "example.com", Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}

func widgetRule(to string) ruleset.Rule {
	r := rule("widgets", to, "widgets")
	r.Resources[0].APIGroups = []string{widgets.Group}
	return r
}

func widgetsIn(namespace string) event.Collection {
	return event.Collection{Group: widgets.Group, Resource: widgets.Resource, Namespace: namespace}
}

// uncovered asks the Inventory of a destination as a plan does.
func (f *fixture) uncovered(to string, s event.Collection) bool {
	f.t.Helper()
	var is bool
	require.NoError(f.t, f.inventory(to).View(func(v event.Snapshot) error {
		is = v.Uncovered(s)
		return nil
	}))
	return is
}

func TestATypeThatIsGoneIsUncoveredAndItsDestinationHearsOfIt(t *testing.T) {
	f := newFixture(t, -1, nil)
	require.NoError(t, f.cluster.AddType(widgets))
	f.setRules([]destination.Spec{spec("prod", "main")}, widgetRule("prod"))
	f.seeded("prod")
	require.False(t, f.uncovered("prod", widgetsIn("default")))
	require.True(t, f.uncovered("prod", widgetsIn("")), "its objects have namespaces, a file at cluster scope has none")
	require.True(t, f.uncovered("prod", event.Collection{Resource: "configmaps", Namespace: "default"}), "no rule asks for it")
	f.cluster.RemoveType(widgets.GroupResource())
	f.seeded("prod")
	require.True(t, f.uncovered("prod", widgetsIn("default")))
}

func TestNothingIsUncoveredWhileDiscoveryCannotTell(t *testing.T) {
	for name, broken := range map[string]func(clustertest.FaultRequest) bool{
		"the whole of it":  func(r clustertest.FaultRequest) bool { return true },
		"the type's group": func(r clustertest.FaultRequest) bool { return r.Resource.Group == widgets.Group },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, -1, nil)
			require.NoError(t, f.cluster.AddType(widgets))
			var down atomic.Bool
			down.Store(true)
			f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
				if down.Load() && r.Verb == "discover" && broken(r) {
					return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("not yet")}
				}
				return nil
			})
			f.setRules([]destination.Spec{spec("prod", "main")}, widgetRule("prod"))
			require.Eventually(t, f.wrong, wait, tick)
			require.False(t, f.uncovered("prod", widgetsIn("default")), "the type is there, but nobody can say so")
			// No rule asks for it, but as long as nothing is known, one may mean it by a typo.
			require.Equal(t, name == "the type's group", f.uncovered("prod", event.Collection{Resource: "configmaps", Namespace: "default"}))
			down.Store(false)
			require.Eventually(t, func() bool { return !f.wrong() }, wait, tick)
			require.False(t, f.uncovered("prod", widgetsIn("default")))
		})
	}
}

func TestNothingThatAFaultyRuleMightMeanIsUncovered(t *testing.T) {
	f := newFixture(t, -1, nil)
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/org/repo.git"}},
		[]destination.Spec{spec("prod", "main")})
	require.NoError(t, err)
	faulty := rule("faulty", "prod", "services/status")
	rs, err := ruleset.Compile(set, faulty, rule("good", "prod", "configmaps"))
	require.Error(t, err)
	f.watcher.SetRules(set, rs)
	f.seeded("prod")
	require.False(t, f.uncovered("prod", event.Collection{Resource: "services", Namespace: "default"}))
	require.True(t, f.uncovered("prod", event.Collection{Group: "apps", Resource: "deployments", Namespace: "default"}))
}

func TestNothingIsUncoveredBetweenTwoSetsOfRules(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("r", "prod", "configmaps"))
	f.seeded("prod")
	services := event.Collection{Resource: "services", Namespace: "default"}
	require.True(t, f.uncovered("prod", services))
	hold := make(chan struct{})
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" {
			return &clustertest.Fault{Hold: hold}
		}
		return nil
	})
	// The planner hangs in discovery, or is about to take the new rules, whichever comes first.
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("r", "prod", "configmaps", "services"))
	require.False(t, f.uncovered("prod", services))
	close(hold)
	f.seeded("prod")
	require.False(t, f.uncovered("prod", services))
	f.watcher.mu.Lock()
	f.watcher.ledger.targets[ref("prod")].gone = true
	f.watcher.mu.Unlock()
	require.False(t, f.uncovered("prod", event.Collection{Resource: "secrets", Namespace: "default"}), "a destination that is gone knows nothing")
}
