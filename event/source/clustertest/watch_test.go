package clustertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
)

func startWatch(t *testing.T, client dynamic.ResourceInterface, opts metav1.ListOptions) watch.Interface {
	t.Helper()
	w, err := client.Watch(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w
}

func TestAWatchReplaysFromItsResourceVersion(t *testing.T) {
	c, client := start(t, nil)
	cm := client.Resource(configMaps)
	require.NoError(t, c.Apply(configMap("before", "1")))
	list, err := cm.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Apply(configMap("a", "1")))
	require.NoError(t, c.Apply(configMap("a", "2")))
	w := startWatch(t, cm, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	expect(t, w, "ADDED a", "MODIFIED a")
	require.NoError(t, c.Delete(configMaps, "default", "a"))
	e := next(t, w)
	require.Equal(t, watch.Deleted, e.Type)
	require.Equal(t, formatVersion(c.version), e.Object.(*unstructured.Unstructured).GetResourceVersion(), "the deletion's")
	require.Equal(t, 1, c.Requests("watch", configMaps.GroupResource()))
}

func TestAWatchWithoutResourceVersionStartsWithWhatIsThere(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	require.NoError(t, c.Apply(newObject("v1", "ConfigMap", "kube-system", "b", nil)))
	for _, version := range []string{"", "0"} {
		w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{ResourceVersion: version})
		expect(t, w, "ADDED a", "ADDED b")
		one := startWatch(t, client.Resource(configMaps).Namespace("kube-system"), metav1.ListOptions{ResourceVersion: version})
		expect(t, one, "ADDED b")
	}
}

func TestSendInitialEventsEndsThemWithABookmark(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	yes, no := true, false
	opts := metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}
	w := startWatch(t, client.Resource(configMaps), opts)
	expect(t, w, "ADDED a")
	e := next(t, w)
	require.Equal(t, watch.Bookmark, e.Type)
	end := e.Object.(*unstructured.Unstructured)
	require.Equal(t, map[string]string{"k8s.io/initial-events-end": "true"}, end.GetAnnotations())
	require.Equal(t, formatVersion(c.version), end.GetResourceVersion())

	opts.SendInitialEvents = &no
	w = startWatch(t, client.Resource(configMaps), opts)
	require.NoError(t, c.Apply(configMap("b", "1")))
	expect(t, w, "ADDED b")

	opts.ResourceVersionMatch = ""
	_, err := client.Resource(configMaps).Watch(t.Context(), opts)
	require.True(t, apierrors.IsInvalid(err), "%v", err)
}

func TestIgnoreSendInitialEventsLeavesTheBookmarkOut(t *testing.T) {
	c, client := start(t, &Options{IgnoreSendInitialEvents: true})
	require.NoError(t, c.Apply(configMap("a", "1")))
	yes := true
	w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	expect(t, w, "ADDED a")
	require.NoError(t, c.Apply(configMap("b", "1")))
	expect(t, w, "ADDED b")
}

func TestAWatchWithASelectorSeesObjectsComeAndGo(t *testing.T) {
	c, client := start(t, nil)
	labelled := func(value string) *unstructured.Unstructured {
		u := configMap("a", value)
		u.SetLabels(map[string]string{"app": value})
		return u
	}
	w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{LabelSelector: "app=in"})
	require.NoError(t, c.Apply(labelled("out")))
	require.NoError(t, c.Apply(labelled("in")))
	require.NoError(t, c.Apply(labelled("out")))
	expect(t, w, "ADDED a")
	e := next(t, w)
	left := e.Object.(*unstructured.Unstructured)
	require.Equal(t, watch.Deleted, e.Type)
	require.Equal(t, map[string]string{"app": "in"}, left.GetLabels(), "the last state that matched")
	require.Equal(t, formatVersion(c.version), left.GetResourceVersion())
	require.NoError(t, c.Delete(configMaps, "default", "a"))
	require.NoError(t, c.Apply(labelled("in")))
	expect(t, w, "ADDED a")
}

func TestBookmarksComePeriodicallyAndOnDemand(t *testing.T) {
	_, client := start(t, &Options{BookmarkInterval: 10 * time.Millisecond})
	w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{AllowWatchBookmarks: true})
	require.Equal(t, watch.Bookmark, next(t, w).Type)
	require.Equal(t, watch.Bookmark, next(t, w).Type)

	c, client := start(t, nil)
	w = startWatch(t, client.Resource(configMaps), metav1.ListOptions{AllowWatchBookmarks: true})
	silent := startWatch(t, client.Resource(configMaps), metav1.ListOptions{})
	require.NoError(t, c.Apply(deployment("elsewhere", 1)))
	c.Bookmark(configMaps.GroupResource())
	e := next(t, w)
	require.Equal(t, watch.Bookmark, e.Type)
	require.Equal(t, formatVersion(c.version), e.Object.(*unstructured.Unstructured).GetResourceVersion(), "other types' writes count")
	require.NoError(t, c.Apply(configMap("a", "1")))
	expect(t, silent, "ADDED a")
}

