package ruleset_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestMatchSelectsTypesAsAdmissionDoesButAnEmptyListIsAll(t *testing.T) {
	pods := pod("x", "p")
	node := object("", "v1", "nodes", "", "n")
	namespace := object("", "v1", "namespaces", "", "x")
	deployment := object("apps", "v1", "deployments", "x", "d")
	beta := object("apps", "v1beta1", "deployments", "x", "d")
	for _, tt := range []struct {
		promise string
		rule    ruleset.ResourceRule
		match   []ruleset.Input
		not     []ruleset.Input
	}{
		{"everything empty", ruleset.ResourceRule{}, []ruleset.Input{pods, node, namespace, deployment, beta}, nil},
		{"wildcards", ruleset.ResourceRule{Operations: []event.Operation{"*"}, APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*"}, Scope: "*"},
			[]ruleset.Input{pods, node, namespace, deployment, beta}, nil},
		{"a wildcard beside other values", ruleset.ResourceRule{APIGroups: []string{"apps", "*"}, Resources: []string{"*", "nodes"}}, []ruleset.Input{pods, node, deployment}, nil},
		{"the core group", ruleset.ResourceRule{APIGroups: []string{""}}, []ruleset.Input{pods, node}, []ruleset.Input{deployment}},
		{"a group", ruleset.ResourceRule{APIGroups: []string{"apps"}}, []ruleset.Input{deployment, beta}, []ruleset.Input{pods}},
		{"two groups", ruleset.ResourceRule{APIGroups: []string{"apps", ""}}, []ruleset.Input{deployment, pods}, []ruleset.Input{object("batch", "v1", "jobs", "x", "j")}},
		{"a version", ruleset.ResourceRule{APIVersions: []string{"v1beta1"}}, []ruleset.Input{beta}, []ruleset.Input{deployment, pods}},
		{"a resource", resources("pods"), []ruleset.Input{pods}, []ruleset.Input{node, deployment}},
		{"cluster scope", ruleset.ResourceRule{Scope: ruleset.ClusterScope}, []ruleset.Input{node, namespace}, []ruleset.Input{pods}},
		{"namespaced scope", ruleset.ResourceRule{Scope: ruleset.NamespacedScope}, []ruleset.Input{pods}, []ruleset.Input{node, namespace}},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			s := compile(t, rule("", "r", "a", tt.rule))
			for _, in := range tt.match {
				require.Len(t, s.Match(in), 1, "%v", in.Resource)
			}
			for _, in := range tt.not {
				require.Nil(t, s.Match(in), "%v", in.Resource)
			}
		})
	}
}

func TestMatchShowsANamespacedRuleItsOwnNamespaceOnly(t *testing.T) {
	s := compile(t, rule("x", "r", "a", ruleset.ResourceRule{}))
	require.Len(t, s.Match(pod("x", "p")), 1)
	require.Nil(t, s.Match(pod("y", "p")))
	require.Nil(t, s.Match(object("", "v1", "nodes", "", "x")), "a cluster-scoped object")
	require.Nil(t, s.Match(object("", "v1", "namespaces", "", "x")), "not even the namespace itself")
}

func TestMatchReturnsEachDestinationOnceInStableOrder(t *testing.T) {
	rules := []ruleset.Rule{
		rule("", "z", "b", resources("pods"), resources("*"), resources()),
		rule("x", "m", "a", resources("pods")),
		rule("", "k", "b", resources("pods")),
		rule("x", "a", "b", resources("pods")),
		rule("x", "no", "c", resources("services")),
	}
	want := []ruleset.Match{
		{Destination: get(t, destinations(t, "a"), "a"), Rules: []types.NamespacedName{name("x", "m")}, Writes: true, Delete: true},
		{
			Destination: get(t, destinations(t, "b"), "b"), Writes: true, Delete: true,
			Rules: []types.NamespacedName{name("", "k"), name("", "z"), name("x", "a")},
		},
	}
	for range rules {
		rules = append(rules[1:], rules[0])
		require.Equal(t, want, compile(t, rules...).Match(pod("x", "p")))
	}
}

