package kubescribe_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// A Mirror of all ConfigMaps to one folder of one branch. In an operator, config is the manager's rest.Config, and the
// Mirror is added to the manager, which starts it.
func Example() {
	cluster := clustertest.New(nil) // stands in for a cluster
	defer cluster.Close()
	config := cluster.Config()
	if err := cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "settings", "namespace": "default"},
		"data":     map[string]any{"color": "blue"},
	}}); err != nil {
		panic(err)
	}
	repository, cleanUp := bareRepository()
	defer cleanUp()

	mirror, err := kubescribe.New(config, &kubescribe.Options{
		Queue: queue.Options{Window: queue.Window{Debounce: 50 * time.Millisecond}},
		Git:   gogit.Options{AllowedLocalFolders: []string{repository}}, // servers need no permission
	})
	if err != nil {
		panic(err)
	}
	repo := types.NamespacedName{Namespace: "default", Name: "repo"}
	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	err = mirror.SetRules(kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repo, URL: repository}},
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "clusters/prod"}},
		Rules: []ruleset.Rule{{
			Name:        types.NamespacedName{Name: "config"},
			Destination: prod,
			Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		}},
	})
	if err != nil {
		panic(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- mirror.Start(ctx) }()
	if err := mirror.WaitSynced(ctx); err != nil {
		panic(err)
	}
	show(repository, "main:clusters/prod/default/configmaps/settings.yaml")
	cancel() // pushes what was accepted
	if err := <-ended; err != nil {
		panic(err)
	}
	// Output:
	// apiVersion: v1
	// data:
	//   color: blue
	// kind: ConfigMap
	// metadata:
	//   name: settings
	//   namespace: default
}

func bareRepository() (url string, cleanUp func()) {
	dir, err := os.MkdirTemp("", "kubescribe-example-")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "repo.git")
	if err := exec.Command("git", "init", "--quiet", "--bare", "--initial-branch=main", path).Run(); err != nil {
		panic(err)
	}
	return "file://" + path, func() { _ = os.RemoveAll(dir) }
}

func show(repository, object string) {
	out, err := exec.Command("git", "--git-dir", repository[len("file://"):], "show", object).Output()
	if err != nil {
		panic(err)
	}
	fmt.Print(string(out))
}
