package ruleset_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestCompileNamesTheFieldAndTheValueOfEveryFault(t *testing.T) {
	broken := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}
	first := func(r ruleset.ResourceRule) ruleset.Rule { return rule("", "r", "a", r) }
	with := func(namespace string, change func(*ruleset.Rule)) ruleset.Rule {
		r := rule(namespace, "r", "a", ruleset.ResourceRule{})
		change(&r)
		return r
	}
	for _, tt := range []struct {
		promise string
		rule    ruleset.Rule
		field   string
		value   string
	}{
		{"a subresource", first(resources("pods", "pods/status")), "Resources[0].Resources[1]", "pods/status"},
		{"all subresources of one", first(resources("pods/*")), "Resources[0].Resources[0]", "pods/*"},
		{"all subresources", first(resources("*/*")), "Resources[0].Resources[0]", "*/*"},
		{"an empty resource", first(resources("")), "Resources[0].Resources[0]", ""},
		{"a partial wildcard", first(resources("po*")), "Resources[0].Resources[0]", "po*"},
		{"CONNECT", first(operations(resources(), event.Create, "CONNECT")), "Resources[0].Operations[1]", "CONNECT"},
		{"SEED_SYNC", first(operations(resources(), event.SeedSync)), "Resources[0].Operations[0]", "SEED_SYNC"},
		{"a lower-case operation", first(operations(resources(), "create")), "Resources[0].Operations[0]", "create"},
		{"an empty operation", first(operations(resources(), "")), "Resources[0].Operations[0]", ""},
		{"a group with a version", first(ruleset.ResourceRule{APIGroups: []string{"apps/v1"}}), "Resources[0].APIGroups[0]", "apps/v1"},
		{"a wildcard in a group", first(ruleset.ResourceRule{APIGroups: []string{"*.example.com"}}), "Resources[0].APIGroups[0]", "*.example.com"},
		{"a version with a group", first(ruleset.ResourceRule{APIVersions: []string{"apps/v1"}}), "Resources[0].APIVersions[0]", "apps/v1"},
		{"an empty version", first(ruleset.ResourceRule{APIVersions: []string{""}}), "Resources[0].APIVersions[0]", ""},
		{"an unknown scope", first(ruleset.ResourceRule{Scope: "namespaced"}), "Resources[0].Scope", "namespaced"},
		{"no resource rule", rule("", "r", "a"), "Resources", ""},
		{"cluster scope in a namespace", rule("x", "r", "a", ruleset.ResourceRule{Scope: ruleset.ClusterScope}), "Resources[0].Scope", "Cluster"},
		{"an empty name", rule("x", "", "a", ruleset.ResourceRule{}), "Name", "x/"},
		{"a namespace selector in a namespace", with("x", func(r *ruleset.Rule) {
			r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}), "NamespaceSelector", "a=b"},
		{"a broken namespace selector", with("", func(r *ruleset.Rule) { r.NamespaceSelector = broken }), "NamespaceSelector", broken.String()},
		{"a broken object selector", with("", func(r *ruleset.Rule) { r.ObjectSelector = broken }), "ObjectSelector", broken.String()},
		{"a fault in an exclusion", with("", func(r *ruleset.Rule) {
			r.Exclude = []ruleset.Exclusion{{}, {ResourceRule: resources("pods/log")}}
		}), "Exclude[1].Resources[0]", "pods/log"},
		{"a broken glob", with("", func(r *ruleset.Rule) { r.Exclude = []ruleset.Exclusion{{Names: []string{"a", "x[", ""}}} }), "Exclude[0].Names[1]", "x["},
		{"an unknown preset", with("", func(r *ruleset.Rule) { r.Skip = []ruleset.Preset{ruleset.SkipEvents, "events"} }), "Skip[1]", "events"},
		{"an empty glob", with("", func(r *ruleset.Rule) { r.Exclude = []ruleset.Exclusion{{Names: []string{""}}} }), "Exclude[0].Names[0]", ""},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			s, err := ruleset.Compile(destinations(t, "a"), tt.rule)
			var fault *ruleset.RuleError
			require.ErrorAs(t, err, &fault)
			require.ErrorIs(t, err, ruleset.ErrInvalid)
			require.Equal(t, tt.rule.Name, fault.Rule)
			require.Equal(t, tt.field, fault.Field)
			require.Equal(t, tt.value, fault.Value)
			require.Equal(t, err.Error(), s.Err(tt.rule.Name).Error())
			require.Nil(t, s.Match(pod("x", "p")), "a rule with a fault must be left out as a whole")
		})
	}
}

func TestCompileReportsAllFaultsAndKeepsTheValidRules(t *testing.T) {
	bad := rule("", "bad", "a", operations(resources("pods/log", "*/*"), "CONNECT"))
	bad.Destination = name("git", "nowhere")
	s, err := ruleset.Compile(destinations(t, "a"), bad, rule("", "good", "a", resources("pods")), rule("x", "worse", "a"))

	require.EqualError(t, err, `ClusterWatchRule bad: Destination "git/nowhere": unknown destination: there is no GitDestination git/nowhere, create it or correct the reference
ClusterWatchRule bad: Resources[0].Operations[0] "CONNECT": invalid: a connection changes no object, use CREATE, UPDATE, DELETE or *
ClusterWatchRule bad: Resources[0].Resources[0] "pods/log": invalid: subresources are never mirrored, name the resource alone
ClusterWatchRule bad: Resources[0].Resources[1] "*/*": invalid: * stands for a whole value, it cannot be part of one
WatchRule x/worse: Resources "": invalid: the rule selects nothing, add a ResourceRule; an empty one selects everything`)
	require.NoError(t, s.Err(name("", "good")))
	require.NoError(t, s.Err(name("", "never given")))
	require.Error(t, s.Err(name("x", "worse")))
	require.Len(t, s.Match(pod("x", "p")), 1)
}