// unions is also a table in docs/rules.md.
var unions = []struct {
	promise    string
	operations [][]event.Operation // of one rule each
	writes     bool
	condition  event.Precondition
	deletes    bool
}{
	{"only CREATE", [][]event.Operation{{event.Create}}, true, event.IfAbsent, false},
	{"only UPDATE", [][]event.Operation{{event.Update, event.Delete}}, true, event.IfPresent, true},
	{"both in one rule", [][]event.Operation{{event.Update, event.Create}}, true, event.Always, false},
	{"both in two rules", [][]event.Operation{{event.Create}, {event.Update}}, true, event.Always, false},
	{"CREATE twice", [][]event.Operation{{event.Create}, {event.Create, event.Delete}}, true, event.IfAbsent, true},
	{"only DELETE never writes", [][]event.Operation{{event.Delete}}, false, event.Always, true},
	{"CREATE beside DELETE", [][]event.Operation{{event.Delete}, {event.Create}}, true, event.IfAbsent, true},
	{"none listed", [][]event.Operation{nil}, true, event.Always, true},
	{"all", [][]event.Operation{{event.Create, ruleset.AllOperations}}, true, event.Always, true},
}

func TestMatchCombinesOperationsOverAllRulesOfADestination(t *testing.T) {
	for _, tt := range unions {
		t.Run(tt.promise, func(t *testing.T) {
			var rules []ruleset.Rule
			var oneRule []ruleset.ResourceRule
			for i, list := range tt.operations {
				rules = append(rules, rule("", string(rune('a'+i)), "a", operations(resources("pods"), list...)))
				oneRule = append(oneRule, operations(resources("pods"), list...))
			}
			for _, s := range []*ruleset.RuleSet{compile(t, rules...), compile(t, rule("", "all", "a", oneRule...))} {
				matches := s.Match(pod("x", "p"))
				require.Len(t, matches, 1)
				require.Equal(t, tt.writes, matches[0].Writes)
				require.Equal(t, tt.condition, matches[0].Precondition)
				require.Equal(t, tt.deletes, matches[0].Delete)
			}
		})
	}
}

func TestMatchAsksBothSelectors(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
	r.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "skip", Operator: metav1.LabelSelectorOpDoesNotExist},
	}}
	s := compile(t, r)
	red, blue, skip := map[string]string{"team": "red"}, map[string]string{"team": "blue"}, map[string]string{"team": "red", "skip": ""}
	for _, tt := range []struct {
		promise                 string
		in                      ruleset.Input
		labels, namespaceLabels map[string]string
		match                   bool
	}{
		{"both select", pod("x", "p"), nil, red, true},
		{"another namespace", pod("x", "p"), red, blue, false},
		{"a namespace without labels", pod("x", "p"), red, nil, false},
		{"another object", pod("x", "p"), skip, red, false},
		{"a cluster-scoped object is not restricted by namespace", object("", "v1", "nodes", "", "n"), nil, nil, true},
		{"nor is one that has its resource name from Namespace", object("example.com", "v1", "namespaces", "", "n"), nil, nil, true},
		{"a Namespace is matched by its own labels", object("", "v1", "namespaces", "", "n"), red, nil, true},
		{"a Namespace with others", object("", "v1", "namespaces", "", "n"), blue, nil, false},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			tt.in.Labels, tt.in.NamespaceLabels = tt.labels, tt.namespaceLabels
			require.Equal(t, tt.match, s.Match(tt.in) != nil)
		})
	}
}

func TestMatchTakesAnEmptySelectorForEverything(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.NamespaceSelector, r.ObjectSelector = &metav1.LabelSelector{}, &metav1.LabelSelector{}
	require.NotNil(t, compile(t, r).Match(pod("x", "p")))
}

func TestMatchLetsExclusionsWin(t *testing.T) {
	r := rule("", "r", "a", resources("pods"), resources("secrets"), resources())
	r.Exclude = []ruleset.Exclusion{
		{ResourceRule: resources("secrets")},
		{ResourceRule: operations(resources("pods"), event.Delete), Names: []string{"keep-*", "kept"}},
		{ResourceRule: ruleset.ResourceRule{Scope: ruleset.ClusterScope, APIGroups: []string{"rbac.authorization.k8s.io"}}, Names: []string{"system:*"}},
		{ResourceRule: ruleset.ResourceRule{APIVersions: []string{"v1beta1"}}},
	}
	s := compile(t, r, rule("", "other", "b", resources()))
	wants := func(in ruleset.Input) (writes, deletes bool) {
		matches := s.Match(in)
		require.Equal(t, name("git", "b"), matches[len(matches)-1].Destination.Ref, "an exclusion is of one rule only")
		if len(matches) == 1 {
			return false, false
		}
		return matches[0].Writes, matches[0].Delete
	}
	const rbac = "rbac.authorization.k8s.io"
	for _, tt := range []struct {
		promise         string
		in              ruleset.Input
		writes, deletes bool
	}{
		{"an excluded type", object("", "v1", "secrets", "x", "s"), false, false},
		{"an excluded operation", pod("x", "keep-me"), true, false},
		{"of another name", pod("x", "kept"), true, false},
		{"a name that is not excluded", pod("x", "keeper"), true, true},
		{"an excluded cluster role", object(rbac, "v1", "clusterroles", "", "system:node"), false, false},
		{"a role outside the exclusion's scope", object(rbac, "v1", "roles", "x", "system:node"), true, true},
		{"an excluded version", object("apps", "v1beta1", "deployments", "x", "d"), false, false},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			writes, deletes := wants(tt.in)
			require.Equal(t, tt.writes, writes)
			require.Equal(t, tt.deletes, deletes)
		})
	}
}

