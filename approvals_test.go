package kubescribe_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/orphan"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// grown is a Mirror of one destination that is synced, and its rules.
type grown struct {
	*kubescribe.Mirror
	cluster *clustertest.Cluster
	sink    *gitsinktest.Fake
	repo    fakeRepo
	rules   kubescribe.Rules
	stop    func() error
}

// fakeRepo is the repository of a fake sink: these tests look at what is written, not at how.
type fakeRepo struct{ *gitsinktest.FakeRepo }

func (fakeRepo) URL() string { return "https://git.example/org/r.git" }

// Tree returns the content of all files.
func (r fakeRepo) Tree(branch string) map[string]string {
	tree := map[string]string{}
	for path, file := range r.Files(branch) {
		tree[path] = file.Content
	}
	return tree
}

func newFake() (*gitsinktest.Fake, fakeRepo) {
	sink := gitsinktest.NewFake()
	return sink, fakeRepo{sink.Repo(fakeRepo{}.URL())}
}

func grow(t *testing.T, prepare func(*grown)) *grown {
	t.Helper()
	g := &grown{cluster: cluster(t)}
	g.sink, g.repo = newFake()
	g.rules = rulesFor(g.repo, prodRef)
	g.rules.Rules[0].Resources[0].Resources = []string{"configmaps", "serviceaccounts"}
	if prepare != nil {
		prepare(g)
	}
	m, err := kubescribe.New(g.cluster.Config(), quick(kubescribe.Options{
		Source: source.Options{Rediscover: 100 * time.Millisecond}, GitSink: g.sink,
	}))
	require.NoError(t, err)
	g.Mirror = m
	require.NoError(t, m.SetRules(g.rules))
	g.stop = start(t, m)
	synced(t, m)
	return g
}

// only makes the rules ask for one type, and waits until that is so.
func (g *grown) only(t *testing.T, resource string) {
	t.Helper()
	g.rules.Rules = slices.Clone(g.rules.Rules)
	g.rules.Rules[0].Resources = slices.Clone(g.rules.Rules[0].Resources)
	g.rules.Rules[0].Resources[0].Resources = []string{resource}
	require.NoError(t, g.SetRules(g.rules))
	synced(t, g.Mirror)
}

func (g *grown) until(t *testing.T, want func(kubescribe.DestinationStatus) bool) kubescribe.DestinationStatus {
	t.Helper()
	return until(t, g.Mirror, want)
}

func serviceAccount(t *testing.T, c *clustertest.Cluster, name string) {
	t.Helper()
	require.NoError(t, c.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": name, "namespace": "default"},
	}}))
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestWhatNoRuleCoversStaysIsShownAndIsPruned(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) {
		configMap(t, g.cluster, "a", "one")
		serviceAccount(t, g.cluster, "robot")
	})
	g.only(t, "configmaps")
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Uncovered != nil })
	require.Equal(t, []string{"default/serviceaccounts/robot.yaml"}, st.Uncovered.Sample)
	require.Contains(t, g.repo.Tree("main"), "prod/default/serviceaccounts/robot.yaml")
	require.NoError(t, g.Prune(limited(t), prodRef))
	require.NotContains(t, g.repo.Tree("main"), "prod/default/serviceaccounts/robot.yaml")
	require.Contains(t, g.repo.Tree("main"), "prod/default/configmaps/a.yaml")
	st = g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Synced })
	require.Nil(t, st.Uncovered)
	require.NoError(t, g.Prune(limited(t), prodRef), "nothing is left to prune")

	// What is asked for again comes back.
	g.only(t, "serviceaccounts")
	require.Contains(t, g.repo.Tree("main"), "prod/default/serviceaccounts/robot.yaml")
}

func TestTheFilesOfATypeThatIsGoneAreShownAndPruned(t *testing.T) {
	t.Parallel()
	widgets := clustertest.Type{Group: "example.com", Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}
	g := grow(t, func(g *grown) {
		require.NoError(t, g.cluster.AddType(widgets))
		require.NoError(t, g.cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "w", "namespace": "default"}}}))
		g.rules.Rules[0].Resources[0].APIGroups = []string{"example.com"}
		g.rules.Rules[0].Resources[0].Resources = []string{"widgets"}
	})
	const path = "prod/default/widgets.example.com/w.yaml"
	require.Contains(t, g.repo.Tree("main"), path)
	require.NoError(t, g.Prune(limited(t), prodRef))
	require.Contains(t, g.repo.Tree("main"), path, "it is covered")
	g.cluster.RemoveType(widgets.GroupResource())
	g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Uncovered != nil })
	require.Contains(t, g.repo.Tree("main"), path)
	require.NoError(t, g.Prune(limited(t), prodRef))
	require.NotContains(t, g.repo.Tree("main"), path)
}

