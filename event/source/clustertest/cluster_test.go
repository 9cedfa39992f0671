package clustertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

var (
	configMaps     = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespacesV1   = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	deployments    = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	clusterRoles   = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
	crdsV1         = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	widgetsV1      = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}
	widgetsV1beta1 = schema.GroupVersionResource{Group: "example.com", Version: "v1beta1", Resource: "widgets"}
)

// start returns a cluster that ends with the test, and a client for it.
func start(t testing.TB, opts *Options) (*Cluster, dynamic.Interface) {
	t.Helper()
	c := New(opts)
	t.Cleanup(c.Close)
	client, err := dynamic.NewForConfig(c.Config())
	require.NoError(t, err)
	return c, client
}

func newObject(apiVersion, kind, namespace, name string, fields map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	for f, v := range fields {
		u.Object[f] = v
	}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func configMap(name, value string) *unstructured.Unstructured {
	return newObject("v1", "ConfigMap", "default", name, map[string]any{"data": map[string]any{"key": value}})
}

func deployment(name string, replicas int64) *unstructured.Unstructured {
	return newObject("apps/v1", "Deployment", "default", name, map[string]any{"spec": map[string]any{"replicas": replicas}})
}

func widgetDefinition(scope string) *unstructured.Unstructured {
	version := func(name string, storage bool) any {
		return map[string]any{
			"name": name, "served": true, "storage": storage, "subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
		}
	}
	return newObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.example.com", map[string]any{"spec": map[string]any{
		"group": "example.com", "scope": scope,
		"names":    map[string]any{"kind": "Widget", "plural": "widgets", "singular": "widget"},
		"versions": []any{version("v1beta1", false), version("v1", true)},
	}})
}

func widget(size int64) *unstructured.Unstructured {
	return newObject("example.com/v1", "Widget", "default", "a", map[string]any{"spec": map[string]any{"size": size}})
}

// next returns the next event, or fails the test after ten seconds.
func next(t testing.TB, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case e, ok := <-w.ResultChan():
		require.True(t, ok, "the watch has ended")
		return e
	case <-time.After(10 * time.Second):
		require.Fail(t, "no event")
		return watch.Event{}
	}
}

// expect requires the next events to be "TYPE name" each.
func expect(t testing.TB, w watch.Interface, events ...string) {
	t.Helper()
	for _, want := range events {
		e := next(t, w)
		u, ok := e.Object.(*unstructured.Unstructured)
		require.True(t, ok, "%s %v", e.Type, e.Object)
		require.Equal(t, want, fmt.Sprintf("%s %s", e.Type, u.GetName()))
	}
}

func expectEnd(t testing.TB, w watch.Interface) {
	t.Helper()
	select {
	case e, ok := <-w.ResultChan():
		require.False(t, ok, "%v", e)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the watch goes on")
	}
}

func expectGone(t testing.TB, w watch.Interface) {
	t.Helper()
	e := next(t, w)
	require.Equal(t, watch.Error, e.Type)
	require.True(t, apierrors.IsResourceExpired(apierrors.FromObject(e.Object)), "%v", e.Object)
}

func TestClusterAnswersVersionAndReadyz(t *testing.T) {
	c, _ := start(t, nil)
	for path, want := range map[string]string{"/readyz": "ok", "/version": `"gitVersion":"v1.37.0+clustertest"`} {
		response, err := http.Get(c.URL() + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Contains(t, string(body), want)
	}
	require.EqualValues(t, -1, c.Config().QPS)
}

func TestClusterStartsWithTheFourNamespacesAndAFixedKubeSystemUID(t *testing.T) {
	_, client := start(t, &Options{KubeSystemUID: "11111111-2222-3333-4444-555555555555"})
	list, err := client.Resource(namespacesV1).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, u := range list.Items {
		names = append(names, u.GetName())
		require.NotEmpty(t, u.GetUID())
		require.Equal(t, u.GetName() == "kube-system", u.GetUID() == "11111111-2222-3333-4444-555555555555")
	}
	require.ElementsMatch(t, []string{"default", "kube-node-lease", "kube-public", "kube-system"}, names)
}

func TestGeneratedClientsWorkOverJSON(t *testing.T) {
	c, _ := start(t, nil)
	client, err := kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	created, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"key": "1"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	created.Data["key"] = "2"
	updated, err := client.CoreV1().ConfigMaps("default").Update(t.Context(), created, metav1.UpdateOptions{})
	require.NoError(t, err)
	again, err := client.CoreV1().ConfigMaps("default").Update(t.Context(), updated, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, updated.ResourceVersion, again.ResourceVersion)
}

func TestProtobufIsRefused(t *testing.T) {
	c, _ := start(t, nil)
	config := c.Config()
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
	require.Equal(t, metav1.StatusReasonNotAcceptable, apierrors.ReasonForError(err), "%v", err)
}

func TestHelpersWriteToTheStoreDirectly(t *testing.T) {
	c, client := start(t, nil)
	u := deployment("a", 1)
	u.Object["status"] = map[string]any{"readyReplicas": int64(1)}
	require.NoError(t, c.Apply(u))
	require.NoError(t, c.Apply(deployment("a", 2)), "an object with neither resourceVersion nor status")
	got, err := client.Resource(deployments).Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	ready, _, _ := unstructured.NestedInt64(got.Object, "status", "readyReplicas")
	require.EqualValues(t, 1, ready)
	require.EqualValues(t, 2, got.GetGeneration())

	direct, err := c.Get(deployments, "default", "a")
	require.NoError(t, err)
	require.Equal(t, got, direct)
	list, err := c.List(deployments)
	require.NoError(t, err)
	require.Equal(t, []*unstructured.Unstructured{got}, list)

	require.NoError(t, c.Delete(deployments, "default", "a"))
	require.True(t, apierrors.IsNotFound(c.Delete(deployments, "default", "a")))
	_, err = c.Get(deployments, "default", "a")
	require.True(t, apierrors.IsNotFound(err))
	require.True(t, apierrors.IsNotFound(c.Apply(widget(1))), "a type that is not served")
	require.True(t, apierrors.IsNotFound(c.Apply(newObject("v1", "ConfigMap", "nowhere", "a", nil))))
}

func TestCloseEndsWatchesAndHeldRequests(t *testing.T) {
	c := New(nil)
	client, err := dynamic.NewForConfig(c.Config())
	require.NoError(t, err)
	w, err := client.Resource(configMaps).Watch(context.Background(), metav1.ListOptions{})
	require.NoError(t, err)
	held := make(chan struct{})
	c.Fail(func(r FaultRequest) *Fault {
		if r.Verb != "create" {
			return nil
		}
		close(held)
		return &Fault{Hold: make(chan struct{})}
	})
	failed := make(chan error, 1)
	go func() {
		_, err := client.Resource(configMaps).Namespace("default").Create(context.Background(), configMap("a", "1"), metav1.CreateOptions{})
		failed <- err
	}()
	<-held
	c.Close()
	c.Close()
	expectEnd(t, w)
	require.Error(t, <-failed)
}