func TestAnEmptyListOfAnExclusionIsAll(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.Exclude = []ruleset.Exclusion{{ResourceRule: resources("pods"), Names: []string{}, Namespaces: []string{}, Managers: []string{}}}
	s := compile(t, r)
	require.Nil(t, s.Match(pod("x", "p")))
	require.NotNil(t, s.Match(object("", "v1", "secrets", "x", "s")))
}

func TestMatchSkipsControlledObjects(t *testing.T) {
	r := rule("", "r", "a", resources("pods"))
	r.SkipControlled = true
	s := compile(t, r, rule("", "other", "b", resources("pods")))
	in := pod("x", "p")
	require.Len(t, s.Match(in), 2)
	in.Controlled = true
	matches := s.Match(in)
	require.Len(t, matches, 1)
	require.Equal(t, name("git", "b"), matches[0].Destination.Ref)
}

func TestMatchClaimsButDoesNotWriteWhatIgnoredManagersChanged(t *testing.T) {
	r := rule("", "r", "a", operations(resources("pods"), event.Create, event.Update))
	r.IgnoreManagers = []string{"argocd", "flux"}
	s := compile(t, r)
	deletes := rule("", "r", "a", resources("pods"))
	deletes.IgnoreManagers = r.IgnoreManagers
	for _, tt := range []struct {
		promise  string
		managers []string
		writes   bool
	}{
		{"unknown managers", nil, true},
		{"an ignored one", []string{"flux"}, false},
		{"ignored ones", []string{"flux", "argocd"}, false},
		{"another one beside", []string{"flux", "kubectl"}, true},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			in := pod("x", "p")
			in.Managers = tt.managers
			matches := s.Match(in)
			require.Len(t, matches, 1, "the object is claimed in any case, else its file would be an orphan")
			require.Equal(t, tt.writes, matches[0].Writes)
			require.Equal(t, event.Always, matches[0].Precondition)
			require.False(t, matches[0].Delete)
			require.True(t, compile(t, deletes).Match(in)[0].Delete, "a delete is no write")
		})
	}
}

func TestMatchWritesWhatAnotherRuleOfTheDestinationDoesNotIgnore(t *testing.T) {
	r := rule("", "r", "a", resources("pods"))
	r.IgnoreManagers = []string{"flux"}
	s := compile(t, r, rule("x", "s", "a", operations(resources("pods"), event.Update)))
	in := pod("x", "p")
	in.Managers = []string{"flux"}
	matches := s.Match(in)
	require.Len(t, matches, 1)
	require.True(t, matches[0].Writes)
	require.Equal(t, event.IfPresent, matches[0].Precondition)
}

func TestMatchAllocatesNothingWhenNothingMatches(t *testing.T) {
	selective := rule("", "selective", "a", resources("pods"))
	selective.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"no": "such"}}
	excluding := rule("x", "excluding", "a", resources("pods"))
	excluding.Exclude = []ruleset.Exclusion{{Names: []string{"p*"}}}
	s := compile(t, selective, excluding, rule("", "r", "b", resources("services")), rule("x", "s", "b", ruleset.ResourceRule{APIGroups: []string{"apps"}}))
	in := pod("x", "p")
	in.Labels = map[string]string{"app": "web"}
	require.Nil(t, s.Match(in))
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Match(in) }))
}

func TestMatchMayBeCalledConcurrently(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	s := compile(t, r, rule("x", "s", "b", resources("pods")))
	in := pod("x", "p")
	in.Labels = map[string]string{"app": "web"}
	want := s.Match(in)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				got := s.Match(in)
				if len(got) != len(want) || got[0].Rules[0] != want[0].Rules[0] {
					t.Error("another result than alone")
				}
				got[0].Rules[0].Name = "the result is the caller's"
				_, _ = s.Watches(served([]*metav1.APIResourceList{list("v1", namespaced("pods"))}))
			}
		})
	}
	group.Wait()
}
