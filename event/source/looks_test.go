package source

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// labelled is a Condition that looks at all that an Input has.
type labelled struct{}

func (labelled) Holds(in ruleset.Input) (bool, error) {
	return in.Labels["in"] == "yes" && in.Object["data"] != nil && len(in.Managers) > 0, nil
}

// What no rule for a type looks at is not decoded. Each thing that a rule can look at is.
func TestWhatIsNotDecodedDecidesNothing(t *testing.T) {
	t.Parallel()
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"in": "yes"}}
	for name, look := range map[string]func(*ruleset.Rule){
		"nothing":         func(*ruleset.Rule) {},
		"labels":          func(r *ruleset.Rule) { r.ObjectSelector = selector },
		"excluded labels": func(r *ruleset.Rule) { r.Exclude = []ruleset.Exclusion{{ObjectSelector: selector}} },
		"owners":          func(r *ruleset.Rule) { r.SkipControlled = true },
		"a condition":     func(r *ruleset.Rule) { r.Condition = labelled{} },
		"all managers":    func(r *ruleset.Rule) { r.Exclude = []ruleset.Exclusion{{Managers: []string{"alice"}}} },
		"last managers":   func(r *ruleset.Rule) { r.IgnoreManagers = []string{"alice"} },
		"secret types":    func(r *ruleset.Rule) { r.Exclude = []ruleset.Exclusion{{SecretTypes: []string{"a/b"}}} },
	} {
		r := rule("r", "prod", "configmaps", "secrets")
		r.Keep = ruleset.DefaultPresets() // they look at labels and types
		look(&r)
		rs, err := ruleset.Compile(compiledRules(t, []destination.Spec{spec("prod", "main")}).set, r)
		require.NoError(t, err, name)
		reads := &reader{opts: (&Options{}).withDefaults()}
		by := newMatcher(rs, nil)
		decided := map[string]bool{}
		for i := range 16 {
			of, obj := looked(i)
			whole := ruleset.NewInput(of, obj, nil)
			whole.Managers, _ = ruleset.LastManagers(obj)
			want := rs.Match(whole)
			got := rs.Match(reads.input(context.Background(), by, of, lasting(obj), modified))
			require.Empty(t, cmp.Diff(want, got, cmpopts.EquateErrors(), cmpopts.IgnoreFields(ruleset.Match{}, "Ignored", "Sensitive")), "%s: %v", name, obj)
			decided[fmt.Sprint(len(want), len(want) > 0 && want[0].Writes)] = true
		}
		require.Equal(t, name != "nothing", len(decided) > 1, "%s decides about some of the objects, and not about others", name)
	}
}

// looked returns one of the objects in which rules may see something: its bits say what there is.
func looked(i int) (ruleset.Type, *unstructured.Unstructured) {
	obj, of := configMap("default", "a", "1"), ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}
	if i&1 != 0 {
		obj.SetLabels(map[string]string{"in": "yes"})
	}
	if i&2 != 0 {
		yes := true
		obj.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Owner", Name: "o", UID: "u", Controller: &yes}})
	}
	if i&4 != 0 {
		now := metav1.Now()
		obj.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "alice", Operation: metav1.ManagedFieldsOperationUpdate, Time: &now}})
	}
	if i&8 != 0 {
		obj.SetKind("Secret")
		obj.Object["type"] = map[int]string{0: "a/b", 1: "c/d"}[i&1]
		of.Resource, of.Kind = "secrets", "Secret"
	}
	return of, obj
}
