package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// twoBranches mirrors all ConfigMaps of $NS to main and those of one tier to dev.
const twoBranches = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: clusters/prod}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: dev, namespace: $NS}
spec: {repoRef: {name: repo}, branch: dev, baseFolder: clusters/dev}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: prod, namespace: $NS}
spec:
  destinationRef: {name: prod}
  rules: [{apiGroups: [""], resources: [configmaps]}]
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: dev, namespace: $NS}
spec:
  destinationRef: {name: dev}
  objectSelector: {matchLabels: {tier: dev}}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

// each does something for all numbers below n, eight at a time.
func each(t *testing.T, n int, do func(ctx context.Context, i int) error) {
	t.Helper()
	const workers = 8
	errs := make([]error, n)
	var working sync.WaitGroup
	for first := range workers {
		working.Go(func() {
			for i := first; i < n; i += workers {
				errs[i] = do(t.Context(), i)
			}
		})
	}
	working.Wait()
	require.NoError(t, errors.Join(errs...))
}

// write creates a ConfigMap or changes it. It may be called concurrently.
func (c *cluster) write(ctx context.Context, namespace, name, text string) error {
	_, err := c.client.Resource(configMaps).Namespace(namespace).
		Apply(ctx, name, parse(c.t, text), metav1.ApplyOptions{FieldManager: "e2e", Force: true})
	return err
}

// remove deletes a ConfigMap. It may be called concurrently.
func (c *cluster) remove(ctx context.Context, namespace, name string) error {
	return c.client.Resource(configMaps).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// configMaps creates so many ConfigMaps, named after their number.
func (c *cluster) configMaps(namespace string, n int) {
	c.t.Helper()
	each(c.t, n, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("cm-%02d", i)
		return c.write(ctx, namespace, name, configMapYAML(namespace, name, "one"))
	})
}

func (c *cluster) deleteConfigMaps(namespace string, n int) {
	c.t.Helper()
	each(c.t, n, func(ctx context.Context, i int) error { return c.remove(ctx, namespace, fmt.Sprintf("cm-%02d", i)) })
}

// inTier is a ConfigMap of a tier: every third one is of tier dev.
func inTier(namespace string, i int, value string) (name, text string) {
	name, tier := fmt.Sprintf("cm-%04d", i), "prod"
	if i%3 == 0 {
		tier = "dev"
	}
	return name, fmt.Sprintf("apiVersion: v1\ndata:\n  value: %s\nkind: ConfigMap\nmetadata:\n  labels:\n    tier: %s\n  name: %s\n  namespace: %s\n",
		value, tier, name, namespace)
}

func TestWhatHappenedDuringAStopIsOneCommitForEachDestination(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("stopped.git")
	repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "ours\n"}}, "Start")
	repo.Git("branch", "dev", "main")
	changes := testsize.Sizes{Usual: 50, Long: 150, Soak: 1000}.Pick()
	deleted, changed, total := changes*3/10, changes*4/10, changes*3/2
	prod, dev := map[string]string{}, map[string]string{} // what the folders should hold
	var mu sync.Mutex
	write := func(ctx context.Context, i int, value string) error {
		name, text := inTier(ns, i, value)
		mu.Lock()
		path := ns + "/configmaps/" + name + ".yaml"
		if prod[path] = text; i%3 == 0 {
			dev[path] = text
		}
		mu.Unlock()
		return c.write(ctx, ns, name, text)
	}
	// run lets a Mirror live until all is written, and returns how many commits it made on main and
	// dev.
	run := func() (onMain, onDev int) {
		onMain, onDev = commits(repo, "main"), commits(repo, "dev")
		opts := options(t)
		// A seed is one commit as long as its listing does not pause for longer than the quiet
		// time: not even on a busy machine.
		opts.Queue.Window = queue.Window{Debounce: 2 * time.Second, MaxWait: time.Minute}
		m := start(c, load(t, twoBranches, "NS", ns, "REPO", repo.URL()), opts)
		m.synced()
		m.stop()
		require.Empty(t, cmp.Diff(prod, folder(repo, "main", "clusters/prod")))
		require.Empty(t, cmp.Diff(dev, folder(repo, "dev", "clusters/dev")))
		return commits(repo, "main") - onMain, commits(repo, "dev") - onDev
	}

	each(t, total, func(ctx context.Context, i int) error { return write(ctx, i, "one") })
	onMain, onDev := run()
	require.Equal(t, []int{1, 1}, []int{onMain, onDev})

	each(t, changes, func(ctx context.Context, i int) error {
		switch {
		case i >= deleted+changed:
			return write(ctx, total+i, "one")
		case i >= deleted:
			return write(ctx, i, "two")
		}
		name, _ := inTier(ns, i, "")
		mu.Lock()
		delete(prod, ns+"/configmaps/"+name+".yaml")
		delete(dev, ns+"/configmaps/"+name+".yaml")
		mu.Unlock()
		return c.remove(ctx, ns, name)
	})
	tips := map[string]string{"main": "", "dev": ""}
	for branch := range tips {
		tips[branch], _ = repo.Tip(branch)
	}
	onMain, onDev = run()
	require.Equal(t, []int{1, 1}, []int{onMain, onDev})
	for branch, tip := range tips {
		repo.Linear(branch, tip)
	}

	pushes := server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests
	onMain, onDev = run()
	require.Equal(t, []int{0, 0}, []int{onMain, onDev}, "nothing changed")
	require.Equal(t, pushes, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
	repo.Fsck()
}

