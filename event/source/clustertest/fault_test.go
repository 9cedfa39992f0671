package clustertest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
)

func TestFailAnswersWithTheStatusOfTheError(t *testing.T) {
	c, client := start(t, nil)
	var fault error
	remove := c.Fail(func(r FaultRequest) *Fault {
		if r.Verb != "list" || r.Resource != configMaps || r.Namespace != "default" {
			return nil
		}
		return &Fault{Error: fault}
	})
	cm := client.Resource(configMaps)
	for _, test := range []struct {
		fault error
		is    func(error) bool
	}{
		{apierrors.NewForbidden(configMaps.GroupResource(), "", errors.New("RBAC")), apierrors.IsForbidden},
		{apierrors.NewResourceExpired("gone"), apierrors.IsResourceExpired},
		{apierrors.NewServiceUnavailable("down"), apierrors.IsServiceUnavailable},
		{errors.New("anything"), apierrors.IsInternalError},
	} {
		fault = test.fault
		_, err := cm.Namespace("default").List(t.Context(), metav1.ListOptions{})
		require.True(t, test.is(err), "%v", err)
	}
	_, err := cm.Namespace("kube-system").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err, "another namespace")
	require.Equal(t, 5, c.Requests("list", configMaps.GroupResource()))
	remove()
	_, err = cm.Namespace("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}

func TestFailSendsRetryAfterWhichClientsObey(t *testing.T) {
	t.Parallel()
	c, client := start(t, nil)
	var asked atomic.Int32
	c.Fail(func(r FaultRequest) *Fault {
		if asked.Add(1) == 1 {
			return &Fault{Error: apierrors.NewTooManyRequests("slow down", 1)}
		}
		return nil
	})
	began := time.Now()
	_, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.EqualValues(t, 2, asked.Load())
}

func TestFailKnowsThePageOfAList(t *testing.T) {
	c, client := start(t, nil)
	for i := range 5 {
		require.NoError(t, c.Apply(configMap(fmt.Sprint(i), "1")))
	}
	c.Fail(func(r FaultRequest) *Fault {
		if r.Page == 3 && r.Options.Continue != "" {
			return &Fault{Error: apierrors.NewResourceExpired("gone")}
		}
		return nil
	})
	page, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2})
	require.NoError(t, err)
	page, err = client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2, Continue: page.GetContinue()})
	require.NoError(t, err)
	_, err = client.Resource(configMaps).List(t.Context(), metav1.ListOptions{Limit: 2, Continue: page.GetContinue()})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

func TestFailCutsPagesShortAndLosesNothing(t *testing.T) {
	c, client := start(t, nil)
	for i := range 5 {
		require.NoError(t, c.Apply(configMap(fmt.Sprint(i), "1")))
	}
	c.Fail(func(r FaultRequest) *Fault { return &Fault{Short: 2} })
	var names []string
	opts := metav1.ListOptions{Limit: 100}
	for pages := 1; ; pages++ {
		list, err := client.Resource(configMaps).Namespace("default").List(t.Context(), opts)
		require.NoError(t, err)
		for _, item := range list.Items {
			names = append(names, item.GetName())
		}
		if opts.Continue = list.GetContinue(); opts.Continue == "" {
			require.Equal(t, 3, pages)
			break
		}
	}
	require.ElementsMatch(t, []string{"0", "1", "2", "3", "4"}, names)
}

func TestFailCutsAnAnswerInTheMiddle(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	c.Fail(func(r FaultRequest) *Fault { return &Fault{Cut: true} })
	_, err := client.Resource(configMaps).Namespace("default").List(t.Context(), metav1.ListOptions{})
	require.ErrorContains(t, err, "EOF")
	require.Equal(t, 1, c.Requests("list", configMaps.GroupResource()))
}

func TestFailDropsTheConnection(t *testing.T) {
	c, client := start(t, nil)
	c.Fail(func(FaultRequest) *Fault { return &Fault{Drop: true} })
	_, err := client.Resource(configMaps).Namespace("default").Create(t.Context(), configMap("a", "1"), metav1.CreateOptions{})
	require.ErrorContains(t, err, "EOF")
	_, err = c.Get(configMaps, "default", "a")
	require.True(t, apierrors.IsNotFound(err))
}

func TestFailHoldsARequestUntilItIsReleased(t *testing.T) {
	c, client := start(t, nil)
	release, held := make(chan struct{}), make(chan struct{})
	c.Fail(func(r FaultRequest) *Fault {
		require.NoError(t, c.Apply(configMap("by-the-hook", "1")), "hooks may use the cluster")
		close(held)
		return &Fault{Hold: release}
	})
	listed := make(chan int, 1)
	go func() {
		list, err := client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			listed <- -1
			return
		}
		listed <- len(list.Items)
	}()
	<-held
	require.Empty(t, listed)
	close(release)
	require.Equal(t, 1, <-listed)
}

func TestFailEndsAWatchAfterSoManyEvents(t *testing.T) {
	c, client := start(t, nil)
	require.NoError(t, c.Apply(configMap("a", "1")))
	var fault *Fault
	c.Fail(func(r FaultRequest) *Fault { return fault })
	for name, test := range map[string]struct {
		fault *Fault
		end   func(testing.TB, watch.Interface)
	}{
		"cleanly":       {&Fault{AfterEvents: 2}, expectEnd},
		"by dropping":   {&Fault{AfterEvents: 2, Drop: true}, expectEnd},
		"with an error": {&Fault{AfterEvents: 2, Error: apierrors.NewResourceExpired("gone")}, expectGone},
	} {
		t.Run(name, func(t *testing.T) {
			fault = test.fault
			w := startWatch(t, client.Resource(configMaps), metav1.ListOptions{})
			require.NoError(t, c.Apply(configMap("b", "1")))
			expect(t, w, "ADDED a", "ADDED b")
			test.end(t, w)
			require.NoError(t, c.Delete(configMaps, "default", "b"))
		})
	}
	fault = &Fault{Error: apierrors.NewForbidden(configMaps.GroupResource(), "", nil)}
	_, err := client.Resource(configMaps).Watch(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

func TestFailMakesDiscoveryPartial(t *testing.T) {
	c, _ := start(t, nil)
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	c.Fail(func(r FaultRequest) *Fault {
		if r.Verb == "discover" && r.Resource.GroupVersion() == apps {
			return &Fault{Error: apierrors.NewServiceUnavailable("no endpoints")}
		}
		return nil
	})
	_, lists, err := discoveryClient(t, c).ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	require.True(t, partial, "%v", err)
	require.Contains(t, failed, apps)
	require.Contains(t, served(lists), "v1/configmaps")
	require.NotContains(t, served(lists), "apps/v1/deployments")
}
