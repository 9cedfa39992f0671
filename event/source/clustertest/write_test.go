package clustertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

func TestCreateSetsWhatTheServerOwns(t *testing.T) {
	_, client := start(t, nil)
	u := deployment("a", 1)
	u.SetUID("mine")
	u.Object["status"] = map[string]any{"replicas": int64(3)}
	u, err := client.Resource(deployments).Namespace("default").Create(t.Context(), u, metav1.CreateOptions{FieldManager: "kubectl"})
	require.NoError(t, err)
	require.Len(t, u.GetUID(), 36)
	require.NotEmpty(t, u.GetResourceVersion())
	require.NotEmpty(t, unstructuredMetadata(u)["creationTimestamp"])
	require.EqualValues(t, 1, u.GetGeneration())
	require.NotContains(t, u.Object, "status", "a create ignores the status of a type with the subresource")
	require.Len(t, u.GetManagedFields(), 1)
	require.Equal(t, "kubectl", u.GetManagedFields()[0].Manager)
	require.Equal(t, metav1.ManagedFieldsOperationUpdate, u.GetManagedFields()[0].Operation)
}

func TestCreateRefuses(t *testing.T) {
	_, client := start(t, nil)
	inDefault := client.Resource(configMaps).Namespace("default")
	_, err := inDefault.Create(t.Context(), configMap("taken", "1"), metav1.CreateOptions{})
	require.NoError(t, err)
	versioned := configMap("b", "1")
	versioned.SetResourceVersion("5")
	for _, test := range []struct {
		name   string
		client dynamic.ResourceInterface
		object *unstructured.Unstructured
		is     func(error) bool
	}{
		{"a name that is taken", inDefault, configMap("taken", "2"), apierrors.IsAlreadyExists},
		{"no name", inDefault, configMap("", "1"), apierrors.IsInvalid},
		{"a name that is a path", inDefault, configMap("a/b", "1"), apierrors.IsInvalid},
		{"a namespace that is not there", client.Resource(configMaps).Namespace("nowhere"), newObject("v1", "ConfigMap", "nowhere", "a", nil), apierrors.IsNotFound},
		{"another namespace than the URL's", inDefault, newObject("v1", "ConfigMap", "kube-system", "a", nil), apierrors.IsBadRequest},
		{"another kind than the URL's", inDefault, newObject("v1", "Secret", "default", "a", nil), apierrors.IsBadRequest},
		{"a resourceVersion", inDefault, versioned, apierrors.IsBadRequest},
		{"no namespace in the URL", client.Resource(configMaps), newObject("v1", "ConfigMap", "", "b", nil), apierrors.IsMethodNotSupported},
		{"a namespace for a cluster-scoped type", client.Resource(clusterRoles).Namespace("default"),
			newObject("rbac.authorization.k8s.io/v1", "ClusterRole", "", "a", nil), apierrors.IsNotFound},
		{"a type that is not served", client.Resource(widgetsV1).Namespace("default"), widget(1), apierrors.IsNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.client.Create(t.Context(), test.object, metav1.CreateOptions{})
			require.True(t, test.is(err), "%v", err)
		})
	}
}

func TestCreateGeneratesNames(t *testing.T) {
	_, client := start(t, nil)
	u := configMap("", "1")
	u.SetGenerateName("a-")
	u, err := client.Resource(configMaps).Namespace("default").Create(t.Context(), u, metav1.CreateOptions{})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(u.GetName(), "a-") && len(u.GetName()) == 7, u.GetName())
}