func TestPruneRemovesOnlyWhatTheStatusShowed(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) {
		for i := range 12 {
			serviceAccount(t, g.cluster, fmt.Sprintf("robot-%02d", i))
		}
	})
	g.only(t, "configmaps")
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Uncovered != nil })
	require.Equal(t, 12, st.Uncovered.Count)
	more := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: default\n"
	g.repo.Commit("main", map[string]gitservertest.File{"prod/default/secrets/s.yaml": {Content: more}}, "One more")
	require.ErrorIs(t, g.Prune(limited(t), prodRef), orphan.ErrTooMany)
	st, _ = g.DestinationStatus(prodRef)
	require.Equal(t, 13, st.Uncovered.Count, "now it is shown")
	require.Len(t, g.repo.Tree("main"), 14)
	require.NoError(t, g.Prune(limited(t), prodRef))
	require.Len(t, g.repo.Tree("main"), 1)
}

func TestPruneSaysWhyNothingWasRemoved(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	t.Run("the folder is not adopted", func(t *testing.T) {
		g := grow(t, func(g *grown) {
			g.repo.Commit("main", map[string]gitservertest.File{"prod/x.txt": {Content: "x"}}, "Theirs")
		})
		require.ErrorIs(t, g.Prune(limited(t), prodRef), gitsink.ErrUnadopted)
	})
	t.Run("the policy", func(t *testing.T) {
		g := grow(t, func(g *grown) {
			g.rules.Orphans = map[destination.Ref]orphan.Options{prodRef: {Policy: orphan.Never}}
		})
		require.ErrorIs(t, g.Prune(limited(t), prodRef), orphan.ErrNever)
	})
	t.Run("another owner has the folder", func(t *testing.T) {
		g := grow(t, nil)
		configMap(t, g.cluster, "a", "one")
		synced(t, g.Mirror)
		g.repo.Commit("main", map[string]gitservertest.File{"prod/.kubescribe": {Content: "source: other\n"}}, "Taken")
		require.ErrorIs(t, g.Prune(limited(t), prodRef), gitsink.ErrOwned)
	})
	t.Run("the caller does not wait", func(t *testing.T) {
		g := grow(t, nil)
		require.NoError(t, g.stop())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, g.Prune(ctx, prodRef))
		require.Error(t, g.Prune(t.Context(), prodRef), "a Mirror that has ended prunes nothing")
		require.ErrorIs(t, g.Prune(t.Context(), devRef), destination.ErrUnknown)
	})
	t.Run("it has not started", func(t *testing.T) {
		m, err := kubescribe.New(cluster(t).Config(), nil)
		require.NoError(t, err)
		require.NoError(t, m.SetRules(rulesFor(fakeRepo{}, prodRef)))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, m.Prune(ctx, prodRef), context.DeadlineExceeded)
	})
	t.Run("the destination moves", func(t *testing.T) {
		m, err := kubescribe.New(cluster(t).Config(), nil)
		require.NoError(t, err)
		rules := rulesFor(fakeRepo{}, prodRef)
		require.NoError(t, m.SetRules(rules))
		pruned := make(chan error, 1)
		go func() { pruned <- m.Prune(t.Context(), prodRef) }()
		for moved := 0; ; moved++ {
			require.Less(t, moved, 1000, "Prune does not end")
			rules.Destinations[0].BaseFolder = fmt.Sprintf("elsewhere-%d", moved)
			require.NoError(t, m.SetRules(rules))
			select {
			case err := <-pruned:
				require.ErrorIs(t, err, destination.ErrUnknown)
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
}

func TestAnApprovalIsForWhatWasHeldAndLapsesWhenMoreWouldGo(t *testing.T) {
	t.Parallel()
	ghosts := func(from, to int) map[string]gitservertest.File {
		files := map[string]gitservertest.File{}
		for i := from; i < to; i++ {
			files[fmt.Sprintf("prod/default/configmaps/ghost-%02d.yaml", i)] = gitservertest.File{Content: "ghost\n"}
		}
		return files
	}
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	g.repo.Commit("main", ghosts(0, 11), "Files without an object")
	require.NoError(t, g.Resync(prodRef))
	first := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Held != nil })
	require.Equal(t, 11, first.Held.Count)

	g.repo.Commit("main", ghosts(11, 12), "One more, after somebody looked")
	require.NoError(t, g.Approve(prodRef))
	second := g.until(t, func(st kubescribe.DestinationStatus) bool {
		return st.LastSeed.After(first.LastSeed) && st.Synced && !st.Approved
	})
	require.NotNil(t, second.Held)
	require.Equal(t, 12, second.Held.Count, "all of them are held, and shown")
	require.Len(t, g.repo.Tree("main"), 14)

	require.NoError(t, g.Resync(prodRef))
	third := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.LastSeed.After(second.LastSeed) && st.Synced })
	require.Equal(t, 12, third.Held.Count, "the approval is used up")

	configMap(t, g.cluster, "ghost-03", "alive again")
	require.Eventually(t, func() bool { // synced may be what it was before
		return strings.Contains(g.repo.Tree("main")["prod/default/configmaps/ghost-03.yaml"], "alive")
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, g.Approve(prodRef))
	fourth := g.until(t, func(st kubescribe.DestinationStatus) bool {
		return st.LastSeed.After(third.LastSeed) && st.Synced && !st.Approved
	})
	require.Nil(t, fourth.Held, "fewer than were approved may go")
	require.Len(t, g.repo.Tree("main"), 3)
}

