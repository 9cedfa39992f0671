package source_test

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A Watcher without a Mirror: its events go to a handler of one's own.
func Example() {
	cluster := clustertest.New(nil) // stands in for a cluster
	defer cluster.Close()
	must(0, cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "settings", "namespace": "default"},
	}}))

	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	repo := types.NamespacedName{Namespace: "default", Name: "repo"}
	set := must(destination.Resolve(
		[]destination.Repository{{Ref: repo, URL: "https://git.example/org/repo.git"}},
		[]destination.Spec{{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "clusters/prod"}},
	))
	rules := must(ruleset.Compile(set, ruleset.Rule{
		Name:        types.NamespacedName{Name: "config"},
		Destination: prod,
		Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
	}))

	lines := queue.NewSharded(nil)
	watcher := source.New(must(source.NewClient(cluster.Config())), must(discovery.NewDiscoveryClientForConfig(cluster.Config())), lines, nil)
	watcher.SetRules(set, rules)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Start(ctx) }()

	files := map[event.ID]*event.Content{}
	for swept := false; !swept; {
		batch := must(lines.Next(ctx))
		for _, e := range batch.Events {
			switch fmt.Println(e); e.Operation {
			case event.SeedSync:
				swept = compare(e.Inventory, files)
			case event.Delete:
				delete(files, e.Resource.ID)
			default:
				files[e.Resource.ID] = e.Content
			}
		}
		must(0, batch.Done(ctx))
	}
	cancel()
	must(0, <-ended)
	// Output:
	// SEED_SYNC for default/prod
	// configmaps/default/settings is missing or different
	// UPDATE configmaps/default/settings for default/prod
	// SEED_SYNC for default/prod
	// may be swept: [configmaps]
}

// compare tells the Watcher which files differ, and reports whether files without an object may go.
func compare(live event.Inventory, files map[event.ID]*event.Content) (swept bool) {
	var seen event.Snapshot
	must(0, live.View(func(v event.Snapshot) error {
		seen = v
		for o := range v.Objects() {
			if files[o.ID].Digest() != o.Digest {
				fmt.Println(o.ID, "is missing or different")
				v.Differs(o)
			}
		}
		if swept = v.MaySweep(); swept {
			fmt.Println("may be swept:", v.Collections())
		}
		return nil
	}))
	live.Landed(seen)
	return swept
}