func TestUpdateWithAStaleResourceVersionIsAConflict(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	stale, err := c.Get(configMaps, "default", "a")
	require.NoError(t, err)
	require.NoError(t, c.Apply(configMap("a", "2")))
	_, err = client.Resource(configMaps).Namespace("default").Update(t.Context(), stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	_, err = client.Resource(configMaps).Namespace("default").Update(t.Context(), configMap("a", "3"), metav1.UpdateOptions{})
	require.NoError(t, err, "built-in types can be updated without a resourceVersion")

	require.NoError(t, c.Apply(widgetDefinition("Namespaced")))
	require.NoError(t, c.Apply(widget(1)))
	_, err = client.Resource(widgetsV1).Namespace("default").Update(t.Context(), widget(2), metav1.UpdateOptions{})
	require.True(t, apierrors.IsInvalid(err), "custom types cannot: %v", err)
	_, err = client.Resource(configMaps).Namespace("default").Update(t.Context(), configMap("none", "1"), metav1.UpdateOptions{})
	require.True(t, apierrors.IsNotFound(err))
}

func TestAnUpdateThatChangesNothingKeepsTheResourceVersion(t *testing.T) {
	c, client := start(t, nil)
	for _, u := range []*unstructured.Unstructured{configMap("a", "1"), deployment("a", 1), widgetDefinition("Cluster"), newObject("v1", "Namespace", "", "a", nil)} {
		require.NoError(t, c.Apply(u))
	}
	for _, gvr := range []struct {
		client dynamic.ResourceInterface
		name   string
	}{
		{client.Resource(configMaps).Namespace("default"), "a"}, {client.Resource(deployments).Namespace("default"), "a"},
		{client.Resource(crdsV1), "widgets.example.com"}, {client.Resource(namespacesV1), "a"},
	} {
		before, err := gvr.client.Get(t.Context(), gvr.name, metav1.GetOptions{})
		require.NoError(t, err)
		after, err := gvr.client.Update(t.Context(), before, metav1.UpdateOptions{FieldManager: "another"})
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

func TestGenerationCountsChangesOfTheSpecOnly(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(widgetDefinition("Namespaced")))
	require.NoError(t, c.Apply(deployment("a", 1)))
	require.NoError(t, c.Apply(widget(1)))
	for _, gvr := range []struct {
		resource dynamic.ResourceInterface
		field    string
	}{{client.Resource(deployments).Namespace("default"), "replicas"}, {client.Resource(widgetsV1).Namespace("default"), "size"}} {
		u, err := gvr.resource.Get(t.Context(), "a", metav1.GetOptions{})
		require.NoError(t, err)

		u.SetLabels(map[string]string{"a": "b"})
		u.Object["status"] = map[string]any{"seen": true}
		u, err = gvr.resource.Update(t.Context(), u, metav1.UpdateOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 1, u.GetGeneration())
		require.NotContains(t, u.Object, "status")

		u.Object["status"] = map[string]any{"seen": true}
		u.SetLabels(nil)
		require.NoError(t, unstructured.SetNestedField(u.Object, int64(9), "spec", gvr.field))
		u, err = gvr.resource.UpdateStatus(t.Context(), u, metav1.UpdateOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 1, u.GetGeneration())
		require.Equal(t, map[string]any{"seen": true}, u.Object["status"])
		require.Equal(t, map[string]string{"a": "b"}, u.GetLabels(), "status updates write nothing but the status")
		require.Equal(t, map[string]any{gvr.field: int64(1)}, u.Object["spec"])
		last := u.GetManagedFields()[len(u.GetManagedFields())-1]
		require.Equal(t, "status", last.Subresource)

		require.NoError(t, unstructured.SetNestedField(u.Object, int64(9), "spec", gvr.field))
		u, err = gvr.resource.Update(t.Context(), u, metav1.UpdateOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 2, u.GetGeneration())
	}
}

func TestPatchMergesAndTheManagerIsRecorded(t *testing.T) {
	c, client := start(t, nil)
	cm := client.Resource(configMaps).Namespace("default")
	require.NoError(t, c.Apply(configMap("a", "1")))
	for _, kind := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType} {
		u, err := cm.Patch(t.Context(), "a", kind, []byte(`{"data":{"key":null,"other":"2"}}`), metav1.PatchOptions{FieldManager: "patcher"})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"other": "2"}, u.Object["data"])
		require.Equal(t, "patcher", u.GetManagedFields()[len(u.GetManagedFields())-1].Manager)
		require.NoError(t, c.Apply(configMap("a", "1")))
	}
	_, err := cm.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"1"},"data":{"x":"y"}}`), metav1.PatchOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	_, err = cm.Patch(t.Context(), "none", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
	require.True(t, apierrors.IsNotFound(err))
	_, err = cm.Patch(t.Context(), "a", types.JSONPatchType, []byte(`[]`), metav1.PatchOptions{})
	require.True(t, apierrors.IsUnsupportedMediaType(err), "%v", err)
}

func TestApplyPatchCreatesOrMerges(t *testing.T) {
	_, client := start(t, nil)
	cm := client.Resource(configMaps).Namespace("default")
	u, err := cm.Apply(t.Context(), "a", configMap("a", "1"), metav1.ApplyOptions{FieldManager: "flux"})
	require.NoError(t, err)
	require.Equal(t, metav1.ManagedFieldsOperationApply, u.GetManagedFields()[0].Operation)
	more := newObject("v1", "ConfigMap", "default", "a", map[string]any{"data": map[string]any{"other": "2"}})
	u, err = cm.Apply(t.Context(), "a", more, metav1.ApplyOptions{FieldManager: "flux"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"key": "1", "other": "2"}, u.Object["data"])
	_, err = cm.Apply(t.Context(), "a", more, metav1.ApplyOptions{})
	require.True(t, apierrors.IsBadRequest(err), "no field manager: %v", err)
}

func TestDeleteWaitsForFinalizers(t *testing.T) {
	c, client := start(t, nil)
	cm := client.Resource(configMaps).Namespace("default")
	u := configMap("a", "1")
	u.SetFinalizers([]string{"example.com/hold"})
	require.NoError(t, c.Apply(u))
	require.NoError(t, cm.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	u, err := cm.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, u.GetDeletionTimestamp())
	require.NoError(t, cm.Delete(t.Context(), "a", metav1.DeleteOptions{}), "again")
	u.SetFinalizers(nil)
	_, err = cm.Update(t.Context(), u, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = cm.Get(t.Context(), "a", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
}

func TestDeleteHonoursPreconditions(t *testing.T) {
	c, client := start(t, nil)
	cm := client.Resource(configMaps).Namespace("default")
	require.NoError(t, c.Apply(configMap("a", "1")))
	other := types.UID("other")
	err := cm.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	require.NoError(t, cm.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	require.True(t, apierrors.IsNotFound(cm.Delete(t.Context(), "a", metav1.DeleteOptions{})))
}

func TestDeleteCollectionDeletesWhatIsSelected(t *testing.T) {
	c, client := start(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		u := configMap(name, "1")
		u.SetLabels(map[string]string{"keep": map[bool]string{true: "yes", false: "no"}[name == "b"]})
		require.NoError(t, c.Apply(u))
	}
	require.NoError(t, client.Resource(configMaps).Namespace("default").DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "keep=no"}))
	left, err := c.List(configMaps)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "b", left[0].GetName())
}

func TestDryRunStoresNothing(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	before, err := c.List(configMaps)
	require.NoError(t, err)
	all := []string{metav1.DryRunAll}
	cm := client.Resource(configMaps).Namespace("default")

	_, err = cm.Create(t.Context(), configMap("b", "1"), metav1.CreateOptions{DryRun: all})
	require.NoError(t, err)
	u, err := cm.Update(t.Context(), configMap("a", "2"), metav1.UpdateOptions{DryRun: all})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"key": "2"}, u.Object["data"])
	_, err = cm.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"data":null}`), metav1.PatchOptions{DryRun: all})
	require.NoError(t, err)
	require.NoError(t, cm.Delete(t.Context(), "a", metav1.DeleteOptions{DryRun: all}))
	require.NoError(t, cm.DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: all}, metav1.ListOptions{}))
	_, err = client.Resource(crdsV1).Create(t.Context(), widgetDefinition("Cluster"), metav1.CreateOptions{DryRun: all})
	require.NoError(t, err)

	after, err := c.List(configMaps)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = c.List(widgetsV1)
	require.True(t, apierrors.IsNotFound(err))
}

