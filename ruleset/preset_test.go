package ruleset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

func labelled(in ruleset.Input, label, value string) ruleset.Input {
	in.Labels = map[string]string{label: value}
	return in
}

func managed(in ruleset.Input, managers ...string) ruleset.Input {
	var entries []any
	for _, m := range managers {
		entries = append(entries, map[string]any{"manager": m})
	}
	in.Object = map[string]any{"metadata": map[string]any{"managedFields": entries}}
	return in
}

const (
	sliceManager     = "endpointslice.kubernetes.io/managed-by"
	endpointsManager = "endpoints.kubernetes.io/managed-by"
	addressManager   = "ipaddress.kubernetes.io/managed-by"
	automanaged      = "kube-aggregator.kubernetes.io/automanaged"
)

func secretOf(in ruleset.Input, of string) ruleset.Input {
	in.Object = map[string]any{"type": of}
	return in
}

// presetObjects are what each preset that excludes objects leaves out, and of SkipGenerated what no
// other does.
var presetObjects = map[ruleset.Preset][]ruleset.Input{
	ruleset.SkipEvents: {object("", "v1", "events", "x", "e"), object("events.k8s.io", "v1", "events", "x", "e")},
	ruleset.SkipLeases: {object("coordination.k8s.io", "v1", "leases", "x", "n")},
	ruleset.SkipEndpoints: {
		labelled(object("", "v1", "endpoints", "x", "e"), endpointsManager, "endpoint-controller"),
		managed(object("", "v1", "endpoints", "x", "e"), "kube-controller-manager"),
		managed(object("", "v1", "endpoints", "x", "e"), "k3s", "k3s"),
		labelled(object("discovery.k8s.io", "v1", "endpointslices", "x", "e"), sliceManager, "endpointslice-controller.k8s.io"),
		labelled(object("discovery.k8s.io", "v1beta1", "endpointslices", "x", "e"), sliceManager, "endpointslicemirroring-controller.k8s.io"),
	},
	ruleset.SkipRootCA: {object("", "v1", "configmaps", "x", "kube-root-ca.crt")},
	ruleset.SkipGenerated: {
		object("", "v1", "configmaps", "kube-system", "extension-apiserver-authentication"),
		object("", "v1", "configmaps", "kube-system", "kube-apiserver-legacy-service-account-token-tracking"),
		object("", "v1", "services", "default", "kubernetes"),
		object("", "v1", "endpoints", "default", "kubernetes"),
		object("discovery.k8s.io", "v1", "endpointslices", "default", "kubernetes"),
		object("networking.k8s.io", "v1", "servicecidrs", "", "kubernetes"),
		labelled(object("networking.k8s.io", "v1", "ipaddresses", "", "10.0.0.1"), addressManager, "ipallocator.k8s.io"),
		labelled(object("apiregistration.k8s.io", "v1", "apiservices", "", "v1.apps"), automanaged, "onstart"),
		labelled(object("apiregistration.k8s.io", "v1", "apiservices", "", "v1.example.com"), automanaged, "true"),
	},
	ruleset.SkipHelmReleases: {
		secretOf(object("", "v1", "secrets", "x", "sh.helm.release.v1.web.v1"), "helm.sh/release.v1"),
		labelled(object("", "v1", "configmaps", "x", "sh.helm.release.v1.web.v1"), "owner", "helm"),
		labelled(object("", "v1", "configmaps", "kube-system", "web.v1"), "OWNER", "TILLER"),
		labelled(object("", "v1", "secrets", "kube-system", "web.v1"), "OWNER", "TILLER"),
	},
	ruleset.SkipTokens: {
		secretOf(object("", "v1", "secrets", "x", "t"), "kubernetes.io/service-account-token"),
		secretOf(object("", "v1", "secrets", "kube-system", "bootstrap-token-abcdef"), "bootstrap.kubernetes.io/token"),
	},
}

