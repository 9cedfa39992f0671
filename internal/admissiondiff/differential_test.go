package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// TestAMillionPairsAreMatchedAsAdmissionDoes asks both for every operation. A difference needs an
// explanation, which is a row of the table of differences.
func TestAMillionPairsAreMatchedAsAdmissionDoes(t *testing.T) {
	const rulesPerSet, inputsPerSet = 20, 500
	pairs := 1_000_000
	if testing.Short() {
		pairs = 100_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 1))}
	set, err := destinationsForBench(rulesPerSet)
	require.NoError(t, err)
	var matched, explained int
	for range pairs / (rulesPerSet * inputsPerSet) {
		rules, webhooks := make([]ruleset.Rule, rulesPerSet), make([]*webhook, rulesPerSet)
		for i := range rules {
			rules[i] = r.rule(i)
			webhooks[i], err = newWebhook(rules[i])
			require.NoError(t, err)
		}
		compiled, err := ruleset.Compile(set, rules...)
		require.NoError(t, err)
		for range inputsPerSet {
			in := r.input()
			got := operationsOf(compiled.Match(in))
			for op, attributes := range requests(in) {
				of := listerOf(in)
				for i := range rules {
					want, err := webhooks[i].matches(attributes, of)
					want = want && (rules[i].Name.Namespace == "" || rules[i].Name.Namespace == in.Resource.Namespace)
					if want {
						matched++
					}
					if err == nil && want == got[key{rules[i].Destination, op}] {
						continue
					}
					if !isForeignNamespace(in.Resource) || rules[i].NamespaceSelector == nil {
						t.Fatalf("seed %d, %s: admission says %t (%v)\nrule %+v\nselector %v\ninput %+v", seed, op, want, err, rules[i], rules[i].NamespaceSelector, in)
					}
					explained++
				}
			}
		}
	}
	t.Logf("%d pairs, 3 operations each: %d matches, %d explained differences", pairs, matched, explained)
	require.Greater(t, matched, pairs/5, "the vocabulary no longer makes both outcomes common")
	require.Less(t, matched, pairs*2)
	require.Positive(t, explained, "the row of the table of differences is gone: take it out")
}

// isForeignNamespace reports whether admission takes an object for a Namespace since it does not
// look at the group.
func isForeignNamespace(r event.Resource) bool { return r.Resource == "namespaces" && r.Group != "" }

// key is what a Match says in one word each: every rule has a destination of its own.
type key struct {
	destination destination.Ref
	operation   event.Operation
}

func operationsOf(matches []ruleset.Match) map[key]bool {
	asked := map[key]bool{}
	for _, m := range matches {
		asked[key{m.Destination.Ref, event.Create}] = m.Writes && m.Precondition != event.IfPresent
		asked[key{m.Destination.Ref, event.Update}] = m.Writes && m.Precondition != event.IfAbsent
		asked[key{m.Destination.Ref, event.Delete}] = m.Delete
	}
	return asked
}

// random makes rules and objects from small vocabularies, so that they meet often.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func some[T any](r random, from ...T) []T {
	var list []T
	for range r.IntN(4) {
		list = append(list, pick(r, from...))
	}
	return list
}

func (r random) rule(i int) ruleset.Rule {
	rule := ruleset.Rule{
		Name:           types.NamespacedName{Namespace: pick(r, "", "", "", "x"), Name: fmt.Sprintf("r%d", i)},
		Destination:    refForBench(i),
		ObjectSelector: r.selector(),
	}
	scopes := []ruleset.Scope{"", ruleset.AllScopes, ruleset.NamespacedScope, ruleset.ClusterScope}
	if rule.Name.Namespace == "" {
		rule.NamespaceSelector = r.selector()
	} else {
		scopes = scopes[:3]
	}
	for range 1 + r.IntN(3) {
		rule.Resources = append(rule.Resources, ruleset.ResourceRule{
			Operations:  some(r, event.Create, event.Update, event.Delete, event.Create, event.Update, event.Delete, ruleset.AllOperations),
			APIGroups:   some(r, "", "apps", "example.com", "*"),
			APIVersions: some(r, "v1", "v1beta1", "*"),
			Resources:   some(r, "pods", "nodes", "namespaces", "deployments", "*"),
			Scope:       pick(r, scopes...),
		})
	}
	return rule
}

func (r random) labels() map[string]string {
	labels := map[string]string{}
	for _, k := range some(r, "team", "tier") {
		labels[k] = pick(r, "one", "two")
	}
	return labels
}

func (r random) selector() *metav1.LabelSelector {
	switch r.IntN(4) {
	case 0:
		return &metav1.LabelSelector{MatchLabels: r.labels()}
	case 1:
		return &metav1.LabelSelector{MatchLabels: r.labels(), MatchExpressions: []metav1.LabelSelectorRequirement{r.requirement()}}
	}
	return nil
}

func (r random) requirement() metav1.LabelSelectorRequirement {
	requirement := metav1.LabelSelectorRequirement{Key: pick(r, "team", "tier", "none"), Operator: pick(r, metav1.LabelSelectorOpIn,
		metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
	if requirement.Operator == metav1.LabelSelectorOpIn || requirement.Operator == metav1.LabelSelectorOpNotIn {
		requirement.Values = append(some(r, "two"), "one")
	}
	return requirement
}

func (r random) input() ruleset.Input {
	in := ruleset.Input{
		Resource: event.Resource{
			ID: event.ID{
				Group: pick(r, "", "apps", "example.com"), Resource: pick(r, "pods", "nodes", "namespaces", "deployments", "other"),
				Namespace: pick(r, "", "x", "y"), Name: "n",
			},
			Version: pick(r, "v1", "v1beta1", "v2"),
		},
		Labels: r.labels(),
	}
	if isNamespace(in.Resource) {
		in.Resource.Namespace, in.Resource.Version = "", "v1"
	}
	if in.Resource.Namespace != "" {
		in.NamespaceLabels = r.labels()
	}
	return in
}
