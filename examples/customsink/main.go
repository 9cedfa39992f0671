// Command customsink has a gitsink.GitSink of its own, which keeps the versions of a branch in
// plain folders, and runs a Mirror on it. It needs no cluster and no Git.
//
//	go run ./examples/customsink
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	err := run(ctx, os.Stdout)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "customsink:", err)
		os.Exit(1)
	}
}

// run mirrors a cluster, changes it, mirrors it again, and shows all versions.
func run(ctx context.Context, out io.Writer) error {
	root, err := os.MkdirTemp("", "kubescribe-customsink-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	cluster := clustertest.New(nil)
	defer cluster.Close()
	for _, color := range []string{"blue", "green"} {
		if err := cluster.Apply(settings(color)); err != nil {
			return err
		}
		if err := mirror(ctx, cluster, newVersions(root)); err != nil {
			return err
		}
	}
	return fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == gitsink.OwnerFile {
			return err
		}
		content, err := os.ReadFile(filepath.Join(root, path))
		fmt.Fprintf(out, "%s\n%s\n", path, content)
		return err
	})
}

// mirror writes down what the cluster holds.
func mirror(ctx context.Context, cluster *clustertest.Cluster, sink gitsink.GitSink) error {
	m, err := kubescribe.New(cluster.Config(), &kubescribe.Options{
		GitSink: sink,
		Queue:   queue.Options{Window: queue.Window{Debounce: 50 * time.Millisecond}},
	})
	if err != nil {
		return err
	}
	store := types.NamespacedName{Namespace: "default", Name: "store"}
	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	err = m.SetRules(kubescribe.Rules{
		// the sink has its own idea of where
		Repositories: []destination.Repository{{Ref: store, URL: "https://versions.example/store"}},
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: store, Branch: "main", BaseFolder: "prod"}},
		Rules: []ruleset.Rule{{
			Name: types.NamespacedName{Name: "config"}, Destination: prod,
			Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		}},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	if err := m.WaitSynced(ctx); err != nil {
		return err
	}
	stop()
	return <-ended
}

func settings(color string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "settings", "namespace": "default"},
		"data":     map[string]any{"color": color},
	}}
}