func TestPresetsLeaveOutWhatTheyNameAndNothingElse(t *testing.T) {
	others := []ruleset.Input{
		object("", "v1", "configmaps", "x", "kube-root-ca.crt.1"), object("", "v1", "secrets", "x", "kube-root-ca.crt"),
		object("example.com", "v1", "events", "x", "e"), object("example.com", "v1", "leases", "x", "e"), object("", "v1", "services", "x", "s"),
		// what people wrote, as far as can be told
		object("", "v1", "endpoints", "x", "e"), object("discovery.k8s.io", "v1", "endpointslices", "x", "e"),
		labelled(object("discovery.k8s.io", "v1", "endpointslices", "x", "e"), sliceManager, "me"),
		managed(object("", "v1", "endpoints", "x", "e")), managed(object("", "v1", "endpoints", "x", "e"), "kube-controller-manager", "kubectl"),
		managed(object("", "v1", "services", "x", "e"), "kube-controller-manager"),
		object("networking.k8s.io", "v1", "ipaddresses", "", "10.0.0.1"), object("networking.k8s.io", "v1", "servicecidrs", "", "more"),
		object("apiregistration.k8s.io", "v1", "apiservices", "", "v1.example.com"), object("", "v1", "services", "x", "kubernetes"),
		object("", "v1", "configmaps", "x", "extension-apiserver-authentication"),
	}
	others = append(others, secretOf(object("", "v1", "secrets", "x", "s"), "Opaque"), labelled(object("", "v1", "configmaps", "x", "web"), "owner", "helm"),
		object("", "v1", "configmaps", "x", "sh.helm.release.v1.web.v1"), secretOf(object("example.com", "v1", "secrets", "x", "t"), "kubernetes.io/service-account-token"))
	for _, p := range ruleset.Presets() {
		require.NotEqual(t, len(p.Exclusions()) == 0, len(p.Ignored()) == 0, "%s excludes objects or ignores fields", p)
		require.Equal(t, len(p.Exclusions()) == 0, len(presetObjects[p]) == 0, "%s", p)
	}
	for skipped, left := range presetObjects {
		r := rule("", "r", "a", ruleset.ResourceRule{})
		r.Skip, r.Keep = []ruleset.Preset{skipped}, ruleset.DefaultPresets()
		s := compile(t, r)
		for _, in := range left {
			require.Nil(t, s.Match(in), "%s: %s", skipped, in.Resource.ID)
			require.Equal(t, ruleset.ReasonExcluded, s.Explain(in).Verdicts[0].Reason)
			require.Contains(t, s.Explain(in).Verdicts[0].Message, "Skip[0]")
		}
		for _, in := range others {
			require.NotNil(t, s.Match(in), "%s: %s", skipped, in.Resource.ID)
		}
		for other, wanted := range presetObjects {
			among := skipped == ruleset.SkipGenerated && (other == ruleset.SkipEndpoints || other == ruleset.SkipRootCA)
			for _, in := range wanted {
				require.Equal(t, other == skipped || among, s.Match(in) == nil, "%s: %s", skipped, in.Resource.ID)
			}
		}
	}
}

func TestLeasesOfKubeletsAndOfTheAPIServerAreGenerated(t *testing.T) {
	s := compile(t, rule("", "r", "a", ruleset.ResourceRule{}))
	require.Nil(t, s.Match(object("coordination.k8s.io", "v1", "leases", "kube-node-lease", "node")))
	require.Nil(t, s.Match(labelled(object("coordination.k8s.io", "v1", "leases", "kube-system", "a"), "apiserver.kubernetes.io/identity", "kube-apiserver")))
	require.NotNil(t, s.Match(object("coordination.k8s.io", "v1", "leases", "kube-system", "leader")))
}

func TestNothingIsSkippedThatNoRuleNamesButWhatTheClusterGenerates(t *testing.T) {
	byDefault := compile(t, rule("", "r", "a", ruleset.ResourceRule{}))
	keeping := rule("", "r", "a", ruleset.ResourceRule{})
	keeping.Keep = ruleset.DefaultPresets()
	all := compile(t, keeping)
	by := map[ruleset.Preset]ruleset.Preset{
		ruleset.SkipGenerated: ruleset.SkipGenerated, ruleset.SkipEndpoints: ruleset.SkipGenerated, ruleset.SkipRootCA: ruleset.SkipGenerated,
		ruleset.SkipHelmReleases: ruleset.SkipHelmReleases, ruleset.SkipTokens: ruleset.SkipTokens,
	}
	for p, objects := range presetObjects {
		for _, in := range objects {
			require.NotNil(t, all.Match(in), "%s: %s", p, in.Resource.ID)
			require.Equal(t, by[p] != "", byDefault.Match(in) == nil, "%s: %s", p, in.Resource.ID)
			if by[p] != "" {
				require.Contains(t, byDefault.Explain(in).Verdicts[0].Message, "preset "+string(by[p]))
			}
		}
	}
}

func TestADefaultThatIsAlsoSkippedByNameIsNamedOnce(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.Skip = ruleset.DefaultPresets()
	verdict := compile(t, r).Explain(object("", "v1", "configmaps", "x", "kube-root-ca.crt")).Verdicts[0]
	require.Equal(t, "Skip[0] leaves nothing", verdict.Message)
}

func TestAPresetThatIsNoDefaultCannotBeKept(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.Keep = []ruleset.Preset{ruleset.SkipGenerated, ruleset.SkipEvents}
	_, err := ruleset.Compile(destinations(t, "a"), r)
	require.ErrorContains(t, err, "Keep[1]")
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
	// Of endpoints some are wanted: they must be watched, and what is left out of them may be
	// swept.
	require.Equal(t, "configmaps.v1. in all\n  a: all, prune\nendpoints.v1. in all\n  a: all, prune\n"+
		"endpointslices.v1.discovery.k8s.io in all\n  a: all, prune", show(watches))
	r.Skip = nil
	watches, err = compile(t, r).Watches(served(lists))
	require.NoError(t, err)
	require.Len(t, watches, 6)
}
