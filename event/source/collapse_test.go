package source

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// watchesOf returns the watches of rules, of which each is "NAMESPACE/NAME to DESTINATION: RESOURCE
// RESOURCE", with an empty NAMESPACE for a cluster rule. Those whose NAME begins with "keep" ask
// for no DELETE. The server has pods, secrets, services and nodes.
func watchesOf(t *testing.T, rules ...string) []ruleset.Watch {
	t.Helper()
	repository := destination.Repository{Ref: types.NamespacedName{Namespace: "git", Name: "r"}, URL: "https://git.example/r.git"}
	var specs []destination.Spec
	for _, n := range []string{"a", "b", "c"} {
		specs = append(specs, destination.Spec{
			Ref: types.NamespacedName{Namespace: "git", Name: n}, RepositoryRef: repository.Ref,
			Branch: "main", BaseFolder: n, AllowedNamespaces: []string{"*"},
		})
	}
	set, err := destination.Resolve([]destination.Repository{repository}, specs)
	require.NoError(t, err)
	var of []ruleset.Rule
	for _, r := range rules {
		who, what, _ := strings.Cut(r, ": ")
		name, to, _ := strings.Cut(who, " to ")
		namespace, name, _ := strings.Cut(name, "/")
		selected := ruleset.ResourceRule{Resources: strings.Fields(what)}
		if strings.HasPrefix(name, "keep") {
			selected.Operations = []event.Operation{event.Create, event.Update}
		}
		of = append(of, ruleset.Rule{
			Name:        types.NamespacedName{Namespace: namespace, Name: name},
			Destination: types.NamespacedName{Namespace: "git", Name: to},
			Resources:   []ruleset.ResourceRule{selected},
		})
	}
	rs, err := ruleset.Compile(set, of...)
	require.NoError(t, err)
	served := &metav1.APIResourceList{GroupVersion: "v1"}
	for _, n := range []string{"pods", "secrets", "services", "nodes"} {
		served.APIResources = append(served.APIResources, metav1.APIResource{Name: n, Namespaced: n != "nodes", Verbs: metav1.Verbs{"list", "watch"}})
	}
	watches, _ := rs.Watches(ruleset.Served{Resources: []*metav1.APIResourceList{served}})
	return watches
}

// showWatches writes a line for each watch and one for each Coverage below it.
func showWatches(watches []ruleset.Watch) string {
	var b strings.Builder
	for _, w := range watches {
		fmt.Fprintf(&b, "%s in %q\n", w.Resource.Resource, w.Namespace)
		for _, c := range coverageLines(w) {
			b.WriteString("  " + c + "\n")
		}
	}
	return b.String()
}

func coverageLines(w ruleset.Watch) []string {
	var lines []string
	for _, c := range w.Coverage {
		line := c.Destination.Ref.Name + ": "
		switch {
		case c.Collection.All:
			line += "all"
		case c.Collection.Namespace != "":
			line += c.Collection.Namespace
		default:
			line += "cluster scope"
		}
		if c.Sweepable {
			line += ", sweepable"
		}
		lines = append(lines, line)
	}
	return lines
}

func always(ruleset.Type, []string) bool { return true }

func TestCollapseMakesOneWatchOfThoseForSingleNamespaces(t *testing.T) {
	watches := watchesOf(t, "x/r to b: pods secrets", "y/r to a: pods", "x/s to a: pods", "z/keep to a: pods",
		"/wide to c: services nodes", "x/narrow to c: services")
	before := slices.Clone(watches)
	asked := map[string][]string{}
	got := collapse(watches, func(of ruleset.Type, namespaces []string) bool {
		asked[of.Resource] = namespaces
		return len(namespaces) > 2
	})
	require.Equal(t, map[string][]string{"pods": {"x", "y", "z"}, "secrets": {"x"}}, asked, "only types with watches of single namespaces")
	require.Empty(t, cmp.Diff(`nodes in ""
  c: cluster scope, sweepable
pods in ""
  a: x, sweepable
  a: y, sweepable
  a: z
  b: x, sweepable
secrets in "x"
  b: x, sweepable
services in ""
  c: all, sweepable
`, showWatches(got)))
	require.Equal(t, before, watches)
	require.Equal(t, watches, collapse(watches, func(ruleset.Type, []string) bool { return false }))
}

// A cluster rule of another destination makes the watch wide, too: collapsing gives each
// destination exactly the same.
func TestCollapseGivesADestinationWhatItGetsBesideAClusterRule(t *testing.T) {
	narrow := []string{"x/r to a: pods", "y/keep to a: pods", "y/s to b: pods"}
	beside := watchesOf(t, append(narrow, "/wide to c: pods")...)
	require.Len(t, beside, 1)
	collapsed := collapse(watchesOf(t, narrow...), always)
	require.Len(t, collapsed, 1)
	require.Equal(t, beside[0].Coverage[:len(beside[0].Coverage)-1], collapsed[0].Coverage)
}

func TestCollapseKeepsCoverageAndWatchesNothingTwice(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	fewer := 0
	for range 100 {
		var rules []string
		for i := range 1 + r.IntN(6) {
			resources := []string{"pods", "secrets", "services", "nodes"}[r.IntN(3):]
			namespace := []string{"", "x", "y", "z"}[r.IntN(4)]
			rules = append(rules, fmt.Sprintf("%s/%s%d to %s: %s", namespace, []string{"r", "keep"}[r.IntN(2)], i,
				[]string{"a", "b", "c"}[r.IntN(3)], strings.Join(resources, " ")))
		}
		watches := watchesOf(t, rules...)
		narrowest := r.IntN(3)
		got := collapse(watches, func(_ ruleset.Type, namespaces []string) bool { return len(namespaces) > narrowest })
		require.ElementsMatch(t, flatCoverage(watches), flatCoverage(got), "seed %d, %q", seed, rules)
		fewer += len(watches) - len(got)
		seen := map[string]bool{}
		for _, w := range got {
			key := w.Resource.Resource + "/"
			require.False(t, seen[key] || seen[key+w.Namespace], "seed %d, %q: read twice", seed, rules)
			seen[key+w.Namespace] = true
			for _, c := range w.Coverage {
				require.True(t, w.Namespace == "" || w.Namespace == c.Collection.Namespace, "seed %d, %q: %+v", seed, rules, w)
			}
		}
	}
	require.Positive(t, fewer)
}

func flatCoverage(watches []ruleset.Watch) []string {
	var all []string
	for _, w := range watches {
		for _, line := range coverageLines(w) {
			all = append(all, w.Resource.Resource+" "+line)
		}
	}
	return all
}

func TestSplitGivesSingleNamespacesWhatClusterRulesWantThere(t *testing.T) {
	watches := watchesOf(t, "/r to a: pods services", "y/r to b: pods", "x/r to b: pods")
	require.Len(t, watches, 2)
	require.Empty(t, cmp.Diff(`pods in "x"
  a: x, sweepable
  b: x, sweepable
pods in "y"
  a: y, sweepable
  b: y, sweepable
`, showWatches(split(watches[0]))))
	require.Nil(t, split(watches[1]), "cluster rules alone want it")
}