func TestAWatchEndsAfterItsTimeout(t *testing.T) {
	t.Parallel()
	_, client := start(t, nil)
	one := int64(1)
	expectEnd(t, startWatch(t, client.Resource(configMaps), metav1.ListOptions{TimeoutSeconds: &one}))
}

func TestTooOldAResourceVersionIsGone(t *testing.T) {
	c, client := start(t, &Options{History: 2})
	list, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	from := metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}
	require.NoError(t, c.Apply(configMap("a", "1")))
	require.NoError(t, c.Apply(configMap("b", "1")))
	expect(t, startWatch(t, client.Resource(configMaps), from), "ADDED a", "ADDED b")
	require.NoError(t, c.Apply(configMap("c", "1")))
	_, err = client.Resource(configMaps).Watch(t.Context(), from)
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
	require.Equal(t, metav1.StatusReasonExpired, apierrors.ReasonForError(err))
}

func TestCompactExpiresVersionsButNotWatchesThatAreUpToDate(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	list, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{ResourceVersion: "0"})
	expect(t, w, "ADDED a")
	c.Compact()
	_, err = client.Resource(configMaps).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
	require.NoError(t, c.Apply(configMap("b", "1")))
	expect(t, w, "ADDED b")
}

func TestAWatchThatFallsBehindTheHistoryEndsWithGone(t *testing.T) {
	c, _ := start(t, &Options{History: 2})
	s, err := c.subscribe(&request{FaultRequest: FaultRequest{Resource: configMaps}})
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, c.Apply(configMap("a", fmt.Sprint(i))))
	}
	_, _, _, err = c.pending(s, make([]entry, 8))
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

func TestExpireAndCutWatchesComeAfterTheEventsBeforeThem(t *testing.T) {
	c, client := start(t, nil)
	for _, test := range []struct {
		name  string
		order func()
		end   func(testing.TB, watch.Interface)
	}{
		{"expire", func() { c.ExpireWatches(configMaps.GroupResource()) }, expectGone},
		{"cut", func() { c.CutWatches(configMaps.GroupResource()) }, expectEnd},
	} {
		w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{})
		other := startWatch(t, client.Resource(deployments), metav1.ListOptions{})
		require.NoError(t, c.Apply(configMap(test.name, "1")))
		test.order()
		require.NoError(t, c.Apply(configMap(test.name, "2")))
		expect(t, w, "ADDED "+test.name)
		test.end(t, w)
		require.NoError(t, c.Apply(deployment("a", 1)))
		require.NoError(t, c.Delete(deployments, "default", "a"))
		expect(t, other, "ADDED a", "DELETED a")

		// An order is for the watches that ran, not for those that replay its time.
		again := startWatch(t, client.Resource(configMaps), metav1.ListOptions{ResourceVersion: "1"})
		require.NoError(t, c.Apply(configMap("last", "1")))
		for e := next(t, again); e.Object.(*unstructured.Unstructured).GetName() != "last"; e = next(t, again) {
			require.NotEqual(t, watch.Error, e.Type)
		}
		require.NoError(t, c.Delete(configMaps, "default", test.name))
		require.NoError(t, c.Delete(configMaps, "default", "last"))
	}
}

func TestRetryWatcherSurvivesACutWithoutLosingOrRepeating(t *testing.T) {
	t.Parallel()
	c, client := start(t, nil)
	cm := client.Resource(configMaps)
	list, err := cm.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	w, err := toolswatch.NewRetryWatcherWithContext(t.Context(), list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return cm.Watch(ctx, opts)
		},
	})
	require.NoError(t, err)
	defer func() { <-w.Done() }()
	defer w.Stop()
	for i := range 3 {
		name := fmt.Sprintf("a%d", i)
		require.NoError(t, c.Apply(configMap(name, "1")))
		expect(t, w, "ADDED "+name)
		c.CutWatches(configMaps.GroupResource())
		require.NoError(t, c.Apply(configMap(name, "2")))
		expect(t, w, "MODIFIED "+name)
	}
	c.ExpireWatches(configMaps.GroupResource())
	expectGone(t, w)
}

func TestInformersSyncAndFollow(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	ctx, cancel := context.WithCancel(t.Context())
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.Resource(configMaps).List(ctx, opts)
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return client.Resource(configMaps).Watch(ctx, opts)
		},
	}
	seen := make(chan string, 10)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: lw, ObjectType: &unstructured.Unstructured{},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: func(o any) { seen <- o.(*unstructured.Unstructured).GetName() }},
	})
	done := make(chan struct{})
	go func() { defer close(done); informer.RunWithContext(ctx) }()
	require.Equal(t, "a", <-seen)
	require.NoError(t, c.Apply(configMap("b", "1")))
	require.Equal(t, "b", <-seen)
	cancel()
	<-done
}
