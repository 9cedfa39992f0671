package ruleset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// victims resolves victim/d, which allows some namespaces, and evil/d.
func victims(t *testing.T, folder string, allowed ...string) destination.Set {
	t.Helper()
	var repositories []destination.Repository
	var specs []destination.Spec
	for _, namespace := range []string{"victim", "evil"} {
		repositories = append(repositories, destination.Repository{Ref: name(namespace, "r"), URL: "https://host/" + namespace})
		specs = append(specs, destination.Spec{Ref: name(namespace, "d"), RepositoryRef: name(namespace, "r"), Branch: "main"})
	}
	specs[0].BaseFolder, specs[0].AllowedNamespaces = folder, allowed
	set, _ := destination.Resolve(repositories, specs)
	return set
}

func TestARuleReachesDestinationsOfOthersOnlyIfTheyAllowIt(t *testing.T) {
	reaching := func(namespace string) ruleset.Rule {
		return ruleset.Rule{Name: name(namespace, "r"), Destination: name("victim", "d"), Resources: []ruleset.ResourceRule{{}}}
	}
	for _, c := range []struct {
		of      string
		allowed []string
		want    bool
	}{
		{"evil", nil, false}, {"evil", []string{"friend"}, false}, {"evil", []string{"evil"}, true}, {"evil", []string{"*"}, true},
		{"victim", nil, true}, {"", nil, true},
	} {
		s, err := ruleset.Compile(victims(t, "f", c.allowed...), reaching(c.of))
		matches := s.Match(object("", "v1", "configmaps", "evil", "x"))
		if c.want {
			require.NoError(t, err, "%+v", c)
			require.Len(t, matches, map[bool]int{true: 1, false: 0}[c.of != "victim"], "%+v", c)
			continue
		}
		require.ErrorIs(t, err, ruleset.ErrNamespaceNotAllowed, "%+v", c)
		require.ErrorIs(t, err, destination.ErrNamespaceNotAllowed)
		require.Empty(t, matches)
		var e *ruleset.RuleError
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{"Destination", "victim/d"}, []string{e.Field, e.Value})
		absent, _ := ruleset.Compile(destination.Set{}, reaching(c.of))
		require.Equal(t, absent.Err(name(c.of, "r")).Error(), err.Error(), "whether it is there is told to nobody who may not use it")
	}
}

// A rule with a fault forbids pruning of what it covers: that must be no way into another's folder
// either.
func TestARuleThatMayNotReachADestinationHasNoSayThere(t *testing.T) {
	own := rule("victim", "own", "d", resources("configmaps"))
	own.Destination = name("victim", "d")
	intruder := rule("evil", "r", "d", resources("configmaps"))
	intruder.Destination = name("victim", "d")
	s, err := ruleset.Compile(victims(t, "f"), own, intruder)
	require.ErrorIs(t, err, ruleset.ErrNamespaceNotAllowed)
	watches, _ := s.Watches(ruleset.Served{Resources: []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: []string{"list", "watch"}},
	}}}})
	require.Len(t, watches, 1)
	require.Equal(t, "victim", watches[0].Namespace)
	require.True(t, watches[0].Coverage[0].Sweepable)
}

func TestATenantsRuleReadsNothingOfAnothersDestination(t *testing.T) {
	reaching := ruleset.Rule{Name: name("evil", "r"), Destination: name("victim", "d"), Resources: []ruleset.ResourceRule{{}}}
	_, err := ruleset.Compile(victims(t, "/secret-folder", "*"), reaching)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret-folder")
	reaching.Name = name("", "admin")
	_, err = ruleset.Compile(victims(t, "/secret-folder", "*"), reaching)
	require.ErrorContains(t, err, "secret-folder")
}