func TestAnApprovalBeforeAnythingIsHeldIsForOneSweep(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	before, _ := g.DestinationStatus(prodRef)
	require.NoError(t, g.Approve(prodRef))
	g.until(t, func(st kubescribe.DestinationStatus) bool {
		return st.LastSeed.After(before.LastSeed) && st.Synced && !st.Approved
	})
	files := map[string]gitservertest.File{}
	for i := range 11 {
		files[fmt.Sprintf("prod/default/configmaps/ghost-%02d.yaml", i)] = gitservertest.File{Content: "ghost\n"}
	}
	g.repo.Commit("main", files, "Files without an object")
	require.NoError(t, g.Resync(prodRef))
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Held != nil })
	require.Equal(t, 11, st.Held.Count)
	require.False(t, st.Approved)
}

func TestGrantsAreForTheFolderThatTheyWereGivenFor(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	files := map[string]gitservertest.File{}
	for i := range 12 {
		files[fmt.Sprintf("other/default/configmaps/theirs-%02d.yaml", i)] = gitservertest.File{Content: "theirs\n"}
	}
	repo.Commit("main", files, "Theirs")
	rules := rulesFor(repo, prodRef)
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{GitSink: sink}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rules))
	require.NoError(t, m.Adopt(prodRef))
	require.NoError(t, m.Approve(prodRef))
	rules.Destinations[0].BaseFolder = "other"
	require.NoError(t, m.SetRules(rules))
	start(t, m)
	configMap(t, c, "a", "one")
	synced(t, m)
	require.Len(t, repo.Tree("main"), 14, "nobody has adopted this folder")
	st, _ := m.DestinationStatus(prodRef)
	require.Len(t, st.Unadopted, 12)
}

func TestADestinationThatMovedItsFolderLeavesTheOldOneAsItWas(t *testing.T) {
	t.Parallel()
	for name, folders := range map[string][2]string{
		"beside": {"prod", "prod-2"}, "inwards": {"prod", "prod/default"}, "outwards": {"a/prod", "a"}, "to the root": {"default", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := grow(t, func(g *grown) {
				g.rules.Destinations[0].BaseFolder = folders[0]
				configMap(t, g.cluster, "a", "one")
			})
			old := g.repo.Tree("main")
			require.Contains(t, old, folders[0]+"/default/configmaps/a.yaml")
			g.rules.Destinations = slices.Clone(g.rules.Destinations)
			g.rules.Destinations[0].BaseFolder = folders[1]
			require.NoError(t, g.SetRules(g.rules))
			synced(t, g.Mirror)
			require.NoError(t, g.Adopt(prodRef))
			require.NoError(t, g.cluster.Delete(configMaps, "default", "a"))
			configMap(t, g.cluster, "b", "one")
			synced(t, g.Mirror)
			require.NoError(t, g.Prune(limited(t), prodRef))
			require.NoError(t, g.stop())
			now := g.repo.Tree("main")
			for path, content := range old {
				require.Equal(t, content, now[path], path)
			}
		})
	}
}

