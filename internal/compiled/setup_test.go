package compiled_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

var (
	pods     = compiled.Type{Version: "v1", Resource: "pods", Kind: "Pod", Namespaced: true}
	nodes    = compiled.Type{Version: "v1", Resource: "nodes", Kind: "Node"}
	secrets  = compiled.Type{Version: "v1", Resource: "secrets", Namespaced: true}
	services = compiled.Type{Version: "v1", Resource: "services", Namespaced: true}
)

func labelled(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func name(namespace, n string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: n}
}

// destinations are git/a, git/b and git/c.
func destinations(t testing.TB) destination.Set {
	t.Helper()
	repository := destination.Repository{Ref: name("git", "r"), URL: "https://example.com/r"}
	var specs []destination.Spec
	for _, n := range []string{"a", "b", "c"} {
		specs = append(specs, destination.Spec{
			Ref: name("git", n), RepositoryRef: repository.Ref, Branch: "main", BaseFolder: n, AllowedNamespaces: []string{"*"},
		})
	}
	set, err := destination.Resolve([]destination.Repository{repository}, specs)
	require.NoError(t, err)
	return set
}

// compile compiles rules that are all valid.
func compile(t testing.TB, rules ...ruleset.Rule) *compiled.Rules {
	t.Helper()
	s, err := ruleset.Compile(destinations(t), rules...)
	require.NoError(t, err)
	return s.Compiled()
}

// rule is a cluster rule, or with a namespace a namespaced one, for the destination git/to.
func rule(namespace, n, to string, resources ...ruleset.ResourceRule) ruleset.Rule {
	return ruleset.Rule{Name: name(namespace, n), Destination: name("git", to), Resources: resources}
}

func resources(names ...string) ruleset.ResourceRule { return ruleset.ResourceRule{Resources: names} }

func operations(r ruleset.ResourceRule, list ...event.Operation) ruleset.ResourceRule {
	r.Operations = list
	return r
}
