package ruleset_test

import (
	"cmp"
	"errors"
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

// The oracle asks one rule about one request at a time, as admission does, without an index and
// without sets.

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

// oracleCondition returns whether the condition holds, and whether it cannot be evaluated.
func oracleCondition(r ruleset.Rule, in ruleset.Input) (holds, fails bool) {
	c, ok := r.Condition.(lengthOfName)
	return !ok || len(in.Resource.Name) == int(c), ok && c == 0
}

// lengthOfName holds for names of so many bytes; 0 cannot be evaluated.
type lengthOfName int

func (c lengthOfName) Holds(in ruleset.Input) (bool, error) {
	if c == 0 {
		return true, errors.New("names have no length")
	}
	return len(in.Resource.Name) == int(c), nil
}

// oracle returns whether the rule claims the object for the operation, and whether this change is
// to be written or deleted.
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
	if holds, err := oracleCondition(r, in); err || !holds {
		return err, err && op == event.Delete
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
			m.Precondition = event.IfAbsent
		case updates && !creates:
			m.Precondition = event.IfPresent
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
	if r.IntN(3) == 0 {
		rule.Condition = lengthOfName(r.IntN(3))
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

// checkMatch compares Match and Explain with the oracle, and returns what that says.
func checkMatch(t *testing.T, set destination.Set, s *ruleset.RuleSet, rules []ruleset.Rule, in ruleset.Input) []ruleset.Match {
	t.Helper()
	want, got := oracleMatch(set, rules, in), s.Match(in)
	for i := range got {
		fails := slices.ContainsFunc(rules, func(r ruleset.Rule) bool {
			_, fails := oracleCondition(r, in)
			return fails && slices.Contains(got[i].Rules, r.Name)
		})
		require.Equal(t, fails, got[i].Err != nil, "rules %+v\ninput %+v", rules, in)
		got[i].Err = nil
	}
	require.Equal(t, want, got, "rules %+v\ninput %+v", rules, in)

	// What Explain says of single rules comes to what Match says of destinations.
	explained := map[destination.Ref][]types.NamespacedName{}
	asked := map[destination.Ref][]event.Operation{}
	for _, v := range s.Explain(in).Verdicts {
		require.NotEmpty(t, v.Message)
		if v.Reason.Claims() {
			explained[v.Destination] = append(explained[v.Destination], v.Rule)
			asked[v.Destination] = append(asked[v.Destination], v.Operations...)
		} else {
			require.Nil(t, v.Operations)
		}
	}
	require.Len(t, explained, len(want))
	for _, m := range want {
		ops := asked[m.Destination.Ref]
		require.Equal(t, m.Rules, explained[m.Destination.Ref], "rules %+v\ninput %+v", rules, in)
		require.Equal(t, m.Delete, slices.Contains(ops, event.Delete))
		require.Equal(t, m.Writes, slices.Contains(ops, event.Create) || slices.Contains(ops, event.Update))
	}
	return want
}

// tape is a source of chance that a fuzzer steers: each byte decides one draw, and after the last
// one a generator goes on.
type tape struct {
	bytes []byte
	after *rand.PCG
}

func (t *tape) Uint64() uint64 {
	if len(t.bytes) == 0 {
		return t.after.Uint64()
	}
	b := t.bytes[0]
	t.bytes = t.bytes[1:]
	return uint64(b)<<56 | 0xaaaaaaaaaaaaaa
}

// FuzzMatch checks Match and Explain against the oracle, for rules and objects that the fuzzer puts
// together.
func FuzzMatch(f *testing.F) {
	set := destinations(f, "a", "b")
	for seed := range uint64(20) {
		source, bytes := rand.NewPCG(seed, 1), make([]byte, 120)
		for i := range bytes {
			bytes[i] = byte(source.Uint64())
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		r := random{rand.New(&tape{bytes, rand.NewPCG(1, 2)})}
		rules := make([]ruleset.Rule, 1+r.IntN(3))
		for i := range rules {
			rules[i] = r.rule(i)
		}
		s, err := ruleset.Compile(set, rules...)
		require.NoError(t, err)
		for range 3 {
			checkMatch(t, set, s, rules, r.input())
		}
	})
}

func TestMatchAgreesWithAdmissionInStraightLines(t *testing.T) {
	const pairs, rulesPerSet, inputsPerSet = 40_000, 5, 40
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
			if want := checkMatch(t, set, s, rules, in); want == nil {
				empty++
			} else {
				found++
			}
		}
	}
	require.Greater(t, min(empty, found), pairs/rulesPerSet/10, "the vocabulary no longer makes both outcomes common")
}