// below returns the paths of all entries below a folder.
func below(repo *gitservertest.Repo, branch, name string) []string {
	var paths []string
	for path := range repo.List(branch) {
		if rest, ok := strings.CutPrefix(path, name+"/"); ok {
			paths = append(paths, rest)
		}
	}
	return paths
}

func TestAFolderWhoseLastTenObjectsWentAwayDuringAStopEndsEmpty(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("ten.git")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	c.configMaps(ns, 10)
	m := start(c, rules, nil)
	m.synced()
	m.stop()
	require.Len(t, folder(repo, "main", "f"), 10)

	c.deleteConfigMaps(ns, 10)
	m = start(c, rules, nil)
	m.synced()
	require.Equal(t, []string{".kubescribe"}, below(repo, "main", "f"))
	require.Equal(t, 2, commits(repo, "main"))
	repo.Fsck()
}

func TestAMassDeletionIsHeldUntilItIsApprovedAndTheNextOneIsHeldAgain(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("eleven.git")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	dest := ref(ns, "dest")
	c.configMaps(ns, 11)
	m := start(c, rules, nil)
	m.synced()
	m.stop()
	files := folder(repo, "main", "f")

	c.deleteConfigMaps(ns, 11)
	m = start(c, rules, nil)
	m.synced()
	st, _ := m.DestinationStatus(dest)
	require.NotNil(t, st.Held)
	require.Equal(t, []int{11, 11}, []int{st.Held.Count, st.Held.Files})
	require.Len(t, st.Held.Sample, 10)
	require.Equal(t, ns+"/configmaps/cm-00.yaml", st.Held.Sample[0])
	require.Equal(t, 1, commits(repo, "main"))

	c.configMap(ns, "new", "one") // other writes go on
	maps.Copy(files, configMapFiles(ns, "new", "one"))
	becomes(t, repo, "main", "f", files)
	m.synced()
	requests := server.Total()
	// It takes time to see that nothing happens: a loop would go round many times.
	time.Sleep(1500 * time.Millisecond)
	require.Equal(t, requests, server.Total(), "what is held is not tried again")

	require.NoError(t, m.Resync(dest))
	m.status(dest, func(now kubescribe.DestinationStatus) bool { return now.LastSeed.After(st.LastSeed) && now.Synced })
	require.Equal(t, files, folder(repo, "main", "f"), "another seed is no approval")

	require.NoError(t, m.Approve(dest))
	becomes(t, repo, "main", "f", configMapFiles(ns, "new", "one"))
	m.status(dest, func(now kubescribe.DestinationStatus) bool { return now.Held == nil && now.Synced })
	require.Equal(t, 3, commits(repo, "main"))

	ghosts := map[string]gitservertest.File{}
	for i := range 12 {
		ghosts[fmt.Sprintf("f/%s/configmaps/ghost-%02d.yaml", ns, i)] = gitservertest.File{Content: "ghost\n"}
	}
	tip := repo.Commit("main", ghosts, "Files that have no object")
	require.NoError(t, m.Resync(dest))
	st = m.status(dest, func(now kubescribe.DestinationStatus) bool { return now.Held != nil && now.Synced })
	require.Equal(t, []int{12, 13}, []int{st.Held.Count, st.Held.Files})
	now, _ := repo.Tip("main")
	require.Equal(t, tip, now, "an approval is for one deletion")
	repo.Fsck()
}
