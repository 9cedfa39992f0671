package source

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

// compiledRules are rules for destinations on main.
func compiledRules(t *testing.T, specs []destination.Spec, list ...ruleset.Rule) *rules {
	t.Helper()
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, specs)
	require.NoError(t, err)
	rs, err := ruleset.Compile(set, list...)
	require.NoError(t, err)
	return &rules{set, rs}
}

func TestLabelsThatChangeConcernTheReflectorsOfTheirNamespaceAlone(t *testing.T) {
	selective := rule("prod", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	for name, c := range map[string]struct {
		namespace string
		concerned bool
	}{
		"of all namespaces": {concerned: true},
		"of the namespace":  {namespace: "team", concerned: true},
		"of another":        {namespace: "other"},
	} {
		d, to, s := newRig(t, newLines(-1), selective)
		n := newNamespaces(nil, make(chan struct{}, 1))
		d.reader.match.Store(newMatcher(d.reader.match.Load().rules, n))
		s.namespace = c.namespace
		n.moved("team", nil, map[string]string{"env": "prod"})
		newPlanner(d.Watcher).relabel()
		require.Equal(t, c.concerned, s.stale["team"] > 0, name)
		require.Equal(t, c.concerned, len(s.wake) == 1, name)
		require.Equal(t, !c.concerned, to.ready(), name)
	}
}

func TestRulesThatComeDuringDiscoveryAreStillToBePlanned(t *testing.T) {
	d, to, _ := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	uncovered := func() bool { return d.ledger.uncovered(to, event.Collection{Resource: "services"}) }
	seedDue := func() bool { st, _ := d.Status(ref("prod")); return st.SeedDue }
	d.SetRules(destination.Set{}, &ruleset.RuleSet{})
	d.ledger.observe(plan{found: &served{}}, false)
	to.settled()
	require.True(t, seedDue())
	require.False(t, uncovered(), "nothing is uncovered meanwhile")
	d.ledger.desired.Store(d.ledger.adopted)
	to.backfilling, to.blocked, to.backlog.count = false, 1, 1
	d.ledger.observe(plan{found: &served{}}, false)
	require.False(t, seedDue())
	require.True(t, uncovered())
	require.Contains(t, d.ledger.pending, to, "its blocked objects may have a reflector now")
}

func TestADestinationThatChangesIsAnotherTarget(t *testing.T) {
	d, old, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	forget := d.ledger.adopt(compiledRules(t, []destination.Spec{spec("prod", "other")}, rule("prod", "prod", "configmaps")), nil)
	require.Equal(t, []destination.Destination{old.destination}, forget)
	require.True(t, old.gone)
	require.Zero(t, old.backlog.count)
	now := d.ledger.targets[ref("prod")]
	require.True(t, now.seedDue() && !now.gone)
	require.NotEqual(t, old.number, now.number)

	now.settled()
	d.ledger.adopt(compiledRules(t, []destination.Spec{spec("prod", "other")}, rule("prod", "prod", "secrets")), nil)
	require.Same(t, now, d.ledger.targets[ref("prod")])
	require.True(t, now.seedDue(), "no reflector feeds it, and other rules do not cover what these did")
	d.ledger.adopt(compiledRules(t, []destination.Spec{spec("dev", "main")}, rule("dev", "dev", "secrets")), nil)
	require.True(t, now.gone)
}

// Until discovery has told what the new rules come to, what they say of one namespace takes nothing
// from the others.
func TestOnlyTheNamespacesThatRulesChangeInLeaveTheCoverage(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.cover(s, map[*target]reach{to: {"one": true, "two": true, "three": true}})
	d.ledger.adopt(d.ledger.adopted, map[*feed][]string{s: {"one", "three"}})
	require.Equal(t, map[*target]reach{to: {"two": true}}, s.reach)
	require.Len(t, s.stale, 2)
	require.Empty(t, d.ledger.poked, "they are listed when they are covered again")
	d.ledger.adopt(d.ledger.adopted, map[*feed][]string{s: {"two"}})
	require.Empty(t, s.reach)
	require.Empty(t, to.feeds)
}

func TestASeedSyncIsDueWhereWhatFeedsADestinationGrowsOrShrinks(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	all := s.reach
	d.ledger.cover(s, all)
	require.False(t, to.seedDue())
	d.ledger.cover(s, nil)
	require.True(t, to.seedDue())
	to.settled()
	d.ledger.cover(s, all)
	require.True(t, to.seedDue())
	to.settled()
	d.ledger.cover(s, map[*target]reach{to: {everywhere: true}})
	require.True(t, to.seedDue(), "it may be swept now")
}

func TestAVersionIsForgottenWithWhatWatchesIt(t *testing.T) {
	gone, down := schema.GroupResource{Resource: "configmaps"}, schema.GroupResource{Group: "metrics.example.com", Resource: "pods"}
	v := versions{gone: {version: "v1"}, down: {version: "v1beta1"}}
	v.read(nil, ruleset.Served{}, map[string]bool{"metrics.example.com": true})
	require.NotContains(t, v, gone)
	require.Contains(t, v, down, "its group cannot be read")
}

func TestWhatHasNoGroupVersionIsNotTakenForTheCoreGroup(t *testing.T) {
	lists := []*metav1.APIResourceList{{GroupVersion: "a/b/c", APIResources: []metav1.APIResource{{Name: "pods", Namespaced: true}}}}
	require.Empty(t, servedTypes(lists, nil).types)
}

func TestTheLabelsOfNamespacesAreListedOnce(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(newObject("v1", "Namespace", "", "default", map[string]any{}))
	selective := rule("maps", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "DoesNotExist"}}}
	f.setRules([]destination.Spec{spec("prod", "main")}, selective)
	f.seeded("prod")
	pages := f.listed("namespaces")
	f.setRules([]destination.Spec{spec("prod", "main")}, selective, rule("services", "prod", "services"))
	f.seeded("prod")
	require.Equal(t, pages, f.listed("namespaces"))
	f.setRules([]destination.Spec{spec("prod", "main")})
	f.seeded("prod")
	f.watcher.mu.RLock()
	defer f.watcher.mu.RUnlock()
	require.Empty(t, f.watcher.ledger.feeds, "nothing is kept of what has stopped")
	require.Nil(t, f.watcher.ledger.labels)
}

