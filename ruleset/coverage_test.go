package ruleset_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// discovered are the types of the vocabulary of random, deployments in two versions.
var discovered = []*metav1.APIResourceList{
	list("v1", namespaced("pods"), clusterScoped("nodes"), clusterScoped("namespaces")),
	list("apps/v1", namespaced("deployments"), namespaced("pods")), list("apps/v1beta1", namespaced("deployments")),
	list("example.com/v1beta1", clusterScoped("nodes"), namespaced("namespaces")), list("example.com/v2", namespaced("other")),
}

// in returns the watches in which an object shows up.
func in(watches []ruleset.Watch, id event.ID) []ruleset.Watch {
	return slices.DeleteFunc(slices.Clone(watches), func(w ruleset.Watch) bool {
		t := w.Resource
		return t.Group != id.Group || t.Resource != id.Resource || w.Namespace != "" && w.Namespace != id.Namespace
	})
}

func TestEachWantedObjectIsWatchedOnceAndLiesInTheCoverage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 1))}
	set := destinations(t, "a", "b")
	wanted := 0
	for range 150 {
		rules := make([]ruleset.Rule, 1+r.IntN(5))
		for i := range rules {
			rules[i] = r.rule(i)
		}
		s, err := ruleset.Compile(set, rules...)
		require.NoError(t, err)
		watches, _ := s.Watches(served(discovered))
		for _, w := range watches {
			require.NotEmpty(t, w.Coverage, "nobody wants it")
		}
		for range 30 {
			wanted += checkWatched(t, s, watches, r.input(), fmt.Sprintf("seed %d, rules %+v", seed, rules))
		}
	}
	require.Greater(t, wanted, 500, "the vocabulary no longer makes matches common")
}

func checkWatched(t *testing.T, s *ruleset.RuleSet, watches []ruleset.Watch, object ruleset.Input, about string) (wanted int) {
	t.Helper()
	where := in(watches, object.Resource.ID)
	require.LessOrEqual(t, len(where), 1, "%s: %v is read twice", about, object.Resource.ID)
	if len(where) == 0 {
		for _, version := range versionsOf(watches, object.Resource) {
			object.Resource.Version = version
			require.Nil(t, s.Match(object), "%s: %v is wanted and not watched", about, object.Resource.ID)
		}
		return 0
	}
	if where[0].Resource.Namespaced != (object.Resource.Namespace != "") {
		return 0 // there is no such object
	}
	object.Resource.Version = where[0].Resource.Version
	for _, m := range s.Match(object) {
		wanted++
		require.True(t, slices.ContainsFunc(where[0].Coverage, func(c ruleset.Coverage) bool {
			return c.Destination == m.Destination && c.Collection.Contains(object.Resource.ID)
		}), "%s: %v of %s lies in none of %+v", about, object.Resource.ID, m.Destination.Ref, where[0].Coverage)
	}
	return wanted
}

// versionsOf are those in which an object of the discovered types could be wanted: the one in which
// its type is read, or else all that are served.
func versionsOf(watches []ruleset.Watch, r event.Resource) []string {
	var versions []string
	for _, list := range discovered {
		gv, _ := schema.ParseGroupVersion(list.GroupVersion)
		if gv.Group == r.Group && slices.ContainsFunc(list.APIResources, func(api metav1.APIResource) bool {
			return api.Name == r.Resource && api.Namespaced == (r.Namespace != "")
		}) {
			versions = append(versions, gv.Version)
		}
	}
	for _, w := range watches {
		if len(versions) > 0 && w.Resource.Group == r.Group && w.Resource.Resource == r.Resource {
			return []string{w.Resource.Version}
		}
	}
	return versions
}
