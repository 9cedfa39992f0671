package kubescribe_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	repoRef = types.NamespacedName{Namespace: "default", Name: "repo"}
	prodRef = types.NamespacedName{Namespace: "default", Name: "prod"}
	devRef  = types.NamespacedName{Namespace: "default", Name: "dev"}
)

func cluster(t *testing.T) *clustertest.Cluster {
	t.Helper()
	c := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", c.Seed())
	t.Cleanup(c.Close)
	return c
}

func configMap(t *testing.T, c *clustertest.Cluster, name, value string) {
	t.Helper()
	require.NoError(t, c.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "namespace": "default"},
		"data":     map[string]any{"value": value},
	}}))
}

// rulesFor sends all ConfigMaps to each of the destinations, a folder of the branch main of its own
// name.
func rulesFor(repo interface{ URL() string }, refs ...destination.Ref) kubescribe.Rules {
	r := kubescribe.Rules{Repositories: []destination.Repository{{Ref: repoRef, URL: repo.URL()}}}
	for _, ref := range refs {
		r.Destinations = append(r.Destinations, destination.Spec{Ref: ref, RepositoryRef: repoRef, Branch: "main", BaseFolder: ref.Name})
		r.Rules = append(r.Rules, ruleset.Rule{
			Name:        types.NamespacedName{Name: ref.Name},
			Destination: ref,
			Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		})
	}
	return r
}

func quick(o kubescribe.Options) *kubescribe.Options {
	o.Queue.Window = queue.Window{Debounce: 20 * time.Millisecond}
	o.Git.RateLimit = func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} }
	return &o
}

// start runs a Mirror until the returned function is called, which returns what Start returned.
func start(t *testing.T, m *kubescribe.Mirror) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx); close(ended) }()
	stop = func() error { cancel(); return <-ended }
	t.Cleanup(func() { _ = stop() })
	return stop
}

func synced(t *testing.T, m *kubescribe.Mirror) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, m.WaitSynced(ctx))
}

func TestRulesCanBeReplacedWhileItRuns(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, m.SetRules(rulesFor(repo, devRef)))
	synced(t, m)
	require.NoError(t, stop())
	files := repo.Tree("main")
	require.Contains(t, files, "dev/default/configmaps/a.yaml")
	require.Contains(t, files, "prod/default/configmaps/a.yaml", "what no rule covers any more stays")
	_, ok := m.DestinationStatus(prodRef)
	require.False(t, ok)
}

func TestFaultyRulesTakeNothingFromTheOthers(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	rules := rulesFor(repo, prodRef, devRef)
	rules.Destinations[1].Branch = "bad..name"
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{}))
	require.NoError(t, err)
	require.ErrorContains(t, m.SetRules(rules), "bad..name")
	st, ok := m.DestinationStatus(devRef)
	require.True(t, ok)
	require.ErrorIs(t, st.Err, destination.ErrInvalid)
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	require.Contains(t, repo.Tree("main"), "prod/default/configmaps/a.yaml")
}

func TestNothingIsWrittenWhenLeadershipIsLost(t *testing.T) {
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	var leads atomic.Bool
	asked := make(chan struct{}, 100)
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		StillLeader: func(context.Context) bool {
			asked <- struct{}{}
			return leads.Load()
		},
		DrainTimeout: time.Hour,
	}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	<-asked // a plan has been run
	began := time.Now()
	var remaining *queue.RemainingError
	require.ErrorAs(t, stop(), &remaining)
	require.Less(t, time.Since(began), 30*time.Second, "no draining")
	require.Empty(t, repo.Branches())
}

func TestStatusIsToldAndComplete(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	told := make(chan kubescribe.DestinationStatus, 100)
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		OnStatus: func(_ destination.Ref, st kubescribe.DestinationStatus) { told <- st },
	}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	for (<-told).Tip == "" { // at first the folder is only looked at
	}
	synced(t, m)
	st := m.Status()
	require.Len(t, st.Destinations, 1)
	prod := st.Destinations[prodRef]
	tip, _ := repo.Tip("main")
	require.Equal(t, tip, prod.Tip)
	require.True(t, prod.Synced)
	require.False(t, prod.LastSeed.IsZero())
	require.False(t, prod.LastCommit.IsZero())
	require.NoError(t, stop())
	require.ErrorContains(t, m.Start(t.Context()), "twice")
}

func TestUnknownDestinationsAreRefused(t *testing.T) {
	t.Parallel()
	m, err := kubescribe.New(cluster(t).Config(), nil)
	require.NoError(t, err)
	for _, f := range []func(destination.Ref) error{m.Resync, m.Approve, m.Adopt} {
		require.ErrorIs(t, f(prodRef), destination.ErrUnknown)
	}
}

func TestTheClusterIsNamedByItsKubeSystemNamespaceOnceThatCanBeRead(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	var failed atomic.Bool
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "get" && r.Name == metav1.NamespaceSystem && !failed.Swap(true) {
			return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("not yet")}
		}
		return nil
	})
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	system, err := c.Get(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", metav1.NamespaceSystem)
	require.NoError(t, err)
	require.Contains(t, repo.Tree("main")["prod/.kubescribe"], string(system.GetUID()))
	require.True(t, failed.Load())
}

// lock is a resourcelock.Interface that says what it is told.
type lock struct {
	resourcelock.Interface
	record resourcelock.LeaderElectionRecord
	err    error
}

func (l *lock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &l.record, nil, l.err
}
func (l *lock) Identity() string { return "me" }

func TestHoldsLeaseBelievesOnlyAFreshLockThatNamesUs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, holdsLease)
}

func holdsLease(t *testing.T) {
	fresh := metav1.Now()
	for name, c := range map[string]struct {
		lock lock
		want bool
	}{
		"ours":         {lock{record: resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15, RenewTime: fresh}}, true},
		"another's":    {lock{record: resourcelock.LeaderElectionRecord{HolderIdentity: "you", LeaseDurationSeconds: 15, RenewTime: fresh}}, false},
		"run out":      {lock{record: resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15, RenewTime: metav1.NewTime(fresh.Add(-16 * time.Second))}}, false},
		"at its end":   {lock{record: resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15, RenewTime: metav1.NewTime(fresh.Add(-15 * time.Second))}}, false},
		"not readable": {lock{record: resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15, RenewTime: fresh}, err: errors.New("no answer")}, false},
	} {
		require.Equal(t, c.want, kubescribe.HoldsLease(&c.lock)(t.Context()), name)
	}
}