func TestOfReflectorsOfOneNamespaceThoseAloneListAgainWhoseRulesChange(t *testing.T) {
	f := newFixture(t, -1, nil)
	for _, ns := range []string{"one", "two"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
	}
	in := func(ns string, also ...string) ruleset.Rule {
		r := rule(ns, "prod", append(also, "configmaps")...)
		r.Name = types.NamespacedName{Namespace: ns, Name: ns}
		return r
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, in("one"), in("two"))
	f.seeded("prod")
	listed := f.listings()
	changed := in("two")
	changed.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "DoesNotExist"}}}
	f.setRules([]destination.Spec{spec("prod", "main")}, in("one"), changed)
	f.seeded("prod")
	require.Equal(t, []string{"configmaps/two"}, listed())
}

func TestADestinationThatMovesAndLosesItsRulesHasNothingListed(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"))
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "main")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
	f.seeded("prod", "dev")
	listed := f.listings()
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "other")}, rule("prod", "prod", "configmaps"))
	f.seeded("dev")
	f.quiet("prod")
	require.Empty(t, listed())
}

// A reflector of all namespaces is refused, so single ones take its place while it asks whether it
// is allowed by now. Rules of one namespace change, which is no matter of the one that asks.
func TestAProbeIsNotWaitedForWhenRulesOfANamespaceChange(t *testing.T) {
	f := newFixture(t, -1, &Options{Resync: -1})
	f.apply(newObject("v1", "Namespace", "", "one", map[string]any{}), configMap("one", "a", "1"))
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Resource == configMaps && r.Namespace == "" {
			return &clustertest.Fault{Error: apierrors.NewForbidden(configMaps.GroupResource(), "", nil)}
		}
		return nil
	})
	specs := []destination.Spec{spec("prod", "main"), spec("dev", "dev")}
	one := inNamespaces("dev", "one")[0]
	f.setRules(specs, rule("prod", "prod", "configmaps"), one)
	idle := func() bool {
		f.drainAll()
		prod, _ := f.watcher.Status(ref("prod"))
		dev, _ := f.watcher.Status(ref("dev"))
		return len(f.files) == 2 && dev.Idle() && prod.Idle() && len(prod.Incomplete) == 1
	}
	require.Eventually(t, idle, wait, tick)
	one.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "DoesNotExist"}}}
	f.setRules(specs, rule("prod", "prod", "configmaps"), one)
	f.seeded("dev")
	require.Eventually(t, idle, wait, tick)
}

