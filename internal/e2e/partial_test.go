package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

const (
	listPages   = 4
	listPage    = 3                      // objects a page
	listObjects = listPage*listPages - 1 // of each type; one is gone before the listing begins
)

// listedTypes are the types whose listings fail; Services are listed well all the time.
var listedTypes = []struct {
	gvr        schema.GroupVersionResource
	apiVersion string
	kind       string
}{
	{configMaps, "v1", "ConfigMap"},
	{deployments, "apps/v1", "Deployment"},
	{schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, "v1", "ServiceAccount"},
}

var services = schema.GroupVersionResource{Version: "v1", Resource: "services"}

// breakages are the ways in which a page fails.
var breakages = []struct {
	name  string
	fault clustertest.Fault
}{
	{"500", clustertest.Fault{Error: apierrors.NewInternalError(fmt.Errorf("the conversion webhook is down"))}},
	{"cut", clustertest.Fault{Cut: true}},
	{"410", clustertest.Fault{Error: apierrors.NewResourceExpired("the continue token is too old")}},
}

// removals is a sink that takes down every path that a plan wanted to be removed.
type removals struct {
	gitsink.GitSink
	mu    sync.Mutex
	paths []string
}

func (s *removals) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	return s.GitSink.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		commits, err := plan(ctx, base)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range commits {
			for _, change := range c.Changes {
				if change.Remove {
					s.paths = append(s.paths, change.Path)
				}
			}
		}
		return commits, err
	})
}

func (s *removals) sorted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(s.paths)))
}

// partial is a cluster that was mirrored once, and whose listings are about to fail.
type partial struct {
	t       *testing.T
	cluster *clustertest.Cluster
	sink    *removals
	repo    *gitsinktest.FakeRepo
	rules   kubescribe.Rules
	dest    destination.Ref
}

func newPartial(t *testing.T) *partial {
	t.Helper()
	const url = "https://git.example/org/partial.git"
	fake := gitsinktest.NewFake()
	p := &partial{t: t, cluster: clustertest.New(nil), sink: &removals{GitSink: fake}, repo: fake.Repo(url), dest: ref("default", "dest")}
	t.Logf("clustertest.Options{Seed: %d}", p.cluster.Seed())
	t.Cleanup(p.cluster.Close)
	repoRef := ref("default", "repo")
	p.rules = kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repoRef, URL: url}},
		Destinations: []destination.Spec{{Ref: p.dest, RepositoryRef: repoRef, Branch: "main", BaseFolder: "f"}},
		Rules: []ruleset.Rule{{Name: types.NamespacedName{Name: "all"}, Destination: p.dest, Resources: []ruleset.ResourceRule{
			{Resources: []string{"configmaps", "deployments", "serviceaccounts", "services"}},
		}}},
		// The limit on deletions must not be what keeps the files.
		Orphans: map[destination.Ref]orphan.Options{p.dest: {MaxFiles: -1}},
	}
	for _, typ := range listedTypes {
		for i := range listObjects + 1 {
			p.apply(typ.apiVersion, typ.kind, fmt.Sprintf("o-%02d", i))
		}
	}
	p.apply("v1", "Service", "stays")
	p.apply("v1", "Service", "goes")
	return p
}

func (p *partial) apply(apiVersion, kind, name string) {
	p.t.Helper()
	require.NoError(p.t, p.cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "namespace": "default"}}}))
}

func (p *partial) start() *mirror {
	p.t.Helper()
	opts := options(p.t)
	opts.GitSink = p.sink
	opts.Queue.Window = queue.Window{Debounce: 20 * time.Millisecond}
	return start(newCluster(p.t, p.cluster.Config(), ""), p.rules, opts)
}

func path(gvr schema.GroupVersionResource, name string) string {
	return fmt.Sprintf("default/%s/%s.yaml", strings.TrimSuffix(gvr.GroupResource().String(), "."), name)
}

// TestAPageThatFailsDeletesNotOneFile has a page of each of three types fail at the same time, each
// in another way, so that twelve rounds make every page of every type fail in every way. The Mirror
// has been restarted and knows nothing of what lives: what a half listing leaves out would look
// deleted.
func TestAPageThatFailsDeletesNotOneFile(t *testing.T) {
	inParallel(t)
	for page := range listPages {
		for way := range breakages {
			t.Run(fmt.Sprintf("page %d, first way %s", page+1, breakages[way].name), func(t *testing.T) {
				t.Parallel()
				p := newPartial(t)
				m := p.start()
				m.synced()
				m.stop()
				before := p.repo.Files("main")
				require.Len(t, before, len(listedTypes)*(listObjects+1)+3)
				require.Empty(t, p.sink.sorted())
				wanted := []string{path(services, "goes")}
				require.NoError(t, p.cluster.Delete(services, "default", "goes"))
				// What is really gone waits until its type can be listed.
				for i, typ := range listedTypes {
					name := fmt.Sprintf("o-%02d", 5*i)
					wanted = append(wanted, path(typ.gvr, name))
					require.NoError(t, p.cluster.Delete(typ.gvr, "default", name))
				}
				p.breaks(page, way, wanted, before)
			})
		}
	}
}

func (p *partial) breaks(page, way int, wanted []string, before map[string]gitservertest.File) {
	t := p.t
	var mu sync.Mutex
	failed := map[string]int{} // by resource
	broken := true
	p.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb != "list" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for i, typ := range listedTypes {
			if broken && r.Resource == typ.gvr && r.Page == 1+(page+i)%listPages {
				failed[r.Resource.Resource]++
				return &breakages[(way+i)%len(breakages)].fault
			}
		}
		return &clustertest.Fault{Short: listPage} // every page is shorter than was asked for
	})
	m := p.start()
	st := m.status(p.dest, func(st kubescribe.DestinationStatus) bool {
		return len(st.Watch.Incomplete) == len(listedTypes) && !st.LastSeed.IsZero() && st.Line.Waiting+st.Line.InHand == 0
	})
	var incomplete []string
	for _, part := range st.Watch.Incomplete {
		require.Error(t, part.Err)
		incomplete = append(incomplete, part.Collection.Resource)
	}
	require.ElementsMatch(t, []string{"configmaps", "deployments", "serviceaccounts"}, incomplete)
	require.False(t, st.Synced)
	eventually(t, func() bool { return len(p.sink.sorted()) > 0 }, func() string { return "no sweep" })
	require.Equal(t, wanted[:1], p.sink.sorted(), "only the type that was listed completely is swept")
	mu.Lock()
	require.Len(t, failed, len(listedTypes))
	broken = false
	mu.Unlock()

	m.synced()
	m.stop()
	require.ElementsMatch(t, wanted, p.sink.sorted(), "what is gone goes, and nothing else ever went")
	after := maps.Clone(before)
	for _, path := range wanted {
		delete(after, "f/"+path)
	}
	require.Equal(t, after, p.repo.Files("main"))
}
