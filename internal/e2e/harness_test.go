package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

var server testenv.Shared

func TestMain(m *testing.M) {
	if mirrorChild() {
		return
	}
	goleak.VerifyTestMain(tidying{server.Main(m)})
}

// tidying removes the trial binary after the tests.
type tidying struct{ testenv.Runner }

func (r tidying) Run() int {
	defer func() {
		if binaryDir != "" {
			_ = os.RemoveAll(binaryDir)
		}
	}()
	return r.Runner.Run()
}

// real reports whether the API server is the real one.
func real() bool { return os.Getenv("KUBEBUILDER_ASSETS") != "" }

var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// inParallel runs the test beside others, unless they share the real API server.
func inParallel(t *testing.T) {
	t.Helper()
	testsize.Sampled(t)
	if !real() {
		t.Parallel()
	}
}

// cluster is an API server.
type cluster struct {
	t          *testing.T
	config     *rest.Config
	kubeconfig string
	client     dynamic.Interface
}

// sharedCluster returns the API server that tests share; each makes namespaces of its own in it.
func sharedCluster(t *testing.T) *cluster {
	t.Helper()
	if real() {
		env := server.Start(t)
		return newCluster(t, env.Config(), env.Kubeconfig())
	}
	return memoryCluster(t)
}

// memoryCluster returns an in-process API server of the test's own.
func memoryCluster(t *testing.T) *cluster {
	t.Helper()
	_, c := emptyMemoryCluster(t)
	return c
}

// emptyMemoryCluster is memoryCluster for a test that does to the server what no client can.
func emptyMemoryCluster(t *testing.T) (*clustertest.Cluster, *cluster) {
	t.Helper()
	mem := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", mem.Seed())
	t.Cleanup(mem.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\n"+
		"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n", mem.URL())
	require.NoError(t, os.WriteFile(kubeconfig, []byte(text), 0o600))
	return mem, newCluster(t, mem.Config(), kubeconfig)
}

func newCluster(t *testing.T, config *rest.Config, kubeconfig string) *cluster {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return &cluster{t: t, config: config, kubeconfig: kubeconfig, client: client}
}

var namespaceCount atomic.Int64

// namespace makes a new namespace.
func (c *cluster) namespace() string {
	c.t.Helper()
	name := fmt.Sprintf("e2e-%d", namespaceCount.Add(1))
	c.apply(namespaces, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name))
	return name
}

// parse reads one object in YAML.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}

// apply creates an object given in YAML, or replaces what is there.
func (c *cluster) apply(gvr schema.GroupVersionResource, text string) {
	c.t.Helper()
	obj := parse(c.t, text)
	client := c.client.Resource(gvr).Namespace(obj.GetNamespace())
	_, err := client.Create(c.t.Context(), obj, metav1.CreateOptions{})
	for apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		var old *unstructured.Unstructured
		old, err = client.Get(c.t.Context(), obj.GetName(), metav1.GetOptions{})
		require.NoError(c.t, err)
		obj.SetResourceVersion(old.GetResourceVersion())
		_, err = client.Update(c.t.Context(), obj, metav1.UpdateOptions{})
	}
	require.NoError(c.t, err)
}

func (c *cluster) configMap(namespace, name, value string) {
	c.t.Helper()
	c.apply(configMaps, configMapYAML(namespace, name, value))
}

func configMapYAML(namespace, name, value string) string {
	return fmt.Sprintf("apiVersion: v1\ndata:\n  value: %s\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\n", value, name, namespace)
}

func (c *cluster) delete(gvr schema.GroupVersionResource, namespace, name string) {
	c.t.Helper()
	require.NoError(c.t, c.client.Resource(gvr).Namespace(namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{}))
}

// load reads manifests; pairs of name and value replace $NAME in them.
func load(t *testing.T, text string, values ...string) kubescribe.Rules {
	t.Helper()
	config, err := manifest.Load(fstest.MapFS{"config.yaml": {Data: []byte(replace(text, values...))}})
	require.NoError(t, err)
	return kubescribe.Rules{Repositories: config.Repositories, Destinations: config.Destinations, Rules: config.Rules, Orphans: config.Orphans}
}

func replace(text string, values ...string) string {
	for i := 0; i < len(values); i += 2 {
		text = strings.ReplaceAll(text, "$"+values[i], values[i+1])
	}
	return text
}

// oneDestination mirrors the ConfigMaps of $NS to $FOLDER of the branch main of $REPO, as
// $NS/$DEST.
const oneDestination = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: $DEST, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: $FOLDER}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: rule, namespace: $NS}
spec:
  destinationRef: {name: $DEST}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

