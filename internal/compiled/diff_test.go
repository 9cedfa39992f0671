package compiled_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

func never(destination.Destination) bool { return false }

// constant is a Condition that can be compared, list one that cannot.
type constant bool

func (c constant) Holds(ruleset.Input) (bool, error) { return bool(c), nil }

type uncomparable []string

// holder's type can be compared, what it holds may not.
type holder struct{ ruleset.Condition }

func (uncomparable) Holds(ruleset.Input) (bool, error) { return true, nil }

func TestDiffComparesWhatTheRulesSayOfOneType(t *testing.T) {
	base := func() ruleset.Rule {
		r := rule("", "r", "a", operations(resources("pods", "secrets"), event.Create, event.Update))
		r.Exclude = []ruleset.Exclusion{{ResourceRule: resources("pods"), Names: []string{"x*"}}}
		r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"k": "v"}}
		r.Condition = constant(true)
		r.IgnoreManagers = []string{"m"}
		return r
	}
	with := func(change func(*ruleset.Rule)) ruleset.Rule {
		r := base()
		change(&r)
		return r
	}
	for _, tc := range []struct {
		name  string
		next  []ruleset.Rule
		alike bool
	}{
		{"nothing changed", []ruleset.Rule{base()}, true},
		{"another type", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Resources[0].Resources = []string{"pods", "services"} })}, true},
		{"an exclusion of another type", []ruleset.Rule{with(func(r *ruleset.Rule) {
			r.Exclude = append(r.Exclude, ruleset.Exclusion{ResourceRule: resources("secrets")})
		})}, true},
		{"operations for another type", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Resources = append(r.Resources, resources("services")) })}, true},
		{"a rule for another version", []ruleset.Rule{base(), rule("", "s", "a", ruleset.ResourceRule{Resources: []string{"pods"}, APIVersions: []string{"v9"}})}, true},
		{"a rule for another type", []ruleset.Rule{base(), rule("", "s", "a", resources("services"))}, true},
		{"the type twice", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Resources = append(r.Resources, r.Resources[0]) })}, true},
		{"a rule more", []ruleset.Rule{base(), rule("n", "s", "a", resources("pods"))}, false},
		{"no rule", nil, false},
		{"another name", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Name.Name = "s" })}, false},
		{"another destination", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Destination = name("git", "b") })}, false},
		{"operations", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Resources[0].Operations = []event.Operation{event.Create} })}, false},
		{"operations of an exclusion", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Exclude[0].Operations = []event.Operation{event.Update} })}, false},
		{"namespaces of an exclusion", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Exclude[0].Namespaces = []string{"n"} })}, false},
		{"selector of an exclusion", []ruleset.Rule{with(func(r *ruleset.Rule) {
			r.Exclude[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"k": "v"}}
		})}, false},
		{"managers of an exclusion", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Exclude[0].Managers = []string{"m"} })}, false},
		{"names of an exclusion", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Exclude[0].Names = []string{"y*"} })}, false},
		{"selector", []ruleset.Rule{with(func(r *ruleset.Rule) { r.ObjectSelector.MatchLabels["k"] = "w" })}, false},
		{"no selector", []ruleset.Rule{with(func(r *ruleset.Rule) { r.ObjectSelector = nil })}, false},
		{"namespace selector", []ruleset.Rule{with(func(r *ruleset.Rule) {
			r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"k": "v"}}
		})}, false},
		{"condition", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Condition = constant(false) })}, false},
		{"no condition", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Condition = nil })}, false},
		{"a condition that cannot be compared", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Condition = uncomparable{} })}, false},
		{"a condition that holds what cannot be compared", []ruleset.Rule{with(func(r *ruleset.Rule) { r.Condition = holder{uncomparable{}} })}, false},
		{"managers", []ruleset.Rule{with(func(r *ruleset.Rule) { r.IgnoreManagers = nil })}, false},
		{"controlled", []ruleset.Rule{with(func(r *ruleset.Rule) { r.SkipControlled = true })}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			old := compile(t, base())
			next := compile(t, tc.next...)
			for _, s := range [][2]*compiled.Rules{{old, next}, {next, old}} {
				all, namespaces := s[1].Diff(s[0], pods, never)
				require.Equal(t, tc.alike, !all && len(namespaces) == 0)
			}
		})
	}
}

func TestConditionsThatHoldWhatCannotBeComparedDiffer(t *testing.T) {
	r := rule("", "r", "a", resources("pods"))
	r.Condition = holder{uncomparable{}}
	s := compile(t, r)
	all, _ := s.Diff(s, pods, never)
	require.True(t, all)
}

