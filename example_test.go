package kubescribe_test

import (
	"context"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The README shows this function.

func mirrorConfigMaps(ctx context.Context, config *rest.Config, url string) error {
	mirror, err := kubescribe.New(config, nil) // nil: the default options
	if err != nil {
		return err
	}
	repo := types.NamespacedName{Namespace: "default", Name: "repo"}
	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	err = mirror.SetRules(kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repo, URL: url}}, // https, ssh, git@host:path
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "clusters/prod"}},
		Rules: []ruleset.Rule{{
			Name:        types.NamespacedName{Name: "config"},
			Destination: prod,
			Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		}},
	})
	if err != nil {
		return err
	}
	return mirror.Start(ctx) // or mgr.Add(mirror): it is a controller-runtime Runnable
}

// A Mirror of all ConfigMaps to one folder of one branch. In an operator, config is the manager's
// rest.Config.
func Example() {
	cluster := clustertest.New(nil) // stands in for a cluster
	defer cluster.Close()
	if err := cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "settings", "namespace": "default"},
		"data":     map[string]any{"color": "blue"},
	}}); err != nil {
		panic(err)
	}
	server := serveGit()
	defer server.close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- mirrorConfigMaps(ctx, cluster.Config(), server.URL+"/repo.git") }()
	fmt.Print(server.await(ctx, "main:clusters/prod/default/configmaps/settings.yaml"))
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

// gitServer serves an empty repository, repo.git, by HTTP.
type gitServer struct {
	*httptest.Server
	folder string
}

// cleanGit keeps the configuration of whoever runs the example out of it.
var cleanGit = []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"}

func serveGit() gitServer {
	git, err := exec.LookPath("git")
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "kubescribe-example-")
	if err != nil {
		panic(err)
	}
	s := gitServer{folder: folder}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main"}, {"config", "http.receivepack", "true"},
	} {
		if _, err := s.git(args...); err != nil {
			panic(err)
		}
	}
	s.Server = httptest.NewServer(&cgi.Handler{
		Path: git, Args: []string{"http-backend"}, // git-http-backend(1)
		Env: append([]string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1"}, cleanGit...),
	})
	return s
}

func (s gitServer) close() {
	s.Close()
	_ = os.RemoveAll(s.folder)
}

// git runs git on the repository and returns what it prints.
func (s gitServer) git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Env = append(append(os.Environ(), "GIT_DIR="+filepath.Join(s.folder, "repo.git")), cleanGit...)
	out, err := cmd.Output()
	return string(out), err
}

// await returns the content of a file once it is there.
func (s gitServer) await(ctx context.Context, file string) string {
	for {
		if content, err := s.git("cat-file", "blob", file); err == nil {
			return content
		}
		select {
		case <-ctx.Done():
			panic(ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
