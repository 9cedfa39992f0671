package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
)

const restored = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: all, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: all}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: all, namespace: $NS}
spec:
  destinationRef: {name: all}
  skip: [RootCA]
  rules: [{apiGroups: ["", apps], resources: [configmaps, deployments, serviceaccounts]}]
`

// Somebody restores etcd from a snapshot, as the Kubernetes documentation says, under the address
// that it had. The Mirror goes on. Nothing lists by the clock here: what is wrong would stay wrong.
func TestABranchFollowsAClusterThatIsSetBackToASnapshot(t *testing.T) {
	if !real() {
		t.Skip("needs a real API server, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	for name, opts := range map[string]*testenv.Options{"with the watch cache": nil, "without it": {DisableWatchCache: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testenv.Start(t, opts)
			c := newCluster(t, env.Config(), env.Kubeconfig())
			repo := gitservertest.NewServer(t, nil).NewRepo("repo.git")
			ns := c.namespace()
			c.configMap(ns, "stays", "one")
			c.configMap(ns, "deleted-later", "one")
			c.configMap(ns, "changed-later", "old")
			c.apply(namespaces.GroupVersion().WithResource("serviceaccounts"), "{apiVersion: v1, kind: ServiceAccount, metadata: {name: quiet, namespace: "+ns+"}}")
			backup := env.Backup(t)

			log := &counted{}
			mirrored := options(t)
			mirrored.Source.Resync, mirrored.Logger = -1, log.logger(t)
			m := start(c, load(t, restored, "REPO", repo.URL(), "NS", ns), mirrored)
			m.synced()
			c.delete(configMaps, ns, "deleted-later")
			c.configMap(ns, "changed-later", "new")
			for i := range 50 {
				c.configMap(ns, "lost", fmt.Sprint("n", i))
			}
			quiet := map[string]string{ns + "/serviceaccounts/quiet.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: quiet\n  namespace: " + ns + "\n"}
			becomes(t, repo, "main", "all", and(quiet, configMapFiles(ns, "stays", "one", "changed-later", "new", "lost", "n49")))

			env.Restore(t, backup)
			restoredAt := time.Now()
			c.configMap(ns, "made-afterwards", "one")
			becomes(t, repo, "main", "all", and(quiet,
				configMapFiles(ns, "stays", "one", "deleted-later", "one", "changed-later", "old", "made-afterwards", "one")))
			t.Logf("%v after the restore the branch was right", time.Since(restoredAt))
			m.synced()
			require.Equal(t, 1, log.count("gone back"), "it is said, once")

			c.configMap(ns, "made-afterwards", "two")
			becomes(t, repo, "main", "all", and(quiet,
				configMapFiles(ns, "stays", "one", "deleted-later", "one", "changed-later", "old", "made-afterwards", "two")))
		})
	}
}

// What a real API server makes of a resource version that is still to come is in
// docs/real-api-server.md.
func TestARealServerIsAskedForAResourceVersionThatIsStillToCome(t *testing.T) {
	if !real() {
		t.Skip("needs a real API server, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	for name, opts := range map[string]*testenv.Options{"with the watch cache": nil, "without it": {DisableWatchCache: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testenv.Start(t, opts)
			c := newCluster(t, env.Config(), env.Kubeconfig())
			ns := c.namespace()
			future, seconds := metav1.ListOptions{ResourceVersion: "1000000", AllowWatchBookmarks: true}, int64(5)
			future.TimeoutSeconds = &seconds
			began := time.Now()
			w, err := c.client.Resource(configMaps).Namespace(ns).Watch(t.Context(), future)
			require.NoError(t, err, "if it is refused now, say so in docs/real-api-server.md")
			c.configMap(ns, "a", "one")
			for e := range w.ResultChan() {
				require.Fail(t, "it is not silent any more", "%s %v", e.Type, e.Object)
			}
			require.GreaterOrEqual(t, time.Since(began), 4*time.Second, "it ends with its time")
			_, err = c.client.Resource(configMaps).Namespace(ns).List(t.Context(), metav1.ListOptions{ResourceVersion: "1000000"})
			t.Logf("list: %v", err)
			require.ErrorContains(t, err, "Too large resource version")
		})
	}
}

func and(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// counted is a log of which lines are counted.
type counted struct {
	mu    sync.Mutex
	lines []string
}

func (l *counted) logger(t *testing.T) logr.Logger {
	return funcr.New(func(prefix, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
		t.Log(prefix, args)
	}, funcr.Options{})
}

func (l *counted) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
