package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe/internal/testenv"
)

var (
	server testenv.Shared

	configMaps = corev1.SchemeGroupVersion.WithResource("configmaps")
	namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(server.Main(m)) }

func TestStartReturnsAServerWithAVersionAndTheStandardNamespaces(t *testing.T) {
	began := time.Now()
	env := testenv.Start(t, nil)
	t.Logf("etcd and kube-apiserver ready in %s", time.Since(began).Round(10*time.Millisecond))

	client, err := discovery.NewDiscoveryClientForConfig(env.Config())
	require.NoError(t, err)
	info, err := client.ServerVersion()
	require.NoError(t, err)
	parsed, err := version.ParseSemantic(info.GitVersion)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(parsed.Major(), ".", parsed.Minor()), info.Major+"."+info.Minor)
	for _, name := range []string{"default", "kube-system"} {
		_, err := clientFor(t, env.Config()).Resource(namespaces).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
	}
}

func TestSharedStartsOneServer(t *testing.T) {
	require.Same(t, server.Start(t), server.Start(t))
}

func TestConfigMapsAreCreatedWatchedAndPaged(t *testing.T) {
	client := clientFor(t, server.Start(t).Config()).Resource(configMaps).Namespace(newNamespace(t, server.Start(t)))
	before, err := client.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	watcher, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: before.GetResourceVersion()})
	require.NoError(t, err)
	defer watcher.Stop()

	want := []string{"a", "b", "c", "d", "e"}
	for _, name := range want {
		create(t, client, name)
		event := <-watcher.ResultChan()
		require.Equal(t, watch.Added, event.Type)
		require.Equal(t, name, event.Object.(*unstructured.Unstructured).GetName())
	}
	var pages int
	var got []string
	for next := ""; pages == 0 || next != ""; pages++ {
		page, err := client.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: next})
		require.NoError(t, err)
		for _, object := range page.Items {
			got = append(got, object.GetName())
		}
		next = page.GetContinue()
	}
	require.Equal(t, 3, pages)
	require.Equal(t, want, got)
}

func TestACustomResourceDefinitionIsServed(t *testing.T) {
	client := clientFor(t, server.Start(t).Config())
	widget := schema.GroupVersionResource{Group: "testenv.kubescribe.dev", Version: "v1", Resource: "widgets"}
	definition := object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.testenv.kubescribe.dev")
	definition.Object["spec"] = map[string]any{
		"group": widget.Group,
		"scope": "Namespaced",
		"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget"},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{
				"type":       "object",
				"properties": map[string]any{"size": map[string]any{"type": "integer"}},
			}},
		}},
	}
	definitions := client.Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	})
	_, err := definitions.Create(t.Context(), definition, metav1.CreateOptions{})
	require.NoError(t, err)

	widgets := client.Resource(widget).Namespace("default")
	require.Eventually(t, func() bool {
		_, err := widgets.List(t.Context(), metav1.ListOptions{})
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)
	good := object("testenv.kubescribe.dev/v1", "Widget", "good")
	good.Object["size"] = int64(3)
	_, err = widgets.Create(t.Context(), good, metav1.CreateOptions{})
	require.NoError(t, err)
	bad := object("testenv.kubescribe.dev/v1", "Widget", "bad")
	bad.Object["size"] = "three"
	_, err = widgets.Create(t.Context(), bad, metav1.CreateOptions{})
	require.True(t, apierrors.IsInvalid(err), "the schema must refuse text where it wants a number: %v", err)
}

func TestTwoPrefixesInOneEtcdAreTwoClusters(t *testing.T) {
	etcd := testenv.StartEtcd(t)
	one := testenv.Start(t, &testenv.Options{Etcd: etcd, EtcdPrefix: "/one"})
	two := testenv.Start(t, &testenv.Options{Etcd: etcd, EtcdPrefix: "/two"})
	require.Same(t, etcd, one.Etcd())
	require.NotEqual(t, clusterUID(t, one), clusterUID(t, two))

	create(t, clientFor(t, one.Config()).Resource(configMaps).Namespace("default"), "only-in-one")
	_, err := clientFor(t, two.Config()).Resource(configMaps).Namespace("default").
		Get(t.Context(), "only-in-one", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func TestOnePrefixInOneEtcdIsOneClusterWithTwoServers(t *testing.T) {
	one := testenv.Start(t, nil)
	two := testenv.Start(t, &testenv.Options{Etcd: one.Etcd()})
	require.Equal(t, clusterUID(t, one), clusterUID(t, two))
}

func TestARestartEndsWatchesAndKeepsAddressCredentialsAndData(t *testing.T) {
	env := testenv.Start(t, nil)
	client := clientFor(t, env.Config()).Resource(configMaps).Namespace("default")
	created := create(t, client, "kept")
	watcher, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: created.GetResourceVersion()})
	require.NoError(t, err)

	env.StopAPIServer(t)
	env.StopAPIServer(t)
	for range watcher.ResultChan() { // until it is closed: an open watch ends with the server
	}
	_, err = client.Get(t.Context(), "kept", metav1.GetOptions{})
	require.Error(t, err, "a stopped server must not answer")

	began := time.Now()
	env.StartAPIServer(t)
	env.StartAPIServer(t)
	t.Logf("kube-apiserver ready again in %s", time.Since(began).Round(10*time.Millisecond))
	got, err := client.Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, created.GetUID(), got.GetUID())
}

