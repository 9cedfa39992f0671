package orphan_test

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// cluster is an event.Snapshot: scopes and what lives.
type cluster struct {
	scopes []event.Collection
	living []event.Resource
}

func (c cluster) Collections() []event.Collection { return c.scopes }

func (cluster) Uncovered(event.Collection) bool { return false }

func (cluster) Differs(event.Object) {}

func (cluster) MaySweep() bool { return true }

func (c cluster) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for _, r := range c.living {
			if !yield(event.Object{Resource: r}) {
				return
			}
		}
	}
}

func pod(namespace, name string) event.Resource {
	return event.Resource{ID: event.ID{Resource: "pods", Namespace: namespace, Name: name}}
}

func podFiles(namespace string, count int) []string {
	var paths []string
	for i := range count {
		paths = append(paths, fmt.Sprintf("%s/pods/p%03d.yaml", namespace, i))
	}
	return paths
}

func TestFind(t *testing.T) {
	allPods := event.Collection{Resource: "pods", All: true}
	podsInA := event.Collection{Resource: "pods", Namespace: "a"}
	nodes := event.Collection{Resource: "nodes"}
	for _, c := range []struct {
		promise string
		paths   []string
		cluster cluster
		orphans []string
	}{
		{"nothing in a folder without files", nil, cluster{[]event.Collection{allPods}, []event.Resource{pod("a", "x")}}, nil},
		{"the file without an object", []string{"a/pods/x.yaml", "a/pods/y.yaml"},
			cluster{[]event.Collection{podsInA}, []event.Resource{pod("a", "x")}}, []string{"a/pods/y.yaml"}},
		{"every file of a scope in which nothing lives any more", []string{"a/pods/y.yaml", "a/pods/x.yaml"},
			cluster{[]event.Collection{podsInA}, nil}, []string{"a/pods/x.yaml", "a/pods/y.yaml"}},
		{"nothing in a namespace that was not listed", []string{"a/pods/x.yaml", "b/pods/x.yaml", "_cluster/pods/x.yaml"},
			cluster{[]event.Collection{podsInA}, nil}, []string{"a/pods/x.yaml"}},
		{"nothing of a type that was not listed", []string{"a/pods/x.yaml", "a/services/x.yaml", "a/pods.metrics.k8s.io/x.yaml"},
			cluster{[]event.Collection{podsInA}, nil}, []string{"a/pods/x.yaml"}},
		{"nothing if nothing was listed", []string{"a/pods/x.yaml"}, cluster{nil, nil}, nil},
		{"objects of every namespace", []string{"a/pods/x.yaml", "b/pods/x.yaml", "b/pods/y.yaml"},
			cluster{[]event.Collection{allPods}, []event.Resource{pod("b", "x")}}, []string{"a/pods/x.yaml", "b/pods/y.yaml"}},
		{"cluster-scoped objects", []string{"_cluster/nodes/n1.yaml", "_cluster/nodes/n2.yaml", "a/nodes/n3.yaml"},
			cluster{[]event.Collection{nodes}, []event.Resource{{ID: event.ID{Resource: "nodes", Name: "n1"}}}}, []string{"_cluster/nodes/n2.yaml"}},
		{"no file of somebody else", []string{
			"README.md", ".kubescribe", "kustomization.yaml", "a/pods/README.md", "a/pods/kustomization.yaml", "a/pods/X.yaml", "a/pods/x.yml", "a/pods/b/x.yaml", "pods/x.yaml",
		}, cluster{[]event.Collection{allPods}, nil}, nil},
		{"a file once, if scopes overlap or repeat", []string{"a/pods/x.yaml", "a/pods/y.yaml", "b/pods/z.yaml"},
			cluster{[]event.Collection{podsInA, allPods, podsInA, allPods}, []event.Resource{pod("a", "x")}}, []string{"a/pods/y.yaml", "b/pods/z.yaml"}},
		{"files whose name had to be escaped", []string{"_cluster/nodes/a%3Ab.yaml", "_cluster/nodes/a%3Ac.yaml"},
			cluster{[]event.Collection{nodes}, []event.Resource{{ID: event.ID{Resource: "nodes", Name: "a:b"}}}}, []string{"_cluster/nodes/a%3Ac.yaml"}},
		{"a file whatever version its object is read with", []string{"a/pods/x.yaml"},
			cluster{[]event.Collection{podsInA}, []event.Resource{{ID: pod("a", "x").ID, Version: "v2", Kind: "Pod"}}}, nil},
		{"in byte order", []string{"b/pods/a.yaml", "a/pods/b.yaml", "a/pods/a.yaml", "a/pods/a-.yaml"},
			cluster{[]event.Collection{allPods}, nil}, []string{"a/pods/a-.yaml", "a/pods/a.yaml", "a/pods/b.yaml", "b/pods/a.yaml"}},
		{"a path once that is yielded twice", []string{"a/pods/x.yaml", "a/pods/x.yaml"},
			cluster{[]event.Collection{podsInA}, nil}, []string{"a/pods/x.yaml"}},
	} {
		t.Run(c.promise, func(t *testing.T) {
			orphans, err := orphan.Find(slices.Values(c.paths), event.DefaultLayout, c.cluster, nil, orphan.Approval{})
			require.NoError(t, err)
			require.Equal(t, c.orphans, orphans)
		})
	}
}

