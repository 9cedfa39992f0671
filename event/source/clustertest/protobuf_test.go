package clustertest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// overProtobuf is a generated client that speaks nothing else.
func overProtobuf(t *testing.T, c *Cluster) kubernetes.Interface {
	t.Helper()
	config := c.Config()
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func TestGeneratedClientsWorkOverProtobuf(t *testing.T) {
	c, _ := start(t, &Options{Scheme: scheme.Scheme})
	maps := overProtobuf(t, c).CoreV1().ConfigMaps("default")
	w, err := maps.Watch(t.Context(), metav1.ListOptions{AllowWatchBookmarks: true})
	require.NoError(t, err)
	defer w.Stop()
	created, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"key": "1"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	created.Data["key"] = "2"
	_, err = maps.Update(t.Context(), created, metav1.UpdateOptions{})
	require.NoError(t, err)
	list, err := maps.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "2", list.Items[0].Data["key"])
	got, err := maps.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, list.Items[0].ResourceVersion, got.ResourceVersion)
	require.NoError(t, maps.Delete(t.Context(), "a", *metav1.NewPreconditionDeleteOptions(string(got.UID))))
	_, err = maps.Get(t.Context(), "a", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		e := <-w.ResultChan()
		require.Equal(t, want, e.Type)
		require.Equal(t, "a", e.Object.(*corev1.ConfigMap).Name)
	}
}

func TestLeaderElectionWorks(t *testing.T) {
	c, _ := start(t, &Options{Scheme: scheme.Scheme})
	client := overProtobuf(t, c)
	leads, stopped := make(chan struct{}), make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "mirror"}, Client: client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: "one"},
		},
		LeaseDuration: 2 * time.Second, RenewDeadline: time.Second, RetryPeriod: 10 * time.Millisecond, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(leads) },
			OnStoppedLeading: func() { close(stopped) },
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go elector.Run(ctx)
	<-leads
	require.True(t, elector.IsLeader())
	cancel()
	<-stopped
	lease, err := client.CoordinationV1().Leases("default").Get(t.Context(), "mirror", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, *lease.Spec.HolderIdentity)
}