func TestDiffNamesNamespacesAndForgetsDestinationsThatAreGone(t *testing.T) {
	changed := func(next, old *compiled.Rules, gone func(destination.Destination) bool) []string {
		all, namespaces := next.Diff(old, pods, gone)
		if all {
			return []string{"all"}
		}
		return namespaces
	}
	old := compile(t, rule("x", "r", "a", resources("pods")), rule("y", "r", "b", resources("pods")))
	next := compile(t, rule("x", "r", "a", resources("pods")), rule("z", "r", "a", resources("pods")))
	require.Equal(t, []string{"y", "z"}, changed(next, old, never))
	b, _ := destinations(t).Get(name("git", "b"))
	gone := func(d destination.Destination) bool { return d == b }
	require.Equal(t, []string{"z"}, changed(next, old, gone), "what is gone needs no listing")
	require.Equal(t, []string{"y", "z"}, changed(old, next, gone), "what comes does")
	require.Equal(t, []string{"all"}, changed(compile(t, rule("", "r", "a", resources("pods"))), old, never))

	list := compile(t, func() ruleset.Rule {
		r := rule("x", "r", "a", resources("pods"))
		r.Condition = uncomparable{}
		return r
	}())
	require.Equal(t, []string{"x"}, changed(list, list, never), "nobody knows whether these Conditions are equal")
}

func TestChangedDestinationsAreThoseOfWhoseRulesAnythingDiffers(t *testing.T) {
	a, b := rule("x", "r", "a", resources("pods")), rule("x", "q", "b", resources("pods"))
	old := compile(t, a, b)
	require.Empty(t, compile(t, b, a).ChangedDestinations(old))
	require.Equal(t, []destination.Ref{name("git", "b")}, compile(t, a).ChangedDestinations(old))
	require.Equal(t, []destination.Ref{name("git", "c")}, compile(t, a, b, rule("x", "s", "c", resources("pods"))).ChangedDestinations(old))
	require.Equal(t, []destination.Ref{name("git", "a"), name("git", "b"), name("git", "c")},
		compile(t, rule("", "s", "c", resources("pods"))).ChangedDestinations(old), "in the order of their names")
}

func TestChangedDestinationsAreToldOfEachFieldOfARule(t *testing.T) {
	base := func() ruleset.Rule {
		r := rule("", "r", "a", ruleset.ResourceRule{
			Operations: []event.Operation{event.Create}, APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: ruleset.NamespacedScope,
		})
		r.Exclude = []ruleset.Exclusion{{ResourceRule: resources("pods"), Names: []string{"x*"}}}
		r.Keep = ruleset.DefaultPresets()
		return r
	}
	for field, change := range map[string]func(*ruleset.Rule){
		"Operations":           func(r *ruleset.Rule) { r.Resources[0].Operations = nil },
		"APIGroups":            func(r *ruleset.Rule) { r.Resources[0].APIGroups = nil },
		"APIVersions":          func(r *ruleset.Rule) { r.Resources[0].APIVersions = nil },
		"Resources":            func(r *ruleset.Rule) { r.Resources[0].Resources = []string{"pods", "unheard-of"} },
		"Scope":                func(r *ruleset.Rule) { r.Resources[0].Scope = ruleset.AllScopes },
		"another ResourceRule": func(r *ruleset.Rule) { r.Resources = append(r.Resources, resources("nodes")) },
		"a type of Exclude":    func(r *ruleset.Rule) { r.Exclude[0].Resources = []string{"nodes"} },
		"Names of Exclude":     func(r *ruleset.Rule) { r.Exclude[0].Names = nil },
		"another Exclude":      func(r *ruleset.Rule) { r.Exclude = append(r.Exclude, ruleset.Exclusion{Names: []string{"y"}}) },
		"Keep":                 func(r *ruleset.Rule) { r.Keep = nil },
		"Skip":                 func(r *ruleset.Rule) { r.Skip = []ruleset.Preset{ruleset.SkipEvents} },
		"NamespaceSelector":    func(r *ruleset.Rule) { r.NamespaceSelector = labelled("team", "red") },
		"ObjectSelector":       func(r *ruleset.Rule) { r.ObjectSelector = labelled("team", "red") },
		"Condition":            func(r *ruleset.Rule) { r.Condition = constant(true) },
		"SkipControlled":       func(r *ruleset.Rule) { r.SkipControlled = true },
		"IgnoreManagers":       func(r *ruleset.Rule) { r.IgnoreManagers = []string{"m"} },
		"a fault": func(r *ruleset.Rule) { // of which nothing but the fault is left
			r.Exclude, r.Skip = nil, []ruleset.Preset{"no such"}
		},
	} {
		t.Run(field, func(t *testing.T) {
			r := base()
			if field == "a fault" {
				r.Exclude = nil
			}
			other := rule("", "r2", "b", resources("pods"))
			old := compile(t, r, other)
			change(&r)
			next, err := ruleset.Compile(destinations(t), r, other)
			require.Equal(t, field == "a fault", err != nil)
			rules := next.Compiled()
			require.Equal(t, []destination.Ref{name("git", "a")}, rules.ChangedDestinations(old))
			require.Equal(t, []destination.Ref{name("git", "a")}, old.ChangedDestinations(rules))
			require.Empty(t, old.ChangedDestinations(old))
		})
	}
}
