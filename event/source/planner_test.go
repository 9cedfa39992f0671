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

// compiled are rules for destinations on main.
func compiledRules(t *testing.T, specs []destination.Spec, list ...ruleset.Rule) *rules {
	t.Helper()
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, specs)
	require.NoError(t, err)
	rs, err := ruleset.Compile(set, list...)
	require.NoError(t, err)
	return &rules{set, rs}
}

// stands has a planner take a stream for a running one, of which no goroutine knows.
func (p *planner) stands(s *stream) {
	s.anew = make(chan struct{}, 1)
	p.running[s.key()] = &running{stream: s}
	p.ledger.streams[s.key()] = s
}

func TestLabelsThatChangeConcernTheStreamsOfTheirNamespaceAlone(t *testing.T) {
	selective := rule("prod", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	for name, c := range map[string]struct {
		namespace string
		probing   bool
		concerned bool
	}{
		"of all namespaces":                 {concerned: true},
		"of the namespace":                  {namespace: "team", concerned: true},
		"of another":                        {namespace: "other"},
		"that asks whether it is allowed":   {probing: true},
		"that asks so for one that has not": {namespace: "team", probing: true},
	} {
		d, to, s := newDesk(t, newLines(-1), selective)
		n := newNamespaces(nil, make(chan struct{}, 1))
		d.match.Store(&matcher{d.match.Load().rules, n})
		p := plannerOf(d)
		p.desk = d
		s.watch.Namespace, s.probing = c.namespace, c.probing
		p.stands(s)
		n.moved("team", nil, map[string]string{"env": "prod"})
		p.relabel()
		_, outdated := s.outdated["team"]
		require.Equal(t, c.concerned, outdated, name)
		require.Equal(t, c.concerned, len(s.anew) == 1, name)
		require.Equal(t, c.concerned, to.unsettled == 1, name)
	}
}

func TestRulesThatComeDuringDiscoveryAreStillToBePlanned(t *testing.T) {
	d, to, _ := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	p := plannerOf(d)
	p.next = &rules{}
	p.settleOn(&coverage{}, 0)
	require.False(t, p.planned)
	require.True(t, d.ledger.changing.Load(), "nothing is uncovered meanwhile")
	p.next = nil
	to.feeding, to.stuck, to.backlog.count = false, 1, 1
	p.settleOn(&coverage{}, 0)
	require.True(t, p.planned)
	require.False(t, d.ledger.changing.Load())
	require.Contains(t, d.ledger.kicked, to, "its stuck objects may have a stream now")
}

func TestADestinationThatChangesIsAnotherTarget(t *testing.T) {
	d, old, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	p := plannerOf(d)
	p.retarget(t.Context(), compiledRules(t, []destination.Spec{spec("prod", "other")}, rule("prod", "prod", "configmaps")))
	require.True(t, old.gone)
	require.Zero(t, old.backlog.count)
	now := d.ledger.targets[ref("prod")]
	require.True(t, now.syncDue && !now.gone)
	require.NotEqual(t, old.number, now.number)

	now.syncDue = false
	p.retarget(t.Context(), compiledRules(t, []destination.Spec{spec("prod", "other")}, rule("prod", "prod", "secrets")))
	require.Same(t, now, d.ledger.targets[ref("prod")])
	require.True(t, now.syncDue, "no stream feeds it, and other rules do not cover what these did")
	p.retarget(t.Context(), compiledRules(t, []destination.Spec{spec("dev", "main")}, rule("dev", "dev", "secrets")))
	require.True(t, now.gone)
}

// Until discovery has told what the new rules come to, what they say of one namespace takes nothing from the others.
func TestOnlyTheNamespacesThatRulesChangeInLeaveTheCoverage(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	p := plannerOf(d)
	p.desk = d
	p.stands(s)
	s.watch.Coverage = nil
	for _, ns := range []string{"one", "two", "three"} {
		s.watch.Coverage = append(s.watch.Coverage, ruleset.Coverage{Destination: to.destination, Collection: event.Collection{Resource: "configmaps", Namespace: ns}})
	}
	p.swap(d.match.Load(), map[streamKey][]string{s.key(): {"one", "three"}})
	require.Len(t, s.watch.Coverage, 1)
	require.Equal(t, "two", s.watch.Coverage[0].Collection.Namespace)
	require.Len(t, s.outdated, 2)
}

func TestASeedSyncIsDueWhereWhatFeedsADestinationGrowsOrShrinks(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	all := s.watch.Coverage
	d.ledger.feeds(s, all)
	require.False(t, to.syncDue)
	d.ledger.feeds(s, nil)
	require.True(t, to.syncDue)
	to.syncDue = false
	d.ledger.feeds(s, all)
	require.True(t, to.syncDue)
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
	require.Empty(t, (&coverage{}).discovered(lists, nil).served)
}

func TestTheLabelsOfNamespacesAreListedOnce(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.apply(object("v1", "Namespace", "", "default", map[string]any{}))
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
	f.watcher.ledger.mu.RLock()
	defer f.watcher.ledger.mu.RUnlock()
	require.Empty(t, f.watcher.ledger.streams, "nothing is kept of what has stopped")
	require.Nil(t, f.watcher.ledger.labels)
}

func TestOfStreamsOfOneNamespaceThoseAloneListAgainWhoseRulesChange(t *testing.T) {
	f := newFixture(t, -1, nil)
	for _, ns := range []string{"one", "two"} {
		f.apply(object("v1", "Namespace", "", ns, map[string]any{}), configMap(ns, "a", "1"))
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

// A stream of all namespaces is refused, so single ones take its place while it asks whether it is allowed by now. Rules of
// one namespace change, which is no matter of the one that asks.
func TestWhatIsOnlyAskedForIsNotWaitedForWhenRulesOfANamespaceChange(t *testing.T) {
	f := newFixture(t, -1, &Options{Resync: -1})
	f.apply(object("v1", "Namespace", "", "one", map[string]any{}), configMap("one", "a", "1"))
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
	d, to, _ := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	p := plannerOf(d)
	p.discovery = brokenDiscovery{}
	p.rules = &rules{ruleSet: d.match.Load().rules}
	d.ledger.coverage = (&coverage{rules: p.rules.ruleSet}).discovered(nil, nil)
	uncovered := func() bool {
		return liveView{d.ledger, to}.Uncovered(event.Collection{Resource: "configmaps", Namespace: "default"})
	}
	require.True(t, uncovered())
	p.refresh(context.Background())
	require.False(t, uncovered())
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

func TestWhatOnlyAsksGoesOnWhileItsGroupCannotBeRead(t *testing.T) {
	d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	p := plannerOf(d)
	p.desk = d
	s.probing = true
	p.stands(s)
	require.Zero(t, p.change(t.Context(), nil, map[string]bool{"": true}))
	require.Contains(t, p.running, s.key())
}

func TestATargetHasOneFeeder(t *testing.T) {
	d, to, _ := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	p := plannerOf(d)
	p.feedCtx = func() context.Context { t.Error("another one is started"); return t.Context() }
	d.ledger.kicked[to] = struct{}{}
	p.startFeeders()
	p.stopFeeders()
	require.Empty(t, d.ledger.kicked)
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
