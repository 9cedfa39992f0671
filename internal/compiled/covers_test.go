package compiled_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestCoversKnowsWhatRulesWantWhetherServedOrNot(t *testing.T) {
	everyVersion := ruleset.Exclusion{ResourceRule: resources("secrets")}
	oneVersion := ruleset.Exclusion{ResourceRule: ruleset.ResourceRule{Resources: []string{"services"}, APIVersions: []string{"v1"}}}
	oneName := ruleset.Exclusion{ResourceRule: resources("services"), Names: []string{"x*"}}
	wide := rule("", "wide", "a", ruleset.ResourceRule{APIGroups: []string{""}})
	wide.Exclude = []ruleset.Exclusion{everyVersion, oneVersion, oneName}
	custom := rule("", "custom", "b", ruleset.ResourceRule{APIGroups: []string{"x.example"}, APIVersions: []string{"v9"}, Scope: ruleset.NamespacedScope})
	faulty := rule("", "faulty", "c", resources("pods/status"))
	set, err := ruleset.Compile(destinations(t), wide, custom, faulty, rule("ns", "own", "c", resources("pods")))
	require.Error(t, err)
	in := func(group, resource, namespace string) event.Collection {
		return event.Collection{Group: group, Resource: resource, Namespace: namespace}
	}
	for _, c := range []struct {
		promise string
		to      string
		scope   event.Collection
		valid   bool
		faulty  bool
	}{
		{"what a rule selects", "a", in("", "pods", "ns"), true, false},
		{"at cluster scope too", "a", in("", "nodes", ""), true, false},
		{"of its groups only", "a", in("apps", "deployments", "ns"), false, false},
		{"not what is excluded in every version", "a", in("", "secrets", "ns"), false, false},
		{"what is excluded in a version or by name only", "a", in("", "services", "ns"), true, false},
		{"for its own destination only", "b", in("", "pods", "ns"), false, false},
		{"in versions that nobody serves", "b", in("x.example", "widgets", "ns"), true, false},
		{"of its scope only", "b", in("x.example", "widgets", ""), false, false},
		{"in the rule's own namespace, and what a faulty rule may mean", "c", in("", "pods", "ns"), true, true},
		{"in no other namespace, but the faulty one may", "c", in("", "pods", "other"), false, true},
	} {
		valid, faulty := set.Compiled().Covers(name("git", c.to), c.scope)
		require.Equal(t, []bool{c.valid, c.faulty}, []bool{valid, faulty}, c.promise)
	}
}
