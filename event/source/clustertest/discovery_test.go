package clustertest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
)

func discoveryClient(t *testing.T, c *Cluster) *discovery.DiscoveryClient {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(c.Config())
	require.NoError(t, err)
	return client
}

// served lists "groupVersion/resource" of all lists.
func served(lists []*metav1.APIResourceList) (all []string) {
	for _, list := range lists {
		for _, r := range list.APIResources {
			all = append(all, list.GroupVersion+"/"+r.Name)
		}
	}
	slices.Sort(all)
	return all
}

func TestDiscoveryListsTheBuiltInTypes(t *testing.T) {
	c, _ := start(t, nil)
	groups, lists, err := discoveryClient(t, c).ServerGroupsAndResources()
	require.NoError(t, err)
	require.Len(t, groups, 8)
	require.Equal(t, []string{
		"apiextensions.k8s.io/v1/customresourcedefinitions", "apiextensions.k8s.io/v1/customresourcedefinitions/status",
		"apps/v1/deployments", "apps/v1/deployments/status",
		"autoscaling/v1/horizontalpodautoscalers", "autoscaling/v1/horizontalpodautoscalers/status",
		"autoscaling/v2/horizontalpodautoscalers", "autoscaling/v2/horizontalpodautoscalers/status",
		"coordination.k8s.io/v1/leases", "events.k8s.io/v1/events",
		"flowcontrol.apiserver.k8s.io/v1/flowschemas", "flowcontrol.apiserver.k8s.io/v1/flowschemas/status",
		"flowcontrol.apiserver.k8s.io/v1beta3/flowschemas", "flowcontrol.apiserver.k8s.io/v1beta3/flowschemas/status",
		"rbac.authorization.k8s.io/v1/clusterroles",
		"v1/configmaps", "v1/events", "v1/namespaces", "v1/namespaces/status", "v1/secrets", "v1/serviceaccounts",
		"v1/services", "v1/services/status",
	}, served(lists))
	version, err := discoveryClient(t, c).ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "37", version.Minor)
}

func TestACustomResourceDefinitionServesItsTypeAtOnceAndUntilItIsDeleted(t *testing.T) {
	c, client := start(t, nil)
	crd, err := client.Resource(crdsV1).Create(t.Context(), widgetDefinition("Namespaced"), metav1.CreateOptions{})
	require.NoError(t, err)
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	require.Len(t, conditions, 2)
	lists, err := discoveryClient(t, c).ServerPreferredResources()
	require.NoError(t, err)
	require.Contains(t, served(lists), "example.com/v1/widgets")
	require.NotContains(t, served(lists), "example.com/v1beta1/widgets")

	w := startWatch(t, client.Resource(widgetsV1), metav1.ListOptions{})
	_, err = client.Resource(widgetsV1).Namespace("default").Create(t.Context(), widget(1), metav1.CreateOptions{})
	require.NoError(t, err)
	expect(t, w, "ADDED a")
	require.NoError(t, client.Resource(crdsV1).Delete(t.Context(), "widgets.example.com", metav1.DeleteOptions{}))
	expect(t, w, "DELETED a")
	expectEnd(t, w)
	_, err = client.Resource(widgetsV1).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	_, lists, err = discoveryClient(t, c).ServerGroupsAndResources()
	require.NoError(t, err)
	require.NotContains(t, served(lists), "example.com/v1/widgets")

	require.NoError(t, c.Apply(widgetDefinition("Cluster")), "recreated with another scope")
	list, err := client.Resource(widgetsV1).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	require.True(t, apierrors.IsInvalid(c.Apply(widgetDefinition("Namespaced"))), "the scope of a served type cannot change")
}

func TestACustomResourceDefinitionMustMakeSense(t *testing.T) {
	c, _ := start(t, nil)
	u := widgetDefinition("Everywhere")
	u.SetName("other.example.com")
	err := c.Apply(u)
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.Contains(t, err.Error(), "metadata.name")
	require.Contains(t, err.Error(), "spec.scope")
}

func TestTwoVersionsShowTheSameObjects(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.AddType(Type{Group: "example.com", Versions: []string{"v1beta1", "v1"}, Kind: "Widget", Resource: "widgets", Namespaced: true}))
	w := startWatch(t, client.Resource(widgetsV1beta1), metav1.ListOptions{})
	require.NoError(t, c.Apply(widget(1)))
	require.Equal(t, "example.com/v1beta1", next(t, w).Object.(*unstructured.Unstructured).GetAPIVersion())
	old, err := client.Resource(widgetsV1beta1).Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	list, err := client.Resource(widgetsV1).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "example.com/v1", list.Items[0].GetAPIVersion())
	require.Equal(t, old.GetUID(), list.Items[0].GetUID())
	_, err = client.Resource(widgetsV1beta1).Namespace("default").Update(t.Context(), old, metav1.UpdateOptions{})
	require.NoError(t, err)
	again, err := c.Get(widgetsV1, "default", "a")
	require.NoError(t, err)
	require.Equal(t, old.GetResourceVersion(), again.GetResourceVersion())
}

func TestSetPreferredVersionShowsInDiscovery(t *testing.T) {
	c, _ := start(t, nil)
	require.NoError(t, c.Apply(widgetDefinition("Namespaced")))
	c.SetPreferredVersion("example.com", "v1beta1")
	lists, err := discoveryClient(t, c).ServerPreferredResources()
	require.NoError(t, err)
	require.Contains(t, served(lists), "example.com/v1beta1/widgets")
	require.NotContains(t, served(lists), "example.com/v1/widgets")
}

func TestRemoveTypeEndsWatchesWithoutDeletedEvents(t *testing.T) {
	c, client := start(t, nil)
	widgets := Type{Group: "example.com", Versions: []string{"v1", "v1beta1"}, Kind: "Widget", Resource: "widgets", Namespaced: true}
	require.NoError(t, c.AddType(widgets))
	require.NoError(t, c.Apply(widget(1)))
	w := startWatch(t, client.Resource(widgetsV1), metav1.ListOptions{})
	expect(t, w, "ADDED a")
	widgets.Versions = []string{"v1"}
	require.NoError(t, c.AddType(widgets), "with a version less")
	expectEnd(t, w)
	_, err := c.List(widgetsV1beta1)
	require.True(t, apierrors.IsNotFound(err))

	w = startWatch(t, client.Resource(widgetsV1), metav1.ListOptions{})
	expect(t, w, "ADDED a")
	c.RemoveType(widgetsV1.GroupResource())
	expectEnd(t, w)
	require.NoError(t, c.AddType(widgets))
	list, err := c.List(widgetsV1)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = client.Resource(widgetsV1).Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"})
	require.True(t, apierrors.IsResourceExpired(err), "a watch cannot reach back over the removal: %v", err)
	widgets.Namespaced = false
	require.ErrorContains(t, c.AddType(widgets), "cannot change")
	require.ErrorContains(t, c.AddType(Type{}), "must be set")
}
