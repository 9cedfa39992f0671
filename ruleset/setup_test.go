package ruleset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func name(namespace, n string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: n}
}

// destinations resolves one valid destination for each name, all in namespace git.
func destinations(t testing.TB, names ...string) destination.Set {
	t.Helper()
	repository := destination.Repository{Ref: name("git", "repository"), URL: "https://example.com/org/repository"}
	var specs []destination.Spec
	for _, n := range names {
		specs = append(specs, destination.Spec{Ref: name("git", n), RepositoryRef: repository.Ref, Branch: "main", BaseFolder: n, AllowedNamespaces: []string{"*"}})
	}
	set, err := destination.Resolve([]destination.Repository{repository}, specs)
	require.NoError(t, err)
	return set
}

func get(t testing.TB, set destination.Set, n string) destination.Destination {
	t.Helper()
	d, ok := set.Get(name("git", n))
	require.True(t, ok)
	return d
}

// compile compiles rules that are all valid, for the destinations a, b and c.
func compile(t testing.TB, rules ...ruleset.Rule) *ruleset.RuleSet {
	t.Helper()
	s, err := ruleset.Compile(destinations(t, "a", "b", "c"), rules...)
	require.NoError(t, err)
	return s
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

func object(group, version, resource, namespace, n string) ruleset.Input {
	return ruleset.Input{Resource: event.Resource{
		ID: event.ID{Group: group, Resource: resource, Namespace: namespace, Name: n}, Version: version,
	}}
}

func pod(namespace, n string) ruleset.Input { return object("", "v1", "pods", namespace, n) }

// list is a list of discovery.
func list(groupVersion string, resources ...metav1.APIResource) *metav1.APIResourceList {
	return &metav1.APIResourceList{GroupVersion: groupVersion, APIResources: resources}
}

// served are lists of which the first of each group is that of its preferred version.
func served(lists []*metav1.APIResourceList) ruleset.Served {
	from := ruleset.Served{Resources: lists}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || from.Preferred(gv.Group) != "" {
			continue
		}
		from.Groups = append(from.Groups, &metav1.APIGroup{
			Name: gv.Group, PreferredVersion: metav1.GroupVersionForDiscovery{GroupVersion: list.GroupVersion, Version: gv.Version},
		})
	}
	return from
}

func namespaced(n string) metav1.APIResource {
	return metav1.APIResource{Name: n, Kind: "Kind-" + n, Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}}
}

func clusterScoped(n string) metav1.APIResource {
	r := namespaced(n)
	r.Namespaced = false
	return r
}

func unwatchable(n string) metav1.APIResource {
	r := namespaced(n)
	r.Verbs = metav1.Verbs{"create", "list"}
	return r
}

func podType() ruleset.Type {
	return ruleset.Type{Version: "v1", Resource: "pods", Kind: "Kind-pods", Namespaced: true}
}
