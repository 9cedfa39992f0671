package clustertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/metadata"
)

// names are in byte order: that of the items of a page means nothing.
func names(list *unstructured.UnstructuredList) (all []string) {
	for _, u := range list.Items {
		all = append(all, u.GetName())
	}
	slices.Sort(all)
	return all
}

func TestAListInPagesShowsTheMomentOfItsFirstPage(t *testing.T) {
	c, client := start(t, nil)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		require.NoError(t, c.Apply(configMap(name, "1")))
	}
	first, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, names(first))
	require.EqualValues(t, 3, *first.GetRemainingItemCount())

	require.NoError(t, c.Apply(configMap("bb", "1")))
	require.NoError(t, c.Apply(configMap("c", "2")))
	require.NoError(t, c.Delete(configMaps, "default", "d"))

	second, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2, Continue: first.GetContinue()})
	require.NoError(t, err)
	require.Equal(t, []string{"c", "d"}, names(second))
	require.Equal(t, map[string]any{"key": "1"}, second.Items[0].Object["data"])
	require.Equal(t, first.GetResourceVersion(), second.GetResourceVersion())
	third, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2, Continue: second.GetContinue()})
	require.NoError(t, err)
	require.Equal(t, []string{"e"}, names(third))
	require.Empty(t, third.GetContinue())
	require.Nil(t, third.GetRemainingItemCount())

	now, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "bb", "c", "e"}, names(now))
}

func TestSnapshotsEqualASortOfWhatIsStored(t *testing.T) {
	c, _ := start(t, nil)
	for i := range 300 {
		name := fmt.Sprintf("cm-%d", i*7919%300)
		if i%3 == 2 {
			name = fmt.Sprintf("cm-%d", (i-1)*7919%300)
			require.NoError(t, c.Delete(configMaps, "default", name))
		} else {
			require.NoError(t, c.Apply(configMap(name, "1")))
		}
		if i%7 == 0 {
			list, err := c.List(configMaps)
			require.NoError(t, err)
			require.Len(t, list, len(c.resources[configMaps.GroupResource()].objects))
			require.IsIncreasing(t, append([]string{"", "!"}, names(flatten(list))...))
		}
	}
}

func flatten(list []*unstructured.Unstructured) *unstructured.UnstructuredList {
	all := &unstructured.UnstructuredList{}
	for _, u := range list {
		all.Items = append(all.Items, *u)
	}
	return all
}

func TestListsSelectByNamespaceLabelAndField(t *testing.T) {
	c, client := start(t, nil)
	for _, k := range []key{{"default", "a"}, {"default", "b"}, {"kube-system", "a"}, {"kube-public", "c"}} {
		u := newObject("v1", "ConfigMap", k.namespace, k.name, nil)
		u.SetLabels(map[string]string{"name": k.name})
		require.NoError(t, c.Apply(u))
	}
	for _, test := range []struct {
		namespace string
		options   metav1.ListOptions
		want      []string
	}{
		{"", metav1.ListOptions{}, []string{"a", "a", "b", "c"}},
		{"default", metav1.ListOptions{}, []string{"a", "b"}},
		{"nowhere", metav1.ListOptions{}, nil},
		{"", metav1.ListOptions{LabelSelector: "name in (a,c)"}, []string{"a", "a", "c"}},
		{"default", metav1.ListOptions{FieldSelector: "metadata.name=b"}, []string{"b"}},
		{"", metav1.ListOptions{FieldSelector: "metadata.namespace!=default"}, []string{"a", "c"}},
	} {
		list, err := client.Resource(configMaps).Namespace(test.namespace).List(t.Context(), test.options)
		require.NoError(t, err)
		require.Equal(t, test.want, names(list), "%+v", test)
	}
	_, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.x=y"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	page, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 1, LabelSelector: "name=c"})
	require.NoError(t, err)
	require.NotEmpty(t, page.GetContinue(), "more keys, though none that matches")
	require.Nil(t, page.GetRemainingItemCount(), "unknown with a selector")
	page, err = client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 1, LabelSelector: "name=c", Continue: page.GetContinue()})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Empty(t, page.GetContinue())
}

func TestCompactExpiresContinueTokensAndOldLists(t *testing.T) {
	c, client := start(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, c.Apply(configMap(name, "1")))
	}
	first, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	exact := metav1.ListOptions{ResourceVersion: first.GetResourceVersion(), ResourceVersionMatch: metav1.ResourceVersionMatchExact}
	_, err = client.Resource(configMaps).List(t.Context(), exact)
	require.NoError(t, err)
	c.Compact()
	_, err = client.Resource(configMaps).List(t.Context(), exact)
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
	_, err = client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 1, Continue: first.GetContinue()})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)

	inconsistent := statusOf(err).Continue
	require.NotEmpty(t, inconsistent)
	require.NoError(t, c.Delete(configMaps, "default", "b"))
	rest, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Continue: inconsistent})
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, names(rest))
	_, err = client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Continue: "nonsense"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
}

func TestAFutureResourceVersionIsTooLarge(t *testing.T) {
	c, _ := start(t, nil)
	_, err := c.list(&request{FaultRequest: FaultRequest{Resource: configMaps, Options: metav1.ListOptions{ResourceVersion: "1000"}}})
	require.True(t, apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge), "%v", err)
}

func TestItemsOfBuiltInListsHaveNoKindOnTheWire(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(widgetDefinition("Namespaced")))
	require.NoError(t, c.Apply(configMap("a", "1")))
	require.NoError(t, c.Apply(widget(1)))
	for path, want := range map[string]any{"/api/v1/configmaps": nil, "/apis/example.com/v1/widgets": "Widget"} {
		response, err := http.Get(c.URL() + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		var list struct{ Items []map[string]any }
		require.NoError(t, json.Unmarshal(body, &list))
		require.Equal(t, want, list.Items[0]["kind"])
	}
	list, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "ConfigMap", list.Items[0].GetKind(), "the client fills it in")
}

func TestMetadataClientsGetMetadataOnly(t *testing.T) {
	c, _ := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	client, err := metadata.NewForConfig(c.Config())
	require.NoError(t, err)
	cm := client.Resource(configMaps).Namespace("default")
	list, err := cm.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	one, err := cm.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, list.Items[0].ObjectMeta, one.ObjectMeta)
	w, err := cm.Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer w.Stop()
	require.Equal(t, one.ObjectMeta, next(t, w).Object.(*metav1.PartialObjectMetadata).ObjectMeta)
	require.NoError(t, cm.Delete(t.Context(), "a", metav1.DeleteOptions{}))
}