func TestTwoClustersInNestedFoldersOfOneRepositoryNeverTouchEachOthersFiles(t *testing.T) {
	t.Parallel()
	inner := grow(t, func(g *grown) {
		g.rules.Destinations[0].BaseFolder = "default" // as the outer one's namespace is called
		configMap(t, g.cluster, "theirs", "inner")
	})
	require.NoError(t, inner.stop())
	before := inner.repo.Tree("main")
	outer := grow(t, func(g *grown) {
		g.sink, g.repo = inner.sink.Beside(), inner.repo
		g.rules.Destinations[0].BaseFolder = ""
		configMap(t, g.cluster, "a", "outer")
		require.NoError(t, g.cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "team"}}}))
		require.NoError(t, g.cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "b", "namespace": "team"}}}))
	})
	require.NoError(t, outer.Adopt(prodRef))
	outer.until(t, func(st kubescribe.DestinationStatus) bool { return st.Synced && st.Unadopted == nil })
	require.NoError(t, outer.Prune(limited(t), prodRef))
	require.NoError(t, outer.stop())
	now := outer.repo.Tree("main")
	require.Contains(t, now, "team/configmaps/b.yaml")
	for path, content := range before {
		require.Equal(t, content, now[path], path)
	}
	require.NotContains(t, now, "default/configmaps/a.yaml", "it would lie in the other's folder")
}

func TestAnApprovalWaitsForAdoptionWhereTheFolderIsNotAdopted(t *testing.T) {
	t.Parallel()
	theirs := map[string]gitservertest.File{}
	for i := range 12 {
		theirs[fmt.Sprintf("prod/default/configmaps/theirs-%02d.yaml", i)] = gitservertest.File{Content: "theirs\n"}
	}
	g := grow(t, func(g *grown) { g.repo.Commit("main", theirs, "Theirs") })
	require.NoError(t, g.Approve(prodRef))
	before, _ := g.DestinationStatus(prodRef)
	require.NoError(t, g.Resync(prodRef))
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.LastSeed.After(before.LastSeed) && st.Synced })
	require.Len(t, st.Unadopted, 12)
	require.True(t, st.Approved, "that sweep could remove nothing")
	require.NoError(t, g.Adopt(prodRef))
	g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Synced && st.Unadopted == nil && !st.Approved })
	require.Equal(t, []string{"prod/.kubescribe"}, slices.Collect(maps.Keys(g.repo.Tree("main"))))
}

func TestAPruneIsOrderedUntilNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	// No Mirror runs, so only a destination that moves ends it.
	synctest.Test(t, func(t *testing.T) {
		m, err := kubescribe.New(&rest.Config{Host: "http://127.0.0.1:1"}, nil)
		require.NoError(t, err)
		rules := rulesFor(fakeRepo{}, prodRef)
		require.NoError(t, m.SetRules(rules))
		patient := make(chan error, 1)
		go func() { patient <- m.Prune(t.Context(), prodRef) }()
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, m.Prune(ended, prodRef), context.Canceled)
		require.Empty(t, patient)
		rules.Destinations = slices.Clone(rules.Destinations)
		rules.Destinations[0].BaseFolder = "elsewhere"
		require.NoError(t, m.SetRules(rules))
		require.ErrorIs(t, <-patient, destination.ErrUnknown)
	})
}

func TestAnOrderToPruneIsCarriedOutThoughNobodyWaits(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) {
		configMap(t, g.cluster, "a", "one")
		serviceAccount(t, g.cluster, "robot")
	})
	require.ErrorIs(t, g.OrderPrune(devRef), destination.ErrUnknown)
	g.only(t, "configmaps")
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Uncovered != nil })
	require.Nil(t, st.LastPrune)
	require.NoError(t, g.OrderPrune(prodRef))
	st = g.until(t, func(st kubescribe.DestinationStatus) bool { return st.LastPrune != nil })
	require.Equal(t, gitsink.Pruned{Removed: 1}, *st.LastPrune)
	require.False(t, st.PruneOrdered)
	require.NotContains(t, g.repo.Tree("main"), "prod/default/serviceaccounts/robot.yaml")
}
