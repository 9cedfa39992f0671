package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// seedDocument is the seed document's example with rules: one repository, two destinations on two
// branches.
const seedDocument = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: shared-repo, namespace: $NS}
spec:
  repoURL: $REPO
  allowedBranches: ["main", "dev", "staging"]
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod-dest, namespace: $NS}
spec: {repoRef: {name: shared-repo}, branch: main, baseFolder: clusters/prod}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: dev-dest, namespace: $NS}
spec: {repoRef: {name: shared-repo}, branch: dev, baseFolder: clusters/dev}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: prod, namespace: $NS}
spec:
  destinationRef: {name: prod-dest}
  rules:
    - {apiGroups: [""], resources: [configmaps]}
    - {apiGroups: [apps], resources: [deployments]}
    - {apiGroups: [$GROUP], resources: [widgets]}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: dev, namespace: $NS}
spec:
  destinationRef: {name: dev-dest}
  rules:
    - {apiGroups: [""], resources: [configmaps]}
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: $NS-widgets}
spec:
  destinationRef: {name: dev-dest, namespace: $NS}
  rules:
    - {apiGroups: [$GROUP], resources: [gadgets], scope: Cluster}
`

const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $PLURAL.$GROUP}
spec:
  group: $GROUP
  names: {kind: $KIND, plural: $PLURAL}
  scope: $SCOPE
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: $NS}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example/web}]}
`

func TestEachBranchHoldsExactlyItsOwnObjects(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	group := ns + ".example.com"
	repo := gitservertest.NewServer(t, nil).NewRepo("shared.git")
	start0 := repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "ours\n"}}, "Start")
	repo.Git("branch", "dev", "main")
	c.apply(crds, replace(crd, "PLURAL", "widgets", "KIND", "Widget", "GROUP", group, "SCOPE", "Namespaced"))
	c.apply(crds, replace(crd, "PLURAL", "gadgets", "KIND", "Gadget", "GROUP", group, "SCOPE", "Cluster"))
	widgets := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "widgets"}
	gadgets := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "gadgets"}
	for _, gvr := range []schema.GroupVersionResource{widgets, gadgets} {
		eventually(t, func() bool {
			_, err := c.client.Resource(gvr).List(t.Context(), metav1.ListOptions{})
			return err == nil
		}, func() string { return gvr.String() + " is not served" })
	}
	c.configMap(ns, "settings", "one")
	c.apply(deployments, replace(deploymentYAML, "NS", ns))
	c.apply(widgets, fmt.Sprintf("{apiVersion: %s/v1, kind: Widget, metadata: {name: w, namespace: %s}, spec: {size: 3}, extra: [a]}", group, ns))
	c.apply(gadgets, fmt.Sprintf("{apiVersion: %s/v1, kind: Gadget, metadata: {name: g}, spec: {on: true}}", group))

	whole := &wholeQueue{Queue: queue.NewSharded(&queue.Options{Window: queue.Window{Debounce: 200 * time.Millisecond}}), t: t}
	opts := options(t)
	opts.QueueImpl = whole
	m := start(c, load(t, seedDocument, "NS", ns, "REPO", repo.URL(), "GROUP", group), opts)
	m.synced()

	prod, dev := folder(repo, "main", "clusters/prod"), folder(repo, "dev", "clusters/dev")
	require.Len(t, prod, 3)
	require.Equal(t, configMapYAML(ns, "settings", "one"), prod[ns+"/configmaps/settings.yaml"])
	require.Contains(t, prod[ns+"/deployments.apps/web.yaml"], "image: registry.example/web")
	require.Equal(t, fmt.Sprintf("apiVersion: %s/v1\nextra:\n- a\nkind: Widget\nmetadata:\n  name: w\n  namespace: %s\nspec:\n  size: 3\n", group, ns),
		prod[ns+"/widgets."+group+"/w.yaml"])
	require.Len(t, dev, 2)
	require.Contains(t, dev, ns+"/configmaps/settings.yaml")
	require.Contains(t, dev, "_cluster/gadgets."+group+"/g.yaml")
	for branch, other := range map[string]string{"main": "clusters/dev", "dev": "clusters/prod"} {
		require.Empty(t, folder(repo, branch, other))
		require.Equal(t, "ours\n", repo.Tree(branch)["README.md"])
		require.Equal(t, 2, commits(repo, branch), "one commit for the whole seed")
		repo.Linear(branch, start0)
	}
	repo.Fsck()
	require.Positive(t, whole.seen.Load())
}

