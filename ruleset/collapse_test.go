package ruleset_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

func TestCollapseMakesOneWatchOfThoseForSingleNamespaces(t *testing.T) {
	lists := []*metav1.APIResourceList{list("v1", namespaced("pods"), namespaced("secrets"), namespaced("services"), clusterScoped("nodes"))}
	kept := rule("z", "kept", "a", operations(resources("pods"), "CREATE"))
	s := compile(t,
		rule("x", "r", "b", resources("pods", "secrets")), rule("y", "r", "a", resources("pods")), rule("x", "s", "a", resources("pods")), kept,
		rule("", "wide", "c", resources("services", "nodes")), rule("x", "narrow", "c", resources("services")),
	)
	watches, err := s.Watches(served(lists))
	require.NoError(t, err)
	before := slices.Clone(watches)
	asked := map[string][]string{}
	got := ruleset.Collapse(watches, func(of ruleset.Type, namespaces []string) bool {
		asked[of.Resource] = namespaces
		return len(namespaces) > 2
	})
	require.Equal(t, map[string][]string{"pods": {"x", "y", "z"}, "secrets": {"x"}}, asked, "only types with watches of single namespaces")
	require.Empty(t, cmp.Diff(`nodes.v1. in all
  c: cluster scope, prune
pods.v1. in all
  a: x, prune
  a: y, prune
  a: z
  b: x, prune
secrets.v1. in x
  b: x, prune
services.v1. in all
  c: all, prune`, show(got)))
	require.Equal(t, before, watches)
	require.Equal(t, watches, ruleset.Collapse(watches, func(ruleset.Type, []string) bool { return false }))
	for _, w := range got {
		require.Equal(t, w.Resource.Resource == "pods", w.Collapsed(), w.Resource.Resource)
	}
}

// A cluster rule of another destination makes the watch wide, too: collapsing gives each destination exactly the same.
func TestCollapseGivesADestinationWhatItGetsBesideAClusterRule(t *testing.T) {
	lists := []*metav1.APIResourceList{list("v1", namespaced("pods"))}
	narrow := []ruleset.Rule{
		rule("x", "r", "a", resources("pods")), rule("y", "r", "a", operations(resources("pods"), "UPDATE")), rule("y", "s", "b", resources("pods")),
	}
	alone, err := compile(t, narrow...).Watches(served(lists))
	require.NoError(t, err)
	beside, err := compile(t, append(narrow, rule("", "wide", "c", resources("pods")))...).Watches(served(lists))
	require.NoError(t, err)
	require.Len(t, beside, 1)
	collapsed := ruleset.Collapse(alone, func(ruleset.Type, []string) bool { return true })
	require.Len(t, collapsed, 1)
	require.Equal(t, beside[0].Coverage[:len(beside[0].Coverage)-1], collapsed[0].Coverage)
}
