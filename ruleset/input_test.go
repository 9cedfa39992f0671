package ruleset_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestAnInputIsMadeOfAnObjectAsTheServerSendsIt(t *testing.T) {
	manager := func(name, time, subresource string) any {
		return map[string]any{"manager": name, "operation": "Update", "time": time, "subresource": subresource}
	}
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"namespace": "x", "name": "p", "labels": map[string]any{"app": "web"},
			"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}},
			"managedFields": []any{
				manager("old", "2026-01-01T00:00:00Z", ""), manager("flux", "2026-01-02T00:00:00Z", ""), manager("helm", "2026-01-02T00:00:00Z", ""),
				manager("older", "2026-01-01T12:00:00Z", ""), manager("flux", "2026-01-02T00:00:00Z", ""),
				manager("kubelet", "2026-01-03T00:00:00Z", "status"), map[string]any{"manager": "timeless"},
			},
		},
	}}
	want := ruleset.Input{
		Resource:        event.Resource{ID: event.ID{Resource: "pods", Namespace: "x", Name: "p"}, Version: "v1", Kind: "Kind-pods"},
		Labels:          map[string]string{"app": "web"},
		NamespaceLabels: map[string]string{"team": "red"},
		Controlled:      true,
		Object:          obj.Object,
	}
	require.Equal(t, want, ruleset.NewInput(podType(), obj, want.NamespaceLabels))
	grouped := ruleset.Type{Group: "apps", Version: "v1", Resource: "deployments", Kind: "Deployment", Namespaced: true}
	require.Equal(t, event.Resource{ID: event.ID{Group: "apps", Resource: "deployments", Namespace: "x", Name: "p"}, Version: "v1", Kind: "Deployment"},
		ruleset.NewInput(grouped, obj, nil).Resource)
	names, when := ruleset.LastManagers(obj)
	require.Equal(t, []string{"flux", "helm"}, names)
	require.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), when.UTC())
	names, when = ruleset.LastManagers(&unstructured.Unstructured{})
	require.Empty(t, names)
	require.Zero(t, when)
	require.False(t, ruleset.NewInput(podType(), &unstructured.Unstructured{}, nil).Controlled)
}