func TestLiveChangesArriveAndNothingElseMakesACommit(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("live.git")
	c.configMap(ns, "a", "one")
	c.apply(deployments, replace(deploymentYAML, "NS", ns))
	rules := load(t, strings.ReplaceAll(oneDestination, `[""], resources: [configmaps]`, `["", apps], resources: [configmaps, deployments]`),
		"NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "live")
	m := start(c, rules, nil)
	m.synced()
	web := folder(repo, "main", "live")[ns+"/deployments.apps/web.yaml"]
	require.NotEmpty(t, web)
	with := func(pairs ...string) map[string]string {
		files := configMapFiles(ns, pairs...)
		files[ns+"/deployments.apps/web.yaml"] = web
		return files
	}

	c.configMap(ns, "b", "one") // create
	becomes(t, repo, "main", "live", with("a", "one", "b", "one"))
	c.configMap(ns, "a", "two") // update
	becomes(t, repo, "main", "live", with("a", "two", "b", "one"))
	c.delete(configMaps, ns, "b") // delete
	becomes(t, repo, "main", "live", with("a", "two"))

	before := commits(repo, "main")
	c.configMap(ns, "a", "two") // applied again
	status, err := c.client.Resource(deployments).Namespace(ns).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	status.Object["status"] = map[string]any{"replicas": int64(2), "observedGeneration": int64(1)}
	_, err = c.client.Resource(deployments).Namespace(ns).UpdateStatus(t.Context(), status, metav1.UpdateOptions{})
	require.NoError(t, err)
	// What comes later is in the branch, so what came before would be, too.
	c.configMap(ns, "last", "one")
	becomes(t, repo, "main", "live", with("a", "two", "last", "one"))
	require.Equal(t, before+1, commits(repo, "main"))
	require.NotContains(t, repo.Log("main")[0].Body, "web")
	m.stop()
	repo.Fsck()
}

func TestAGracefulStopPushesWhatWasAccepted(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("stop.git")
	opts := options(t)
	accepted := &countingQueue{Queue: queue.NewSharded(&queue.Options{Window: queue.Window{Debounce: time.Hour, MaxWait: time.Hour}})}
	opts.QueueImpl = accepted
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), opts)
	// What a listing found would be compared first, in an hour.
	m.status(ref(ns, "dest"), func(st kubescribe.DestinationStatus) bool { return st.Watch.Complete > 0 })
	c.configMap(ns, "a", "one")
	c.configMap(ns, "b", "one")
	eventually(t, func() bool { return accepted.writes.Load() == 2 }, func() string { return "the events did not come" })
	require.Zero(t, commits(repo, "main"), "the window is open")
	m.stop()
	require.Equal(t, configMapFiles(ns, "a", "one", "b", "one"), folder(repo, "main", "f"))
}

// The seed document's failure was a branch that some events lacked.
func TestAnIncompleteEventIsRefusedByTheQueue(t *testing.T) {
	inParallel(t)
	q := queue.NewSharded(nil)
	err := q.TryAdd(event.Event{Operation: event.SeedSync, Destination: destination.Destination{Ref: ref("default", "prod-dest")}})
	require.ErrorIs(t, err, event.ErrIncomplete)
	require.ErrorContains(t, err, "Branch")
	require.NoError(t, q.Shutdown(context.Background()))
}
