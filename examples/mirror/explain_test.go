package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

const others = `---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: red}
spec:
  destinationRef: {name: prod, namespace: default}
  namespaceSelector: {matchLabels: {team: red}}
  rules: [{apiVersions: [v1beta1]}, {}]
  exclude: [{names: ["b*"]}]
  skip: [RootCA]
`

func TestExplainSaysWhichRuleSendsAnObjectWhereOrWhyNot(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good + others)
	f.configMap("a", "one")
	code, stdout, stderr := f.run("--explain", "configmaps/default/a")
	require.Equal(t, exitDone, code, stderr)
	where := f.repo.URL()
	require.Empty(t, cmp.Diff(strings.ReplaceAll(`configmaps/default/a (version v1)
  to default/prod ($REPO#main:clusters/prod): writes its file, removes it with the object
config.yaml:19: ClusterWatchRule red to default/prod: NamespaceSelector: NamespaceSelector "team=red" does not select the labels map["kubernetes.io/metadata.name":"default"]
config.yaml:12: WatchRule default/rule to default/prod: Selected: asks for CREATE, UPDATE, DELETE
`, "$REPO", strings.TrimSuffix(where, ".git")), stdout))
	require.Empty(t, stderr)
	require.Empty(t, f.repo.Branches(), "nothing is written")
	require.Zero(t, f.git.Total().Requests)
}

// What is left out of the file is named, with the rule or the preset that leaves it out.
func TestExplainSaysWhichFieldsAreLeftOutAndWhatIsEncrypted(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(strings.Replace(good, "  rules:", "  ignore: [{pointers: [/data/value]}]\n  sensitive: [{resources: [configmaps], pointers: [/data/*]}]\n  rules:", 1))
	lock := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"value": "x", "other": "y"}}}
	lock.SetNamespace("default")
	lock.SetName("a")
	lock.SetAnnotations(map[string]string{"control-plane.alpha.kubernetes.io/leader": "{}"})
	require.NoError(t, f.cluster.Apply(lock))
	code, stdout, stderr := f.run("--explain", "configmaps/default/a")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "    without /data/value, /metadata/annotations/control-plane.alpha.kubernetes.io~1leader\n    encrypted: /data/*\n")
	require.Contains(t, stdout, "without the fields of Ignore[0], preset LeaderLocks; sensitive by Sensitive[0]\n")
}

func TestExplainFindsTheTypeAndItsVersion(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	for _, group := range []string{"one.example", "two.example"} {
		require.NoError(t, f.cluster.AddType(clustertest.Type{Group: group, Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}))
	}
	require.NoError(t, f.cluster.AddType(clustertest.Type{Group: "one.example", Versions: []string{"v1"}, Resource: "gadgets", Kind: "Gadget"}))
	for _, tt := range []struct {
		object string
		code   int
		stdout []string
		stderr string
	}{
		{"namespaces/default", exitDone, []string{"namespaces/default (version v1)", "to no destination", "no rule asks for this type", "the object is cluster-scoped"}, ""},
		{"configmaps/default/nobody", exitFailed, nil, "not found"},
		{"configmaps/nobody", exitFailed, nil, "namespaced: true"},
		{"namespaces/default/default", exitFailed, nil, "namespaced: false"},
		{"nothings/default/a", exitFailed, nil, `no resource "nothings"`},
		{"configmaps.apps/default/a", exitFailed, nil, `no resource "configmaps" of group "apps"`},
		{"widgets/default/a", exitFailed, nil, "write widgets.one.example or widgets.two.example"},
		{"gadgets/a", exitFailed, nil, "not found"},
		{"configmaps", exitInput, nil, "want RESOURCE[.GROUP]/[NAMESPACE/]NAME"},
		{"configmaps//a", exitInput, nil, "want RESOURCE[.GROUP]/[NAMESPACE/]NAME"},
	} {
		t.Run(tt.object, func(t *testing.T) {
			code, stdout, stderr := f.run("--explain", tt.object)
			require.Equal(t, tt.code, code, stdout)
			for _, want := range tt.stdout {
				require.Contains(t, stdout, want)
			}
			require.Contains(t, stderr, tt.stderr)
		})
	}
}

// The version that is left is not the one that the mirror reads.
func TestExplainTakesNoOtherVersionForOneThatCannotBeDiscovered(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good + others)
	require.NoError(t, f.cluster.AddType(clustertest.Type{Group: "one.example", Versions: []string{"v1", "v2"}, Resource: "widgets", Kind: "Widget", Namespaced: true}))
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "discover" && r.Resource.Group == "one.example" && r.Resource.Version == "v2" {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("no endpoints available")}
		}
		return nil
	})
	code, stdout, stderr := f.run("--explain", "widgets.one.example/default/a")
	require.Equal(t, exitFailed, code, stdout)
	require.Contains(t, stderr, `no resource "widgets" of group "one.example"`)
	require.Contains(t, stderr, "one.example/v2")
	f.configMap("a", "one")
	code, _, stderr = f.run("--explain", "configmaps/default/a")
	require.Equal(t, exitDone, code, stderr)
}

func TestExplainGoesOnWithFaultyRulesAndNamesTheirFaults(t *testing.T) {
	f := newFixture(t, nil)
	f.configMap("b", "one")
	f.manifests(good + strings.Replace(others, "rules: [{", "rules: [{resources: [pods/log], ", 1))
	code, stdout, stderr := f.run("--explain", "configmaps/default/b")
	require.Equal(t, exitInput, code)
	require.Contains(t, stdout, "ClusterWatchRule red to default/prod: Invalid: ")
	require.Contains(t, stdout, "WatchRule default/rule to default/prod: Selected: ")
	require.Contains(t, stderr, "spec.rules[0].resources[0]")
}