func TestAnOldWatchIsGoneAfterARestart(t *testing.T) {
	env := testenv.Start(t, nil)
	client := clientFor(t, env.Config()).Resource(configMaps).Namespace("default")
	old := create(t, client, "old").GetResourceVersion()
	create(t, client, "new")
	requireServed(t, client, old)

	env.RestartAPIServer(t)
	requireGone(t, client, old)
}

func TestAnOldWatchAndAnOldListAreGoneAfterCompactionWithoutWatchCache(t *testing.T) {
	env := testenv.Start(t, &testenv.Options{DisableWatchCache: true})
	client := clientFor(t, env.Config()).Resource(configMaps).Namespace("default")
	old := create(t, client, "old").GetResourceVersion()
	create(t, client, "new")
	page, err := client.List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, page.GetContinue())
	requireServed(t, client, old)

	env.CompactEtcd(t)
	env.CompactEtcd(t)
	requireGone(t, client, old)
	_, err = client.List(t.Context(), metav1.ListOptions{Limit: 1, Continue: page.GetContinue()})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

func TestUsersHaveTheNameTheGroupsAndThePermissionsOfTheirCertificate(t *testing.T) {
	env := server.Start(t)
	admin, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig())
	require.NoError(t, err)
	require.Equal(t, []string{"admin", "system:authenticated", "system:masters"}, whoAmI(t, admin))
	written, err := clientcmd.BuildConfigFromFlags("", env.WriteKubeconfig(t, "jane", "dev", "ops"))
	require.NoError(t, err)
	for _, config := range []*rest.Config{written, env.ConfigFor(t, "jane", "ops", "dev")} {
		require.Equal(t, []string{"jane", "dev", "ops", "system:authenticated"}, whoAmI(t, config))
		_, err = clientFor(t, config).Resource(configMaps).Namespace("default").List(t.Context(), metav1.ListOptions{})
		require.True(t, apierrors.IsForbidden(err), "%v", err)
	}
}

func TestConfigIsTheCallersOwn(t *testing.T) {
	env := server.Start(t)
	env.Config().Host = "https://changed.invalid"
	require.NotEqual(t, "https://changed.invalid", env.Config().Host)
	require.Negative(t, env.Config().QPS, "client-side throttling must be off")
}

func clientFor(t *testing.T, config *rest.Config) dynamic.Interface {
	t.Helper()
	transport, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	client, err := dynamic.NewForConfigAndClient(config, transport)
	require.NoError(t, err)
	return client
}

func object(apiVersion, kind, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name},
	}}
}

func create(t *testing.T, client dynamic.ResourceInterface, name string) *unstructured.Unstructured {
	t.Helper()
	created, err := client.Create(t.Context(), object("v1", "ConfigMap", name), metav1.CreateOptions{})
	require.NoError(t, err)
	return created
}

func newNamespace(t *testing.T, env *testenv.Env) string {
	t.Helper()
	namespace := object("v1", "Namespace", "")
	namespace.SetGenerateName("test-")
	created, err := clientFor(t, env.Config()).Resource(namespaces).Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	return created.GetName()
}

func clusterUID(t *testing.T, env *testenv.Env) string {
	t.Helper()
	namespace, err := clientFor(t, env.Config()).Resource(namespaces).Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, namespace.GetUID())
	return string(namespace.GetUID())
}

// whoAmI returns the name and the groups, sorted, under which the API server knows the caller.
func whoAmI(t *testing.T, config *rest.Config) []string {
	t.Helper()
	reviews := schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}
	review, err := clientFor(t, config).Resource(reviews).
		Create(t.Context(), object("authentication.k8s.io/v1", "SelfSubjectReview", ""), metav1.CreateOptions{})
	require.NoError(t, err)
	name, _, err := unstructured.NestedString(review.Object, "status", "userInfo", "username")
	require.NoError(t, err)
	groups, _, err := unstructured.NestedStringSlice(review.Object, "status", "userInfo", "groups")
	require.NoError(t, err)
	slices.Sort(groups)
	return append([]string{name}, groups...)
}

// requireServed fails unless a watch from that resource version delivers what happened since.
func requireServed(t *testing.T, client dynamic.ResourceInterface, resourceVersion string) {
	t.Helper()
	event := firstEvent(t, client, resourceVersion)
	require.Equal(t, watch.Added, event.Type)
}

// requireGone fails unless a watch from that resource version is refused with 410 Gone. The server
// may say so in place of the watch or as its first event.
func requireGone(t *testing.T, client dynamic.ResourceInterface, resourceVersion string) {
	t.Helper()
	event := firstEvent(t, client, resourceVersion)
	require.Equal(t, watch.Error, event.Type, "the watch was served")
	var status apierrors.APIStatus
	require.ErrorAs(t, apierrors.FromObject(event.Object), &status)
	require.Equal(t, int32(http.StatusGone), status.Status().Code, "%v", status)
}

func firstEvent(t *testing.T, client dynamic.ResourceInterface, resourceVersion string) watch.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watcher, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: resourceVersion})
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return watch.Event{Type: watch.Error, Object: &status.ErrStatus}
	}
	require.NoError(t, err)
	defer watcher.Stop()
	event, open := <-watcher.ResultChan()
	require.True(t, open, "the watch ended without an event")
	return event
}