func TestDeletingANamespaceDeletesItsContentFirst(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(newObject("v1", "Namespace", "", "team", nil)))
	held := newObject("v1", "ConfigMap", "team", "held", nil)
	held.SetFinalizers([]string{"example.com/hold"})
	require.NoError(t, c.Apply(held))
	require.NoError(t, c.Apply(newObject("v1", "ConfigMap", "team", "free", nil)))
	ns := client.Resource(namespacesV1)
	w, err := ns.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=team"})
	require.NoError(t, err)
	defer w.Stop()
	expect(t, w, "ADDED team")

	require.NoError(t, ns.Delete(t.Context(), "team", metav1.DeleteOptions{}))
	expect(t, w, "MODIFIED team")
	_, err = c.Get(configMaps, "team", "free")
	require.True(t, apierrors.IsNotFound(err))
	require.True(t, apierrors.IsForbidden(c.Apply(newObject("v1", "ConfigMap", "team", "new", nil))))
	held.SetFinalizers(nil)
	require.NoError(t, c.Apply(held))
	expect(t, w, "DELETED team")
}

func TestOnlyADirectWriteBringsManagersAlong(t *testing.T) {
	c, client := start(t, nil)
	brought := []metav1.ManagedFieldsEntry{{
		Manager: "helm", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:key":{}}}`),
	}}
	direct, request := configMap("direct", "one"), configMap("request", "one")
	direct.SetManagedFields(brought)
	request.SetManagedFields(brought)
	require.NoError(t, c.Apply(direct))
	_, err := client.Resource(configMaps).Namespace("default").Create(t.Context(), request, metav1.CreateOptions{FieldManager: "kubectl"})
	require.NoError(t, err)
	for name, want := range map[string]string{"direct": "helm", "request": "kubectl"} {
		u, err := c.Get(configMaps, "default", name)
		require.NoError(t, err)
		require.Len(t, u.GetManagedFields(), 1)
		require.Equal(t, want, u.GetManagedFields()[0].Manager)
	}
}
