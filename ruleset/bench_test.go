package ruleset_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

var sink []ruleset.Match

// BenchmarkMatch has rules of many types and namespaces, of which a fixed few concern the object.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		var rules []ruleset.Rule
		for i := range n {
			namespace, resource := "", fmt.Sprintf("type-%d", i)
			if i%2 == 0 {
				namespace, resource = fmt.Sprintf("namespace-%d", i), "pods"
			}
			rules = append(rules, rule(namespace, fmt.Sprintf("rule-%d", i), []string{"a", "b", "c"}[i%3], resources(resource)))
		}
		s := compile(b, rules...)
		b.Run(fmt.Sprintf("rules=%d/matches", n), func(b *testing.B) { benchmarkMatch(b, s, pod("namespace-4", "p")) })
		b.Run(fmt.Sprintf("rules=%d/nothing", n), func(b *testing.B) { benchmarkMatch(b, s, pod("elsewhere", "p")) })
	}
}

func benchmarkMatch(b *testing.B, s *ruleset.RuleSet, in ruleset.Input) {
	b.ReportAllocs()
	for b.Loop() {
		sink = s.Match(in)
	}
}

// BenchmarkWatches is what a change of rules or of discovery costs: 10,000 rules, 300 types.
func BenchmarkWatches(b *testing.B) {
	var rules []ruleset.Rule
	for i := range 10_000 {
		rules = append(rules, rule(fmt.Sprintf("namespace-%d", i/10), fmt.Sprintf("rule-%d", i), "a", resources("type-1", "type-2", "type-3")))
	}
	var types []metav1.APIResource
	for i := range 300 {
		types = append(types, namespaced(fmt.Sprintf("type-%d", i)))
	}
	lists := []*metav1.APIResourceList{list("example.com/v1", types...)}
	s := compile(b, rules...)
	for b.Loop() {
		if _, err := s.Watches(served(lists)); err != nil {
			b.Fatal(err)
		}
	}
}
