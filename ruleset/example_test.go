package ruleset_test

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func Example() {
	repository := destination.Repository{Ref: types.NamespacedName{Namespace: "team-a", Name: "repository"}, URL: "https://example.com/org/repository"}
	prod := destination.Ref{Namespace: "team-a", Name: "prod"}
	set, err := destination.Resolve([]destination.Repository{repository},
		[]destination.Spec{{Ref: prod, RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "prod"}})
	if err != nil {
		fmt.Println(err)
	}

	rules, err := ruleset.Compile(set,
		ruleset.Rule{
			Name:        types.NamespacedName{Namespace: "team-a", Name: "configuration"},
			Destination: prod,
			Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps", "services"}}},
			Exclude:     []ruleset.Exclusion{{Names: []string{"kube-root-ca.*"}}},
		},
		ruleset.Rule{
			Name:        types.NamespacedName{Name: "logs"},
			Destination: prod,
			Resources:   []ruleset.ResourceRule{{Resources: []string{"pods/log"}}},
		},
	)
	fmt.Println(err)

	for _, name := range []string{"settings", "kube-root-ca.crt"} {
		matches := rules.Match(ruleset.Input{Resource: event.Resource{
			ID: event.ID{Resource: "configmaps", Namespace: "team-a", Name: name}, Version: "v1",
		}})
		for _, m := range matches {
			fmt.Println(name, "->", m.Destination, "because of", m.Rules)
		}
	}

	watches, err := rules.Watches(ruleset.Served{Resources: []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
	}}}})
	for _, w := range watches {
		fmt.Println("watch", w.Resource.Resource, "in", w.Namespace)
	}
	fmt.Println(errors.Is(err, ruleset.ErrNotServed), err)
	// Output:
	// ClusterWatchRule logs: Resources[0].Resources[0] "pods/log": invalid: subresources are never mirrored, name the resource alone
	// settings -> team-a/prod (https://example.com/org/repository#main:prod) because of [team-a/configuration]
	// watch configmaps in team-a
	// true WatchRule team-a/configuration: resource "services" of API groups [""]: not served by the cluster: check the spelling of group and plural name, or install what serves it
}

func ExampleRuleSet_Explain() {
	repository := destination.Repository{Ref: types.NamespacedName{Name: "repository"}, URL: "https://example.com/org/repository"}
	prod := destination.Ref{Name: "prod"}
	set, err := destination.Resolve([]destination.Repository{repository}, []destination.Spec{{Ref: prod, RepositoryRef: repository.Ref, Branch: "main", AllowedNamespaces: []string{"team-a"}}})
	if err != nil {
		fmt.Println(err)
	}
	configMaps := []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}}
	rules, err := ruleset.Compile(set,
		ruleset.Rule{
			Name: types.NamespacedName{Name: "labelled"}, Destination: prod, Resources: configMaps,
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"mirror": "yes"}},
		},
		ruleset.Rule{Name: types.NamespacedName{Namespace: "team-a", Name: "all"}, Destination: prod, Resources: configMaps},
	)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(rules.Explain(ruleset.Input{Resource: event.Resource{
		ID: event.ID{Resource: "configmaps", Namespace: "team-a", Name: "settings"}, Version: "v1",
	}}))
	// Output:
	// configmaps/team-a/settings (version v1)
	//   to /prod (https://example.com/org/repository#main:): writes its file, removes it with the object
	//   ClusterWatchRule labelled, to /prod: ObjectSelector: ObjectSelector "mirror=yes" does not select the labels map[]
	//   WatchRule team-a/all, to /prod: Selected: asks for CREATE, UPDATE, DELETE
}