func ref(namespace, name string) destination.Ref {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// mirror is a running Mirror.
type mirror struct {
	*kubescribe.Mirror
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
}

// options are those of most tests: a short quiet time, so that tests are quick, and a log.
func options(t *testing.T) *kubescribe.Options {
	return &kubescribe.Options{
		Queue:  queue.Options{Window: queue.Window{Debounce: 200 * time.Millisecond}},
		Git:    gogit.Options{RateLimit: func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} }},
		Source: source.Options{Rediscover: 500 * time.Millisecond},
		Logger: logger(t),
	}
}

// logger shows the log of a test that fails.
func logger(t *testing.T) logr.Logger {
	return testr.NewWithOptions(t, testr.Options{Verbosity: 1, LogTimestamp: true})
}

func start(c *cluster, rules kubescribe.Rules, opts *kubescribe.Options) *mirror {
	c.t.Helper()
	if opts == nil {
		opts = options(c.t)
	}
	inner, err := kubescribe.New(c.config, opts)
	require.NoError(c.t, err)
	require.NoError(c.t, inner.SetRules(rules))
	ctx, cancel := context.WithCancel(context.Background())
	m := &mirror{Mirror: inner, t: c.t, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		m.ended <- m.Start(ctx)
		close(m.ended)
	}()
	c.t.Cleanup(func() {
		cancel()
		for range m.ended { // closed when it has ended
		}
	})
	return m
}

// stop ends the Mirror gracefully, and the test if something was left.
func (m *mirror) stop() {
	m.t.Helper()
	m.cancel()
	require.NoError(m.t, <-m.ended)
}

const patience = 60 * time.Second

// synced waits until everything is written.
func (m *mirror) synced() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	require.NoError(m.t, m.WaitSynced(ctx))
}

// status waits for a status of a destination.
func (m *mirror) status(ref destination.Ref, want func(kubescribe.DestinationStatus) bool) kubescribe.DestinationStatus {
	m.t.Helper()
	var st kubescribe.DestinationStatus
	eventually(m.t, func() bool { st, _ = m.DestinationStatus(ref); return want(st) }, func() string { return fmt.Sprintf("%+v", st) })
	return st
}

// eventually waits until f is true and fails with what explain says if that takes too long.
func eventually(t *testing.T, f func() bool, explain func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !f() {
		if time.Now().After(deadline) {
			require.FailNow(t, "it did not come true", "%s", explain())
		}
		// Nothing tells the outside of a Git server when a branch moves.
		time.Sleep(20 * time.Millisecond)
	}
}

// folder returns the files below a folder of a branch, without the ownership file.
func folder(repo *gitservertest.Repo, branch, name string) map[string]string {
	files := map[string]string{}
	for path, content := range treeOf(repo, branch) {
		if rest, ok := strings.CutPrefix(path, name+"/"); ok && rest != ".kubescribe" {
			files[rest] = content
		}
	}
	return files
}

// look is the newest tree of a branch that treeOf has read.
type look struct {
	tip  string
	tree map[string]string
}

// looks has what was seen of each branch: a test that waits for a commit runs git when there is
// one, and not at every look.
var looks sync.Map // by the repository's folder and the branch

func treeOf(repo *gitservertest.Repo, branch string) map[string]string {
	tip, ok := repo.Tip(branch)
	if !ok {
		return nil
	}
	key := repo.Dir() + "\x00" + branch
	if last, ok := looks.Load(key); ok && last.(look).tip == tip {
		return last.(look).tree
	}
	tree := repo.Tree(branch)
	if now, _ := repo.Tip(branch); now == tip {
		looks.Store(key, look{tip, tree})
	}
	return tree
}

// becomes waits until a folder holds just these files.
func becomes(t *testing.T, repo *gitservertest.Repo, branch, name string, want map[string]string) {
	t.Helper()
	eventually(t, func() bool { return cmp.Equal(folder(repo, branch, name), want) }, func() string {
		return cmp.Diff(want, folder(repo, branch, name))
	})
}

// configMapFiles is what ConfigMaps of a namespace look like in a folder: pairs of name and value.
func configMapFiles(namespace string, pairs ...string) map[string]string {
	files := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		files[namespace+"/configmaps/"+pairs[i]+".yaml"] = configMapYAML(namespace, pairs[i], pairs[i+1])
	}
	return files
}

// lengths has the number of commits below each tip that commits was asked about.
var lengths sync.Map

// commits returns the number of commits that a branch has.
func commits(repo *gitservertest.Repo, branch string) int {
	tip, ok := repo.Tip(branch)
	if !ok {
		return 0
	}
	if n, ok := lengths.Load(tip); ok {
		return n.(int)
	}
	n := len(strings.Fields(repo.Git("rev-list", tip)))
	lengths.Store(tip, n)
	return n
}
