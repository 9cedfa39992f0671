package clustertest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// aTest is the test of an operator that mirrors ConfigMaps: the cluster and the repository are in
// this process, and the test waits for what the Mirror writes.
func aTest(t *testing.T) {
	cluster := clustertest.New(nil)
	t.Cleanup(cluster.Close)
	apply(t, cluster, "settings", "blue")
	const url = "https://git.example/team/config.git"
	sink := gitsinktest.NewFake()

	mirror, err := kubescribe.New(cluster.Config(), &kubescribe.Options{
		GitSink: sink,
		Queue:   queue.Options{Window: queue.Window{Debounce: 10 * time.Millisecond}},
	})
	if err != nil {
		t.Fatal(err)
	}
	team, prod := types.NamespacedName{Namespace: "default", Name: "team"}, types.NamespacedName{Namespace: "default", Name: "prod"}
	err = mirror.SetRules(kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: team, URL: url}},
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: team, Branch: "main", BaseFolder: "prod"}},
		Rules: []ruleset.Rule{{
			Name: types.NamespacedName{Name: "config"}, Destination: prod,
			Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mirror.Start(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	if err := mirror.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	repo := sink.Repo(url)
	const file = "prod/default/configmaps/settings.yaml"
	if content := repo.Files("main")[file].Content; !strings.Contains(content, "color: blue") {
		t.Fatalf("%s is %q", file, content)
	}

	// What happens in the cluster from now on arrives soon.
	apply(t, cluster, "settings", "green")
	eventually(t, func() bool { return strings.Contains(repo.Files("main")[file].Content, "color: green") })
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	if err := cluster.Delete(configMaps, "default", "settings"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, there := repo.Files("main")[file]; return !there })
}

func apply(t *testing.T, cluster *clustertest.Cluster, name, color string) {
	t.Helper()
	err := cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": "default", "name": name},
		"data":     map[string]any{"color": color},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing happens")
		}
	}
}

// A Cluster lives in a test.
func Example() {
	_ = aTest
}
