package ruleset_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/ruleset"
)

// client-go makes the lists of an aggregated discovery by ranging over a map.
func TestTheVersionOfATypeDoesNotDependOnTheOrderOfDiscovery(t *testing.T) {
	versions := func(vs ...string) ruleset.Rule {
		return rule("", "r", "a", ruleset.ResourceRule{Resources: []string{"hpas"}, APIVersions: vs})
	}
	hpas := schema.GroupResource{Group: "autoscaling", Resource: "hpas"}
	for name, c := range map[string]struct {
		served    []string
		preferred string
		rule      ruleset.Rule
		keep      string
		want      string
	}{
		"the preferred one":                                     {[]string{"v1", "v2"}, "v2", versions("*"), "", "v2"},
		"the preferred one, though it is older":                 {[]string{"v1", "v2"}, "v1", versions("*"), "", "v1"},
		"the best one that a rule allows":                       {[]string{"v2", "v1beta1", "v1", "v2beta2", "v1alpha1"}, "v2", versions("v1beta1", "v1alpha1", "v2beta2"), "", "v2beta2"},
		"stable before beta":                                    {[]string{"v1", "v3beta1", "x", "v2alpha1"}, "", versions("*"), "", "v1"},
		"eleven after two":                                      {[]string{"v2", "v11", "v9"}, "", versions("*"), "", "v11"},
		"the one that was read":                                 {[]string{"v1", "v2"}, "v2", versions("*"), "v1", "v1"},
		"not the one that was read, if it is gone":              {[]string{"v2", "v3"}, "v2", versions("*"), "v1", "v2"},
		"not the one that was read, if no rule allows it":       {[]string{"v1", "v2"}, "v2", versions("v2"), "v1", "v2"},
		"a preferred one that is not served with this type":     {[]string{"v1", "v1beta1"}, "v2", versions("*"), "", "v1"},
		"a preferred one that no rule allows is not waited for": {[]string{"v1", "v2"}, "v2", versions("v1"), "", "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.rule)
			var lists []*metav1.APIResourceList
			for _, v := range c.served {
				lists = append(lists, list("autoscaling/"+v, namespaced("hpas")))
			}
			from := ruleset.Served{
				Groups:    []*metav1.APIGroup{{Name: "other"}, {Name: "autoscaling", PreferredVersion: metav1.GroupVersionForDiscovery{Version: c.preferred}}},
				Resources: lists,
			}
			if c.keep != "" {
				from.Keep = map[schema.GroupResource]string{hpas: c.keep}
			}
			for range 20 {
				rand.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
				watches, _ := s.Watches(from)
				require.Len(t, watches, 1)
				require.Equal(t, c.want, watches[0].Resource.Version)
			}
		})
	}
}

func TestTypesAreEachTypeOnceInItsPreferredVersion(t *testing.T) {
	from := ruleset.Served{
		Groups: []*metav1.APIGroup{{Name: "a", PreferredVersion: metav1.GroupVersionForDiscovery{Version: "v1"}}},
		Resources: []*metav1.APIResourceList{
			list("v1", namespaced("pods")), list("a/v2", namespaced("x"), namespaced("y")), list("a/v1", namespaced("x")), list("b/v1beta1", namespaced("x")), list("b/v1", namespaced("x")),
		},
	}
	var got []string
	for _, typ := range from.Types() {
		got = append(got, typ.Resource+"."+typ.Version+"."+typ.Group)
	}
	require.Equal(t, []string{"pods.v1.", "x.v1.a", "y.v2.a", "x.v1.b"}, got)
}
