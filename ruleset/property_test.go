package ruleset_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The oracle asks one rule about one request at a time, as admission does, without an index and without sets.

func oracleList(items []string, requested string) bool {
	return len(items) == 0 || slices.Contains(items, "*") || slices.Contains(items, requested)
}

func oracleRule(r ruleset.ResourceRule, in ruleset.Input, op event.Operation) bool {
	var ops []string
	for _, o := range r.Operations {
		ops = append(ops, string(o))
	}
	scope := true
	switch r.Scope {
	case ruleset.ClusterScope:
		scope = in.Resource.Namespace == ""
	case ruleset.NamespacedScope:
		scope = in.Resource.Namespace != ""
	}
	return scope && oracleList(ops, string(op)) && oracleList(r.APIGroups, in.Resource.Group) &&
		oracleList(r.APIVersions, in.Resource.Version) && oracleList(r.Resources, in.Resource.Resource)
}

// oracleSelector knows matchLabels only.
func oracleSelector(s *metav1.LabelSelector, labels map[string]string) bool {
	if s == nil {
		return true
	}
	for k, v := range s.MatchLabels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// oracle returns whether the rule claims the object for the operation, and whether this change is to be written or deleted.
func oracle(r ruleset.Rule, in ruleset.Input, op event.Operation) (claims, acts bool) {
	if r.Name.Namespace != "" && in.Resource.Namespace != r.Name.Namespace {
		return false, false
	}
	if !slices.ContainsFunc(r.Resources, func(rr ruleset.ResourceRule) bool { return oracleRule(rr, in, op) }) {
		return false, false
	}
	for _, e := range r.Exclude {
		named := len(e.Names) == 0
		for _, glob := range e.Names {
			matched, _ := path.Match(glob, in.Resource.Name)
			named = named || matched
		}
		if named && oracleRule(e.ResourceRule, in, op) {
			return false, false
		}
	}
	namespaceLabels, restricted := in.NamespaceLabels, in.Resource.Namespace != ""
	if in.Resource.Resource == "namespaces" && in.Resource.Group == "" {
		namespaceLabels, restricted = in.Labels, true
	}
	if restricted && !oracleSelector(r.NamespaceSelector, namespaceLabels) || !oracleSelector(r.ObjectSelector, in.Labels) {
		return false, false
	}
	if r.SkipControlled && in.Controlled {
		return false, false
	}
	ignored := len(in.Managers) > 0
	for _, m := range in.Managers {
		ignored = ignored && slices.Contains(r.IgnoreManagers, m)
	}
	return true, op == event.Delete || !ignored
}

// oracleMatch is what Match promises, said once more in straight lines.
func oracleMatch(set destination.Set, rules []ruleset.Rule, in ruleset.Input) []ruleset.Match {
	var matches []ruleset.Match
	for d := range set.All() {
		m := ruleset.Match{Destination: d}
		var creates, updates bool
		for _, r := range rules {
			if r.Destination != d.Ref {
				continue
			}
			c, create := oracle(r, in, event.Create)
			u, update := oracle(r, in, event.Update)
			x, remove := oracle(r, in, event.Delete)
			if c || u || x {
				m.Rules = append(m.Rules, r.Name)
			}
			creates, updates, m.Delete = creates || create, updates || update, m.Delete || remove
		}
		if m.Rules == nil {
			continue
		}
		m.Writes = creates || updates
		switch {
		case creates && !updates:
			m.Condition = event.IfAbsent
		case updates && !creates:
			m.Condition = event.IfPresent
		}
		slices.SortFunc(m.Rules, func(a, b types.NamespacedName) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		matches = append(matches, m)
	}
	return matches
}

// random makes rules and objects from small vocabularies, so that they meet often.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func some[T any](r random, from ...T) []T {
	var list []T
	for range r.IntN(3) {
		list = append(list, pick(r, from...))
	}
	return list
}

func (r random) resourceRule(namespaced bool) ruleset.ResourceRule {
	rr := ruleset.ResourceRule{
		Operations:  some(r, event.Create, event.Update, event.Delete, event.Create, event.Update, event.Delete, ruleset.AllOperations),
		APIGroups:   some(r, "", "apps", "example.com", "*"),
		APIVersions: some(r, "v1", "v1beta1", "*"),
		Resources:   some(r, "pods", "nodes", "namespaces", "deployments", "*"),
		Scope:       pick(r, "", ruleset.AllScopes, ruleset.NamespacedScope, ruleset.ClusterScope),
	}
	if namespaced && rr.Scope == ruleset.ClusterScope {
		rr.Scope = ""
	}
	return rr
}

func (r random) labels() map[string]string {
	labels := map[string]string{}
	for _, k := range some(r, "team", "tier") {
		labels[k] = pick(r, "one", "two")
	}
	return labels
}

func (r random) selector() *metav1.LabelSelector {
	if r.IntN(4) > 0 {
		return nil
	}
	return &metav1.LabelSelector{MatchLabels: r.labels()}
}

func (r random) rule(i int) ruleset.Rule {
	rule := ruleset.Rule{
		Name:           name(pick(r, "", "x", "y"), fmt.Sprintf("r%d", i)),
		Destination:    name("git", pick(r, "a", "b")),
		ObjectSelector: r.selector(),
		SkipControlled: r.IntN(4) == 0,
		IgnoreManagers: some(r, "flux", "argocd"),
	}
	namespaced := rule.Name.Namespace != ""
	if !namespaced {
		rule.NamespaceSelector = r.selector()
	}
	for range 1 + r.IntN(3) {
		rule.Resources = append(rule.Resources, r.resourceRule(namespaced))
	}
	for range r.IntN(2) {
		rule.Exclude = append(rule.Exclude, ruleset.Exclusion{ResourceRule: r.resourceRule(false), Names: some(r, "a*", "?b", "ab")})
	}
	return rule
}

func (r random) input() ruleset.Input {
	in := object(pick(r, "", "apps", "example.com"), pick(r, "v1", "v1beta1", "v2"),
		pick(r, "pods", "nodes", "namespaces", "deployments", "unheard-of"), pick(r, "", "x", "y", "z"), pick(r, "ab", "a", "c"))
	if in.Resource.Group == "" && in.Resource.Resource == "namespaces" {
		in.Resource.Namespace = ""
	}
	in.Labels, in.Controlled, in.Managers = r.labels(), r.IntN(3) == 0, some(r, "flux", "argocd", "kubectl")
	if in.Resource.Namespace != "" {
		in.NamespaceLabels = r.labels()
	}
	return in
}

func TestMatchAgreesWithAdmissionInStraightLines(t *testing.T) {
	const pairs, rulesPerSet, inputsPerSet = 200_000, 5, 40
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 1))}
	set := destinations(t, "a", "b")
	empty, found := 0, 0
	for range pairs / (rulesPerSet * inputsPerSet) {
		rules := make([]ruleset.Rule, rulesPerSet)
		for i := range rules {
			rules[i] = r.rule(i)
		}
		s, err := ruleset.Compile(set, rules...)
		require.NoError(t, err)
		for range inputsPerSet {
			in := r.input()
			want := oracleMatch(set, rules, in)
			require.Equal(t, want, s.Match(in), "seed %d\nrules %+v\ninput %+v", seed, rules, in)
			if want == nil {
				empty++
			} else {
				found++
			}
		}
	}
	require.Greater(t, min(empty, found), pairs/rulesPerSet/10, "the vocabulary no longer makes both outcomes common")
}