func TestADiscoveryThatFailsTakesBackWhatTheOneBeforeHasSaid(t *testing.T) {
	d, to, _ := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.discovery = brokenDiscovery{}
	d.ledger.served = &served{}
	p := newPlanner(d.Watcher)
	p.rules = d.ledger.adopted
	uncovered := func() bool {
		return d.ledger.uncovered(to, event.Collection{Resource: "configmaps", Namespace: "default"})
	}
	require.True(t, uncovered())
	p.refresh(context.Background())
	require.False(t, uncovered())
	require.ErrorIs(t, d.Err(), errBroken)
}

type brokenDiscovery struct{}

func (brokenDiscovery) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, nil, errBroken
}

func TestAGroupThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	f := newFixture(t, -1, nil)
	require.NoError(t, f.cluster.AddType(widgets))
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" && r.Resource.Group == widgets.Group {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("not yet")}
		}
		return nil
	})
	f.apply(configMap("default", "a", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	require.Len(t, f.files, 1)
}

// Labels that cannot be read hold up everything, until no rule looks at them any more.
func TestNobodyWaitsForLabelsThatNoRuleLooksAt(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(service("default", "s"))
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Resource.Resource == "namespaces" && r.Verb != "discover" {
			return &clustertest.Fault{Error: apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", nil)}
		}
		return nil
	})
	selective := rule("maps", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "DoesNotExist"}}}
	services := rule("services", "prod", "services")
	f.setRules([]destination.Spec{spec("prod", "main")}, selective, services)
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Streams == 2 && st.Complete == 0 }, wait, tick)
	f.setRules([]destination.Spec{spec("prod", "main")}, services)
	for len(f.files) == 0 {
		f.next()
	}
}

func TestAProbeGoesOnWhileItsGroupCannotBeRead(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	p := newPlanner(d.Watcher)
	of := s.key().of
	p.probes[of] = run(t.Context(), s.of, func(ctx context.Context) { <-ctx.Done() })
	d.ledger.gaps[of] = &gap{}
	p.apply(t.Context(), plan{found: &served{unread: map[string]bool{"": true}}}, nil)
	require.Contains(t, p.probes, of)
	require.Contains(t, d.ledger.gaps, of)
	p.apply(t.Context(), plan{found: &served{}}, nil)
	require.Empty(t, p.probes)
	require.Empty(t, d.ledger.gaps)
}

func TestATargetHasOneBackfill(t *testing.T) {
	d, to, _ := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.pending[to] = struct{}{}
	require.Empty(t, d.ledger.takePending())
	require.Empty(t, d.ledger.pending)
}

// Rules that replace others before the planner has taken those are told twice and taken once.
func TestRulesThatWereTakenAlreadyAreNotTakenAgain(t *testing.T) {
	f := newFixture(t, -1, nil)
	signal(f.watcher.changed)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	signal(f.watcher.changed)
	f.quiet("prod")
}

// A queue may still hold a SeedSync when the Watcher has ended.
func TestNothingMayBeSweptWhenNobodyFollowsAnyMore(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	f.stop()
	f.stop = func() {}
	collections, _ := view(t, event.Event{Inventory: f.inventory("prod")})
	require.Empty(t, collections)
}
