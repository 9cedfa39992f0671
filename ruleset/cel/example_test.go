package cel_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
	kscel "github.com/kubescribe/kubescribe/ruleset/cel"
)

func Example() {
	repository := destination.Repository{Ref: types.NamespacedName{Name: "repo"}, URL: "https://git.example/org/repo.git"}
	prod := destination.Spec{Ref: types.NamespacedName{Name: "prod"}, RepositoryRef: repository.Ref, Branch: "main"}
	set, err := destination.Resolve([]destination.Repository{repository}, []destination.Spec{prod})
	if err != nil {
		panic(err)
	}
	immutable, err := kscel.Compile(kscel.Expression{Name: "immutable", Expression: "object.?immutable.orValue(false) == true"})
	if err != nil {
		panic(err)
	}
	rules, err := ruleset.Compile(set, ruleset.Rule{
		Name:        types.NamespacedName{Name: "immutable-configmaps"},
		Destination: prod.Ref,
		Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		Condition:   immutable,
	})
	if err != nil {
		panic(err)
	}
	for _, object := range []map[string]any{{"immutable": true}, {"data": map[string]any{"a": "b"}}} {
		in := ruleset.Input{Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "x", Name: "a"}, Version: "v1"}, Object: object}
		fmt.Println(len(rules.Match(in)))
	}
	// Output:
	// 1
	// 0
}