func TestFindHoldsADeletionThatIsTooLarge(t *testing.T) {
	none := orphan.Approval{}
	for _, c := range []struct {
		promise     string
		gone, files int
		opts        *orphan.Options
		approval    orphan.Approval
		held        bool
	}{
		{"ten at once go", 10, 10, nil, none, false},
		{"eleven of eleven are held", 11, 11, nil, none, true},
		{"eleven of twenty-one are held", 11, 21, nil, none, true},
		{"half of the files is not more than half", 11, 22, nil, none, false},
		{"a small share goes, however many", 100, 1000, nil, none, false},
		{"a limit of one's own", 3, 4, &orphan.Options{MaxFiles: 2}, none, true},
		{"a fraction of one's own", 20, 100, &orphan.Options{MaxFraction: 0.1}, none, true},
		{"both must be passed", 9, 9, &orphan.Options{MaxFraction: 0.1}, none, false},
		{"a negative fraction leaves the count", 11, 1000, &orphan.Options{MaxFraction: -1}, none, true},
		{"no limit", 100, 100, &orphan.Options{MaxFiles: -1}, none, false},
		{"no limit, whatever the fraction", 100, 100, &orphan.Options{MaxFiles: -1, MaxFraction: 0.1}, none, false},
		{"approved", 100, 100, nil, orphan.Approval{All: true}, false},
	} {
		t.Run(c.promise, func(t *testing.T) {
			var living []event.Resource
			for i := c.gone; i < c.files; i++ {
				living = append(living, pod("a", fmt.Sprintf("p%03d", i)))
			}
			view := cluster{[]event.Collection{{Resource: "pods", Namespace: "a"}}, living}
			// Files of others and of other scopes do not make the limit any larger.
			paths := append(podFiles("a", c.files), podFiles("b", 5000)...)
			orphans, err := orphan.Find(slices.Values(paths), event.DefaultLayout, view, c.opts, c.approval)
			if !c.held {
				require.NoError(t, err)
				require.Equal(t, podFiles("a", c.gone), orphans)
				return
			}
			require.Nil(t, orphans)
			require.ErrorIs(t, err, orphan.ErrTooMany)
			var tooMany *orphan.TooManyError
			require.ErrorAs(t, err, &tooMany)
			require.Equal(t, []int{c.gone, c.files}, []int{tooMany.Count, tooMany.Files})
			require.Equal(t, podFiles("a", min(10, c.gone)), tooMany.Sample)
			require.ErrorContains(t, err, fmt.Sprintf("%d of %d files", c.gone, c.files))
		})
	}
}

func TestFindFindsNothingUnlessThePolicyIsAlways(t *testing.T) {
	view := cluster{[]event.Collection{{Resource: "pods", All: true}}, nil}
	for policy, want := range map[orphan.Policy][]string{
		"": podFiles("a", 3), orphan.Always: podFiles("a", 3), orphan.OnDelete: nil, orphan.Never: nil,
	} {
		orphans, err := orphan.Find(slices.Values(podFiles("a", 3)), event.DefaultLayout, view, &orphan.Options{Policy: policy}, orphan.Approval{})
		require.NoError(t, err)
		require.Equal(t, want, orphans, "%q", policy)
	}
	orphans, err := orphan.Find(slices.Values(podFiles("a", 3)), event.DefaultLayout, view, &orphan.Options{Policy: "always"}, orphan.Approval{})
	require.ErrorIs(t, err, orphan.ErrInvalid)
	require.Nil(t, orphans)
}

// naive is the definition, word by word.
func naive(paths []string, layout event.Layout, c cluster) []string {
	orphans := map[string]bool{}
	for _, path := range paths {
		where, ours := layout.Collection(path)
		listed := slices.ContainsFunc(c.scopes, func(s event.Collection) bool { return s.Covers(where) })
		lives := slices.ContainsFunc(c.living, func(r event.Resource) bool { return layout.Path(r) == path })
		if ours && listed && !lives {
			orphans[path] = true
		}
	}
	return slices.Sorted(maps.Keys(orphans))
}

