package main

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

type settings struct {
	rounds       int
	atLeast      time.Duration // of one round
	rules        []int
	destinations int
}

const (
	kubescribe = "kubescribe"
	linearScan = "linear scan"
)

// measure takes the systems in turn, so that other load hits them alike.
func measure(s settings) ([]row, error) {
	var rows []row
	for _, n := range s.rules {
		rules := rulesForBench(n)
		set, err := destinationsForBench(3)
		if err != nil {
			return nil, err
		}
		compiled, err := ruleset.Compile(set, rules...)
		if err != nil {
			return nil, err
		}
		webhooks := make([]*webhook, n)
		for i := range rules {
			if webhooks[i], err = newWebhook(rules[i]); err != nil {
				return nil, err
			}
		}
		for _, c := range []struct {
			name, namespace string
			bar             float64
		}{{"match: nothing", "elsewhere", 1_000}, {"match: one rule", "namespace-4", 0}} {
			in := podIn(c.namespace)
			both := []func(){func() { found = len(compiled.Match(in)) }, func() { found = scan(webhooks, rules, in) }}
			for _, match := range both {
				match()
				if want := map[bool]int{true: 1}[c.namespace == "namespace-4"]; found != want {
					return nil, fmt.Errorf("%s, %d rules: %d matches, want %d", c.name, n, found, want)
				}
			}
			measured := s.take(both...)
			for i, system := range []string{kubescribe, linearScan} {
				measured[i].Case, measured[i].System, measured[i].Size = c.name, system, n
			}
			measured[0].Bar = c.bar
			rows = append(rows, measured...)
		}
	}
	resolved, err := measureResolve(s)
	return append(rows, resolved), err
}

var found int // keeps the compiler from dropping a call

// take measures operations in rounds, one round of each in turn.
func (s settings) take(operations ...func()) []row {
	rows, times := make([]row, len(operations)), make([][]float64, len(operations))
	for n := range s.rounds {
		for i, operation := range operations {
			r := s.round(operation)
			times[i] = append(times[i], r.wall)
			rows[i].Allocs = r.allocs
			if n == 0 || r.cpu < rows[i].CPU {
				rows[i].CPU = r.cpu
			}
		}
	}
	for i := range rows {
		slices.Sort(times[i])
		rows[i].Best, rows[i].Median = times[i][0], times[i][len(times[i])/2]
	}
	return rows
}

// scan is what is left without an index: each rule is asked with the API server's predicates.
func scan(webhooks []*webhook, rules []ruleset.Rule, in ruleset.Input) int {
	attributes, of, n := attributesOf(in, event.Update), listerOf(in), 0
	for i, w := range webhooks {
		if ns := rules[i].Name.Namespace; ns != "" && ns != in.Resource.Namespace {
			continue
		}
		if ok, err := w.matches(attributes, of); ok && err == nil {
			n++
		}
	}
	return n
}

// rulesForBench are rules of many types and namespaces: half of them of all namespaces, for a type
// each, half of them for pods, in a namespace each.
func rulesForBench(n int) []ruleset.Rule {
	rules := make([]ruleset.Rule, n)
	for i := range rules {
		namespace, resource := "", fmt.Sprintf("type-%d", i)
		if i%2 == 0 {
			namespace, resource = fmt.Sprintf("namespace-%d", i), "pods"
		}
		rules[i] = ruleset.Rule{
			Name:        types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("rule-%d", i)},
			Destination: refForBench(i % 3),
			Resources:   []ruleset.ResourceRule{{Resources: []string{resource}}},
		}
	}
	return rules
}

func podIn(namespace string) ruleset.Input {
	return ruleset.Input{
		Resource: event.Resource{ID: event.ID{Resource: "pods", Namespace: namespace, Name: "p"}, Version: "v1", Kind: "Pod"},
		Labels:   map[string]string{"app": "web"},
	}
}

func refForBench(i int) destination.Ref {
	return destination.Ref{Namespace: "team", Name: fmt.Sprintf("destination-%d", i)}
}

// destinationsForBench resolves what specsForBench makes.
func destinationsForBench(n int) (destination.Set, error) {
	return destination.Resolve(specsForBench(n))
}

// specsForBench are n destinations in 20 repositories, on 5 branches each.
func specsForBench(n int) ([]destination.Repository, []destination.Spec) {
	repositories := make([]destination.Repository, 20)
	for i := range repositories {
		repositories[i] = destination.Repository{
			Ref:             destination.Ref{Namespace: "team", Name: fmt.Sprintf("repository-%d", i)},
			URL:             fmt.Sprintf("https://git.example/org/repository-%d.git", i),
			AllowedBranches: []string{"main", "release/**"},
		}
	}
	specs := make([]destination.Spec, n)
	for i := range specs {
		specs[i] = destination.Spec{
			Ref: refForBench(i), RepositoryRef: repositories[i%20].Ref,
			Branch: fmt.Sprintf("release/%d", i%5), BaseFolder: fmt.Sprintf("clusters/%d/apps", i),
			AllowedNamespaces: []string{"*"},
		}
	}
	return repositories, specs
}

func measureResolve(s settings) (row, error) {
	var failed error
	repositories, specs := specsForBench(s.destinations)
	r := s.take(func() {
		set, err := destination.Resolve(repositories, specs)
		if failed = err; err == nil && set.Len() != s.destinations {
			failed = fmt.Errorf("resolved %d of %d destinations", set.Len(), s.destinations)
		}
	})[0]
	r.Case, r.System, r.Size, r.Bar = "resolve destinations", kubescribe, s.destinations, float64(time.Second)
	return r, failed
}
