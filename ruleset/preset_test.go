package ruleset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

func TestPresetsLeaveOutWhatTheyNameAndNothingElse(t *testing.T) {
	of := map[ruleset.Preset][]ruleset.Input{
		ruleset.SkipEvents: {object("", "v1", "events", "x", "e"), object("events.k8s.io", "v1", "events", "x", "e")},
		ruleset.SkipLeases: {object("coordination.k8s.io", "v1", "leases", "kube-node-lease", "n")},
		ruleset.SkipEndpoints: {
			object("", "v1", "endpoints", "x", "e"), object("discovery.k8s.io", "v1", "endpointslices", "x", "e"),
			object("discovery.k8s.io", "v1beta1", "endpointslices", "x", "e"),
		},
		ruleset.SkipRootCA: {object("", "v1", "configmaps", "x", "kube-root-ca.crt")},
	}
	others := []ruleset.Input{
		object("", "v1", "configmaps", "x", "kube-root-ca.crt.1"), object("", "v1", "secrets", "x", "kube-root-ca.crt"),
		object("example.com", "v1", "events", "x", "e"), object("example.com", "v1", "leases", "x", "e"), object("", "v1", "services", "x", "s"),
	}
	require.Len(t, of, len(ruleset.Presets()))
	for skipped, left := range of {
		r := rule("", "r", "a", ruleset.ResourceRule{})
		r.Skip = []ruleset.Preset{skipped}
		s := compile(t, r)
		for _, in := range left {
			require.Nil(t, s.Match(in), "%s: %s", skipped, in.Resource.ID)
			require.Equal(t, ruleset.ReasonExcluded, s.Explain(in).Verdicts[0].Reason)
			require.Contains(t, s.Explain(in).Verdicts[0].Message, "Skip[0]")
		}
		for _, in := range others {
			require.NotNil(t, s.Match(in), "%s: %s", skipped, in.Resource.ID)
		}
		for other, wanted := range of {
			for _, in := range wanted {
				require.Equal(t, other == skipped, s.Match(in) == nil, "%s: %s", skipped, in.Resource.ID)
			}
		}
	}
}

func TestNothingIsSkippedThatNoRuleNames(t *testing.T) {
	s := compile(t, rule("", "r", "a", ruleset.ResourceRule{}))
	for _, p := range ruleset.Presets() {
		for _, e := range p.Exclusions() {
			for _, resource := range e.Resources {
				require.NotNil(t, s.Match(object(e.APIGroups[0], "v1", resource, "x", "kube-root-ca.crt")), p)
			}
		}
	}
}

func TestPresetsOfWholeTypesAreNotWatched(t *testing.T) {
	lists := []*metav1.APIResourceList{
		list("v1", namespaced("configmaps"), namespaced("endpoints"), namespaced("events")), list("coordination.k8s.io/v1", namespaced("leases")),
		list("discovery.k8s.io/v1", namespaced("endpointslices")), list("events.k8s.io/v1", namespaced("events")),
	}
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.Skip = ruleset.Presets()
	watches, err := compile(t, r).Watches(served(lists))
	require.NoError(t, err)
	require.Equal(t, "configmaps.v1. in all\n  a: all, prune", show(watches))
	r.Skip = nil
	watches, err = compile(t, r).Watches(served(lists))
	require.NoError(t, err)
	require.Len(t, watches, 6)
}