func TestCompileLeavesOutARuleWhoseDestinationIsUnknownOrInvalid(t *testing.T) {
	repository := destination.Repository{Ref: name("git", "repository"), URL: "https://example.com/r", AllowedBranches: []string{"main"}}
	set, err := destination.Resolve([]destination.Repository{repository}, []destination.Spec{
		{Ref: name("git", "a"), RepositoryRef: repository.Ref, Branch: "main"},
		{Ref: name("git", "refused"), RepositoryRef: repository.Ref, Branch: "dev"},
	})
	require.ErrorIs(t, err, destination.ErrBranchNotAllowed)

	s, err := ruleset.Compile(set, rule("", "one", "nowhere", resources()), rule("", "two", "refused", resources()), rule("", "three", "a", resources()))
	require.Error(t, err)
	for _, tt := range []struct{ rule, ref string }{{"one", "git/nowhere"}, {"two", "git/refused"}} {
		err := s.Err(name("", tt.rule))
		require.ErrorIs(t, err, destination.ErrUnknown)
		require.ErrorContains(t, err, tt.ref)
	}
	require.ErrorIs(t, s.Err(name("", "two")), destination.ErrBranchNotAllowed)
	matches := s.Match(pod("x", "p"))
	require.Len(t, matches, 1)
	require.Equal(t, name("git", "a"), matches[0].Destination.Ref)
}

func TestWhatIsWrongWithADestinationIsToldToItsOwner(t *testing.T) {
	repository := destination.Repository{Ref: name("git", "repository"), URL: "https://example.com/r"}
	var specs []destination.Spec
	for _, ns := range []string{"git", "other"} {
		specs = append(specs, destination.Spec{
			Ref: name(ns, "d"), RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "same", AllowedNamespaces: []string{"*"},
		})
	}
	repository.AllowedNamespaces = []string{"*"}
	set, err := destination.Resolve([]destination.Repository{repository}, specs)
	require.ErrorIs(t, err, destination.ErrOverlap)
	s, err := ruleset.Compile(set, rule("git", "owner", "d", resources()), rule("", "cluster", "d", resources()), rule("guest", "guest", "d", resources()))
	require.Error(t, err)
	for _, told := range []error{s.Err(name("git", "owner")), s.Err(name("", "cluster"))} {
		require.ErrorIs(t, told, destination.ErrUnknown)
		require.ErrorIs(t, told, destination.ErrOverlap)
	}
	told := s.Err(name("guest", "guest"))
	require.ErrorIs(t, told, destination.ErrUnknown)
	require.ErrorContains(t, told, "ask whoever owns it")
	require.NotErrorIs(t, told, destination.ErrOverlap)
	require.NotContains(t, told.Error(), "same", "where somebody else writes is not a guest's to know")
}

func TestCompileLeavesOutBothRulesOfOneNameWhateverTheirOrder(t *testing.T) {
	one, two := rule("x", "same", "a", resources("pods")), rule("x", "same", "b", resources("pods"))
	other := rule("y", "same", "a", resources("pods"))
	for _, rules := range [][]ruleset.Rule{{one, two, other}, {two, other, one}} {
		s, err := ruleset.Compile(destinations(t, "a", "b"), rules...)
		require.ErrorContains(t, err, "2 rules have this name")
		require.Error(t, s.Err(one.Name))
		require.NoError(t, s.Err(other.Name))
		require.Nil(t, s.Match(pod("x", "p")))
		require.NotNil(t, s.Match(pod("y", "p")))
	}
}

func TestCompileKeepsNothingOfTheCallers(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{Resources: []string{"pods"}, APIVersions: []string{"v1"}})
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	r.Exclude = []ruleset.Exclusion{{Names: []string{"not-me"}}}
	r.IgnoreManagers = []string{"robot"}
	s := compile(t, r)
	in := pod("x", "p")
	in.Labels, in.Managers = map[string]string{"a": "b"}, []string{"robot"}
	before := s.Match(in)
	require.Len(t, before, 1)

	r.Resources[0].Resources[0], r.Resources[0].APIVersions[0] = "nodes", "v9"
	r.ObjectSelector.MatchLabels["a"] = "c"
	r.Exclude[0].Names[0] = "p"
	r.IgnoreManagers[0] = "human"
	require.Equal(t, before, s.Match(in))
}

func TestTheZeroRuleSetHasNoRules(t *testing.T) {
	var s ruleset.RuleSet
	require.Nil(t, s.Match(pod("x", "p")))
	require.NoError(t, s.Err(name("", "r")))
	watches, err := s.Watches(served([]*metav1.APIResourceList{list("v1", namespaced("pods"))}))
	require.NoError(t, err)
	require.Empty(t, watches)
}

func TestRuleErrorsAreFoundByType(t *testing.T) {
	_, err := ruleset.Compile(destinations(t), rule("x", "r", "a", resources("pods")))
	fault, ok := errors.AsType[*ruleset.RuleError](err)
	require.True(t, ok)
	require.Equal(t, &ruleset.RuleError{Rule: name("x", "r"), Field: "Destination", Value: "git/a", Err: fault.Err}, fault)
}
