package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// show writes watches for people: a line for each watch and a line for each coverage below it.
func show(watches []ruleset.Watch) string {
	var b strings.Builder
	for _, w := range watches {
		b.WriteString(w.Resource.Resource + "." + w.Resource.Version + "." + w.Resource.Group + " in " + orAll(w.Namespace) + "\n")
		for _, c := range w.Coverage {
			scope := "cluster scope"
			switch {
			case c.Collection.All:
				scope = "all"
			case c.Collection.Namespace != "":
				scope = c.Collection.Namespace
			}
			b.WriteString("  " + c.Destination.Ref.Name + ": " + scope)
			if c.Sweepable {
				b.WriteString(", prune")
			}
			b.WriteString("\n")
		}
	}
	return strings.TrimSpace(b.String())
}

func orAll(namespace string) string {
	if namespace == "" {
		return "all"
	}
	return namespace
}

func changed(r ruleset.Rule, change func(*ruleset.Rule)) ruleset.Rule {
	change(&r)
	return r
}

var keep = []event.Operation{event.Create, event.Update}

func TestWatchesAreTheFewestAndCoverWhatTheRulesSay(t *testing.T) {
	core := list("v1", namespaced("pods"), clusterScoped("nodes"), namespaced("secrets"), unwatchable("bindings"),
		metav1.APIResource{Name: "pods/status", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}})
	apps := []*metav1.APIResourceList{list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"), namespaced("old"))}
	lists := append([]*metav1.APIResourceList{core}, apps...)
	pods, noDelete := resources("pods"), operations(resources("pods"), keep...)
	selective := changed(rule("", "sel", "a", pods), func(r *ruleset.Rule) {
		r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		r.NamespaceSelector = r.ObjectSelector
		r.SkipControlled = true
	})
	exclude := func(e ...ruleset.Exclusion) func(*ruleset.Rule) { return func(r *ruleset.Rule) { r.Exclude = e } }
	for _, tt := range []struct {
		promise string
		rules   []ruleset.Rule
		want    string
	}{
		{"a wildcard takes all that can be listed and watched, without subresources", []ruleset.Rule{rule("", "r", "a", ruleset.ResourceRule{})}, `
nodes.v1. in all
  a: cluster scope, prune
pods.v1. in all
  a: all, prune
secrets.v1. in all
  a: all, prune
deployments.v1.apps in all
  a: all, prune
old.v1beta1.apps in all
  a: all, prune`},
		{"scopes", []ruleset.Rule{rule("", "r", "a", ruleset.ResourceRule{Scope: ruleset.ClusterScope}), rule("", "s", "b", ruleset.ResourceRule{Scope: ruleset.NamespacedScope, APIGroups: []string{""}})}, `
nodes.v1. in all
  a: cluster scope, prune
pods.v1. in all
  b: all, prune
secrets.v1. in all
  b: all, prune`},
		{"a namespaced rule watches no cluster-scoped type", []ruleset.Rule{rule("x", "r", "a", ruleset.ResourceRule{APIGroups: []string{""}})}, `
pods.v1. in x
  a: x, prune
secrets.v1. in x
  a: x, prune`},
		{"namespaces stay separate watches", []ruleset.Rule{rule("y", "r", "a", pods), rule("x", "r", "a", noDelete), rule("x", "s", "b", pods)}, `
pods.v1. in x
  a: x
  b: x, prune
pods.v1. in y
  a: y, prune`},
		{"a cluster rule of another destination makes them one", []ruleset.Rule{rule("y", "r", "a", pods), rule("x", "r", "a", noDelete), rule("", "s", "b", pods)}, `
pods.v1. in all
  a: x
  a: y, prune
  b: all, prune`},
		{"a cluster rule of the same destination covers its namespaces", []ruleset.Rule{rule("x", "r", "a", pods), rule("", "s", "a", pods)}, `
pods.v1. in all
  a: all, prune`},
		{"a cluster rule without DELETE keeps what a namespaced one would prune", []ruleset.Rule{rule("x", "r", "a", pods), rule("", "s", "a", noDelete)}, `
pods.v1. in all
  a: all`},
		{"a namespaced rule without DELETE keeps all, since a scope has no holes", []ruleset.Rule{rule("x", "r", "a", noDelete), rule("", "s", "a", pods)}, `
pods.v1. in all
  a: all`},
		{"a rule of another destination keeps nothing", []ruleset.Rule{rule("x", "r", "b", noDelete), rule("", "s", "a", pods)}, `
pods.v1. in all
  a: all, prune
  b: x`},
		{"operations of one rule add up", []ruleset.Rule{rule("", "r", "a", noDelete, operations(pods, event.Delete))}, `
pods.v1. in all
  a: all, prune`},
		{"only DELETE may prune", []ruleset.Rule{rule("", "r", "a", operations(pods, event.Delete))}, `
pods.v1. in all
  a: all, prune`},
		{"selectors do not narrow coverage", []ruleset.Rule{selective}, `
pods.v1. in all
  a: all, prune`},
		{"a whole exclusion is not watched", []ruleset.Rule{changed(rule("", "r", "a", resources("pods", "secrets")), exclude(ruleset.Exclusion{ResourceRule: resources("secrets")}))}, `
pods.v1. in all
  a: all, prune`},
		{"nor does it keep what another rule covers", []ruleset.Rule{
			changed(rule("", "r", "a", operations(resources("pods", "secrets"), keep...)), exclude(ruleset.Exclusion{ResourceRule: resources("secrets")})),
			rule("", "s", "a", resources("secrets")),
		}, `
pods.v1. in all
  a: all
secrets.v1. in all
  a: all, prune`},
		{"exclusions of names do not narrow coverage", []ruleset.Rule{changed(rule("", "r", "a", pods), exclude(ruleset.Exclusion{Names: []string{"p*"}}))}, `
pods.v1. in all
  a: all, prune`},
		{"an exclusion of DELETE keeps all", []ruleset.Rule{changed(rule("", "r", "a", pods), exclude(ruleset.Exclusion{ResourceRule: operations(pods, event.Delete)}))}, `
pods.v1. in all
  a: all`},
		{"an exclusion of DELETE for some names keeps all", []ruleset.Rule{changed(rule("", "r", "a", pods), exclude(ruleset.Exclusion{ResourceRule: operations(pods, event.Delete), Names: []string{"p"}}))}, `
pods.v1. in all
  a: all`},
		{"an exclusion of CREATE for some names keeps nothing", []ruleset.Rule{changed(rule("", "r", "a", pods), exclude(ruleset.Exclusion{ResourceRule: operations(pods, event.Create), Names: []string{"p"}}))}, `
pods.v1. in all
  a: all, prune`},
		{"an exclusion of DELETE in another scope keeps nothing", []ruleset.Rule{changed(rule("", "r", "a", pods), exclude(ruleset.Exclusion{ResourceRule: ruleset.ResourceRule{Operations: []event.Operation{event.Delete}, Scope: ruleset.ClusterScope}, Names: []string{"p"}}))}, `
pods.v1. in all
  a: all, prune`},
		{"a cluster rule that excludes the type makes no watch of all", []ruleset.Rule{
			changed(rule("", "r", "b", ruleset.ResourceRule{APIGroups: []string{""}}), exclude(ruleset.Exclusion{ResourceRule: resources("pods", "nodes")})),
			rule("x", "s", "a", pods),
		}, `
pods.v1. in x
  a: x, prune
secrets.v1. in all
  b: all, prune`},
		{"scopes keep to themselves", []ruleset.Rule{
			rule("", "r", "a", ruleset.ResourceRule{APIGroups: []string{""}, Resources: []string{"*"}, Scope: ruleset.ClusterScope, Operations: keep}),
			rule("", "s", "a", ruleset.ResourceRule{Resources: []string{"pods"}, Scope: ruleset.NamespacedScope}),
		}, `
nodes.v1. in all
  a: cluster scope
pods.v1. in all
  a: all, prune`},
		{"the preferred version, if a rule allows it", []ruleset.Rule{rule("", "r", "a", ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1beta1", "v1"}})}, `
deployments.v1.apps in all
  a: all, prune`},
		{"else the next that one allows", []ruleset.Rule{rule("", "r", "a", ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1beta1"}})}, `
deployments.v1beta1.apps in all
  a: all, prune`},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			for range tt.rules {
				tt.rules = append(tt.rules[1:], tt.rules[0])
				watches, err := compile(t, tt.rules...).Watches(served(lists))
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(strings.TrimSpace(tt.want), show(watches)))
			}
		})
	}
}

func TestWatchesSayTypeAndScopeInFull(t *testing.T) {
	watches, err := compile(t, rule("x", "r", "a", resources("pods"))).Watches(served([]*metav1.APIResourceList{list("v1", namespaced("pods"))}))
	require.NoError(t, err)
	require.Equal(t, []ruleset.Watch{{
		Resource:  podType(),
		Namespace: "x",
		Coverage: []ruleset.Coverage{{
			Destination: get(t, destinations(t, "a"), "a"),
			Collection:  event.Collection{Resource: "pods", Namespace: "x"},
			Sweepable:   true,
		}},
	}}, watches)
}

func TestWatchesDoNotDependOnTheOrderOfGroups(t *testing.T) {
	lists := []*metav1.APIResourceList{list("v1", namespaced("pods"), clusterScoped("nodes")), list("apps/v1", namespaced("deployments"))}
	s := compile(t, rule("", "r", "a", ruleset.ResourceRule{}))
	want, err := s.Watches(served(lists))
	require.NoError(t, err)
	slices.Reverse(lists)
	got, err := s.Watches(served(lists))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestWatchesPruneNothingThatAnInvalidRuleCovers(t *testing.T) {
	lists := []*metav1.APIResourceList{list("v1", namespaced("pods"), namespaced("secrets")), list("apps/v1", namespaced("deployments"))}
	good := rule("", "good", "a", resources("pods", "secrets", "deployments"))
	good2 := rule("", "good", "b", resources("pods"))
	good2.Name.Name = "good2"
	inX, inY := rule("x", "good", "a", resources("pods")), rule("y", "good", "a", resources("pods"))
	broken := func(r ruleset.Rule) ruleset.Rule {
		r.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
		return r
	}
	unknown := broken(rule("", "bad", "nowhere", resources()))
	excluding := broken(rule("", "bad", "a", resources("pods")))
	excluding.Exclude = []ruleset.Exclusion{{}}
	for _, tt := range []struct {
		promise string
		bad     ruleset.Rule
		valid   []ruleset.Rule
		pruned  []string
	}{
		{"another type", broken(rule("", "bad", "a", resources("services"))), []ruleset.Rule{good}, []string{"pods", "secrets", "deployments"}},
		{"one type", broken(rule("", "bad", "a", resources("pods"))), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"its exclusions are not trusted", excluding, []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"in one namespace", broken(rule("x", "bad", "a", resources("pods"))), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"a group", rule("", "bad", "a", ruleset.ResourceRule{APIGroups: []string{""}, Resources: []string{"pods/log"}}), []ruleset.Rule{good}, []string{"deployments"}},
		{"a broken version", rule("", "bad", "a", ruleset.ResourceRule{Resources: []string{"pods"}, APIVersions: []string{"v2", "a/b"}}), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"a broken operation", rule("", "bad", "a", operations(resources("pods"), "CONNECT")), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"a scope that cannot be read", rule("", "bad", "a", ruleset.ResourceRule{Resources: []string{"pods"}, Scope: "cluster"}), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"a scope that its namespace cannot have", rule("x", "bad", "a", ruleset.ResourceRule{Resources: []string{"pods"}, Scope: ruleset.ClusterScope}), []ruleset.Rule{good}, []string{"secrets", "deployments"}},
		{"everything", rule("", "bad", "a"), []ruleset.Rule{good}, nil},
		{"another destination", broken(rule("", "bad", "b", resources())), []ruleset.Rule{good}, []string{"pods", "secrets", "deployments"}},
		{"an unknown destination", unknown, []ruleset.Rule{good}, []string{"pods", "secrets", "deployments"}},
		{"one destination of two", broken(rule("", "bad", "a", resources("pods"))), []ruleset.Rule{good, good2}, []string{"b pods", "secrets", "deployments"}},
		{"one namespace of two", broken(rule("x", "bad", "a", resources("pods"))), []ruleset.Rule{inX, inY}, []string{"pods in y"}},
		{"all namespaces", broken(rule("", "bad", "a", resources("pods"))), []ruleset.Rule{inX, inY}, nil},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			s, err := ruleset.Compile(destinations(t, "a", "b"), append(tt.valid, tt.bad)...)
			require.Error(t, err)
			watches, err := s.Watches(served(lists))
			require.NoError(t, err)
			var pruned []string
			for _, w := range watches {
				for _, c := range w.Coverage {
					if c.Sweepable {
						pruned = append(pruned, label(w, c))
					}
				}
			}
			require.ElementsMatch(t, tt.pruned, pruned)
		})
	}
}

func label(w ruleset.Watch, c ruleset.Coverage) string {
	s := w.Resource.Resource
	if c.Destination.Ref.Name != "a" {
		s = c.Destination.Ref.Name + " " + s
	}
	if c.Collection.Namespace != "" {
		s += " in " + c.Collection.Namespace
	}
	return s
}

func TestWatchesReportTypesThatARuleNamesAndDoesNotGet(t *testing.T) {
	lists := []*metav1.APIResourceList{
		list("v1", namespaced("pods"), clusterScoped("nodes"), unwatchable("bindings")),
		list("apps/v1", namespaced("deployments")),
		list("apps/v1beta1", namespaced("deployments")),
		list("apps/v1alpha1", unwatchable("deployments")),
	}
	in := func(groups, versions, resources []string) ruleset.ResourceRule {
		return ruleset.ResourceRule{APIGroups: groups, APIVersions: versions, Resources: resources}
	}
	for _, tt := range []struct {
		promise  string
		rule     ruleset.Rule
		groups   []string
		resource string
		err      error
	}{
		{"a resource that no group has", rule("", "r", "a", resources("widgets")), []string{"*"}, "widgets", ruleset.ErrNotServed},
		{"a resource of another group", rule("", "r", "a", in([]string{"batch", ""}, nil, []string{"deployments"})), []string{"", "batch"}, "deployments", ruleset.ErrNotServed},
		{"a group that is not there", rule("", "r", "a", in([]string{"example.com"}, nil, nil)), []string{"example.com"}, "*", ruleset.ErrNotServed},
		{"a version that is not there", rule("", "r", "a", in(nil, []string{"v2"}, []string{"pods"})), []string{"*"}, "pods", ruleset.ErrNotServed},
		{"a group without such a version", rule("", "r", "a", in([]string{"apps"}, []string{"v2"}, nil)), []string{"apps"}, "*", ruleset.ErrNotServed},
		{"a type that cannot be watched", rule("", "r", "a", resources("bindings")), []string{"*"}, "bindings", ruleset.ErrNotWatchable},
		{"a version that cannot be watched", rule("", "r", "a", in(nil, []string{"v1alpha1"}, []string{"deployments"})), []string{"*"}, "deployments", ruleset.ErrNotWatchable},
		{"a cluster-scoped type in a namespace", rule("x", "r", "a", resources("nodes")), []string{"*"}, "nodes", ruleset.ErrNotWatchable},
		{"a type of another scope", rule("", "r", "a", ruleset.ResourceRule{Resources: []string{"nodes"}, Scope: ruleset.NamespacedScope}), []string{"*"}, "nodes", ruleset.ErrNotWatchable},
		{"a type that is read in another version", rule("", "r", "a", in(nil, []string{"v1beta1"}, nil)), []string{"apps"}, "deployments", ruleset.ErrOtherVersion},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			other := rule("", "other", "b", resources("pods", "deployments"))
			s := compile(t, tt.rule, other)
			watches, err := s.Watches(served(lists))
			var fault *ruleset.TypeError
			require.ErrorAs(t, err, &fault)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, &ruleset.TypeError{Rule: tt.rule.Name, Destination: tt.rule.Destination, Groups: tt.groups, Resource: tt.resource, Meant: fault.Meant, Err: fault.Err}, fault)
			require.Equal(t, fault.Error(), err.Error(), "once")
			require.Equal(t, "pods.v1. in all\n  b: all, prune\ndeployments.v1.apps in all\n  b: all, prune", show(watches), "other rules and types are not affected")
			require.NoError(t, s.Err(tt.rule.Name), "the rule itself is valid")
		})
	}
}

func TestWatchesNameTheVersionsThatAreServedBesideOneThatIsNot(t *testing.T) {
	s := compile(t, rule("", "r", "a", ruleset.ResourceRule{APIVersions: []string{"v9"}, Resources: []string{"deployments"}}))
	_, err := s.Watches(served([]*metav1.APIResourceList{list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"))}))
	require.ErrorContains(t, err, `in versions ["v9"]: allow one of ["v1" "v1beta1"]`)
}

func TestAClusterRuleForAnotherVersionMakesNoWatchOfAll(t *testing.T) {
	s := compile(t, rule("x", "r", "a", resources("deployments")),
		rule("", "beta", "b", ruleset.ResourceRule{APIVersions: []string{"v1beta1"}, Resources: []string{"deployments"}}))
	watches, err := s.Watches(served([]*metav1.APIResourceList{list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"))}))
	require.ErrorIs(t, err, ruleset.ErrOtherVersion)
	require.Equal(t, "deployments.v1.apps in x\n  a: x, prune", show(watches))
}

func TestWatchesReportNothingThatARuleDoesNotName(t *testing.T) {
	lists := []*metav1.APIResourceList{list("v1", namespaced("pods"), unwatchable("bindings")), list("apps/v1", namespaced("deployments"))}
	s := compile(t,
		rule("", "both-groups", "a", ruleset.ResourceRule{APIGroups: []string{"", "apps"}, Resources: []string{"pods", "deployments"}}),
		rule("", "wildcard", "a", ruleset.ResourceRule{APIVersions: []string{"v1", "v9"}}),
		rule("x", "group", "a", ruleset.ResourceRule{APIGroups: []string{"apps"}}),
	)
	_, err := s.Watches(served(lists))
	require.NoError(t, err)
}

func TestWatchesPruneNothingThatARuleHasWrittenInAnotherVersion(t *testing.T) {
	beta := rule("", "beta", "a", ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1beta1"}})
	stable := rule("", "stable", "a", ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1"}})
	stable.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"only": "some"}}
	s := compile(t, beta, stable)
	v1, v1beta1 := list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"))
	for _, tt := range []struct {
		promise string
		lists   []*metav1.APIResourceList
		err     error
	}{
		{"both served", []*metav1.APIResourceList{v1, v1beta1}, ruleset.ErrOtherVersion},
		{"the old one is gone", []*metav1.APIResourceList{v1}, ruleset.ErrNotServed},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			watches, err := s.Watches(served(tt.lists))
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, "deployments.v1.apps in all\n  a: all", show(watches))
		})
	}
}

func TestWatchesPruneNothingOfARuleThatAsksForLessInThisVersion(t *testing.T) {
	beta := ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1beta1"}, Operations: keep}
	stable := ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{"v1"}, Operations: []event.Operation{event.Delete}}
	watches, err := compile(t, rule("", "r", "a", beta, beta, stable)).Watches(served([]*metav1.APIResourceList{
		list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments")),
	}))
	require.ErrorIs(t, err, ruleset.ErrOtherVersion)
	require.Equal(t, 1, strings.Count(err.Error(), "deployments"), "one rule, one type, one error")
	require.Equal(t, "deployments.v1.apps in all\n  a: all", show(watches))
}

func TestWatchesLetNoInvalidRuleChooseTheVersion(t *testing.T) {
	lists := []*metav1.APIResourceList{list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"))}
	in := func(version string) ruleset.ResourceRule {
		return ruleset.ResourceRule{Resources: []string{"deployments"}, APIVersions: []string{version}}
	}
	for _, tt := range []struct{ invalid, valid string }{{"v1", "v1beta1"}, {"v1beta1", "v1"}} {
		bad := rule("", "bad", "a", operations(in(tt.invalid), "CONNECT"))
		s, err := ruleset.Compile(destinations(t, "a", "b"), bad, rule("", "good", "b", in(tt.valid)))
		require.Error(t, err)
		watches, err := s.Watches(served(lists))
		require.NoError(t, err, "what is wrong with a rule that is left out, Compile has said")
		require.Equal(t, "deployments."+tt.valid+".apps in all\n  b: all, prune", show(watches))
	}
}

func TestWatchesGiveMatchTheVersionThatItExpects(t *testing.T) {
	lists := []*metav1.APIResourceList{list("apps/v1", namespaced("deployments")), list("apps/v1beta1", namespaced("deployments"))}
	s := compile(t, rule("", "r", "a", ruleset.ResourceRule{APIVersions: []string{"v1beta1"}}))
	watches, err := s.Watches(served(lists))
	require.NoError(t, err)
	require.Len(t, watches, 1)
	w := watches[0].Resource
	require.NotNil(t, s.Match(object(w.Group, w.Version, w.Resource, "x", "d")))
	require.Nil(t, s.Match(object("apps", "v1", "deployments", "x", "d")))
}

func TestWatchesTakeAVersionThatCanBeWatched(t *testing.T) {
	unlistable := namespaced("widgets")
	unlistable.Verbs = metav1.Verbs{"get", "watch"}
	lists := []*metav1.APIResourceList{
		list("example.com/v3", unlistable), list("example.com/v2", unwatchable("widgets")), list("example.com/v1", namespaced("widgets")),
	}
	watches, err := compile(t, rule("", "r", "a", resources("widgets"))).Watches(served(lists))
	require.NoError(t, err)
	require.Equal(t, "widgets.v1.example.com in all\n  a: all, prune", show(watches))
}

func TestWatchesReportAListThatTheyCannotRead(t *testing.T) {
	for _, groupVersion := range []string{"", "a/b/c"} {
		watches, err := compile(t, rule("", "r", "a", ruleset.ResourceRule{})).Watches(served([]*metav1.APIResourceList{
			list(groupVersion, namespaced("pods"), namespaced("widgets")), list("v1", namespaced("pods")),
		}))
		require.ErrorContains(t, err, groupVersion)
		require.Equal(t, "pods.v1. in all\n  a: all, prune", show(watches), "and watch nothing of it")
	}
}