func TestFindAgreesWithTheDefinitionOnRandomClusters(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	found, held := 0, 0
	for range 3000 {
		var c cluster
		var paths []string
		id := func() event.ID {
			return event.ID{
				Group: pick("", "apps"), Resource: pick("pods", "nodes"), Namespace: pick("", "a", "b", "_cluster"),
				Name: pick("x", "y", "z", "X", "a:b", "kustomization", "_"),
			}
		}
		for range random.IntN(5) {
			i := id()
			scope := event.Collection{Group: i.Group, Resource: i.Resource, Namespace: i.Namespace}
			if random.IntN(2) == 0 {
				scope.Namespace, scope.All = "", true
			}
			c.scopes = append(c.scopes, scope)
		}
		for range random.IntN(30) {
			r := event.Resource{ID: id(), Version: pick("v1", "v2")}
			if random.IntN(2) == 0 {
				c.living = append(c.living, r)
			}
			if random.IntN(3) > 0 {
				paths = append(paths, event.DefaultLayout.Path(r))
			}
		}
		for range random.IntN(3) {
			paths = append(paths, pick("README.md", "a/pods/README.md", "a/pods/X.yaml", "a/pods/kustomization.yaml", "_cluster/nodes/x.yml"))
		}
		want := naive(paths, event.DefaultLayout, c)
		orphans, err := orphan.Find(slices.Values(paths), event.DefaultLayout, c, &orphan.Options{MaxFiles: -1}, orphan.Approval{})
		require.NoError(t, err)
		require.Equal(t, want, orphans, "paths %q\nscopes %v\nliving %v", paths, c.scopes, c.living)
		found += len(orphans)

		orphans, err = orphan.Find(slices.Values(paths), event.DefaultLayout, c, &orphan.Options{MaxFiles: 3}, orphan.Approval{})
		if err != nil {
			held++
			require.ErrorIs(t, err, orphan.ErrTooMany)
			require.Greater(t, len(want), 3)
			require.Nil(t, orphans)
		} else {
			require.Equal(t, want, orphans)
		}
	}
	require.NotZero(t, found)
	require.NotZero(t, held)
}

func BenchmarkFind(b *testing.B) {
	const count = 100_000
	c := cluster{scopes: []event.Collection{{Resource: "pods", All: true}}}
	var paths []string
	for i := range count {
		r := pod("default", fmt.Sprintf("pod-%06d", i))
		paths = append(paths, event.DefaultLayout.Path(r))
		if i%100 != 0 {
			c.living = append(c.living, r)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		orphans, err := orphan.Find(slices.Values(paths), event.DefaultLayout, c, nil, orphan.Approval{})
		if err != nil || len(orphans) != count/100 {
			b.Fatal(len(orphans), err)
		}
	}
}

// lax is a Layout that answers with the scope of ConfigMaps for what is not its own, too, which it
// says.
type lax struct{ event.Layout }

func (l lax) Collection(path string) (event.Collection, bool) {
	scope, ours := l.Layout.Collection(path)
	if !ours {
		scope = event.Collection{Resource: "pods", Namespace: "a"}
	}
	return scope, ours
}

// bare is a Snapshot for a destination without rules.
type bare struct{ cluster }

func (bare) Uncovered(event.Collection) bool { return true }

func TestWhatTheLayoutDoesNotCallItsOwnIsNeitherOrphanNorUncovered(t *testing.T) {
	view := bare{cluster{scopes: []event.Collection{{Resource: "pods", Namespace: "a"}}}}
	paths := []string{"README.md", "a/pods/x.yaml", "a/pods/kustomization.yaml"}
	orphans, err := orphan.Find(slices.Values(paths), lax{event.DefaultLayout}, view, nil, orphan.Approval{})
	require.NoError(t, err)
	require.Equal(t, paths[1:2], orphans)
	require.Equal(t, paths[1:2], orphan.Uncovered(slices.Values(paths), lax{event.DefaultLayout}, view))
}

// counted is an event.Snapshot that counts what it tells.
type counted struct {
	cluster
	told *int
}

func (c counted) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for o := range c.cluster.Objects() {
			if *c.told++; !yield(o) {
				return
			}
		}
	}
}

func TestFindAsksNoFurtherOnceEveryFileHasItsObject(t *testing.T) {
	told := 0
	view := counted{cluster{[]event.Collection{{Resource: "pods", All: true}}, []event.Resource{pod("a", "x"), pod("a", "y"), pod("a", "z"), pod("a", "zz")}}, &told}
	orphans, err := orphan.Find(slices.Values([]string{"a/pods/y.yaml"}), event.DefaultLayout, view, nil, orphan.Approval{})
	require.NoError(t, err)
	require.Empty(t, orphans)
	require.Equal(t, 3, told)
}

func TestATooManyErrorIsNoOtherError(t *testing.T) {
	require.NotErrorIs(t, error(&orphan.TooManyError{}), orphan.ErrNever)
}
