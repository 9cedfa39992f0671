package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// bothBranches mirrors all ConfigMaps of $NS to main and to dev.
var bothBranches = strings.Replace(twoBranches, "  objectSelector: {matchLabels: {tier: dev}}\n", "", 1)

// listings counts the requests that list ConfigMaps.
type listings struct {
	mu            sync.Mutex
	pages, begins int // a listing begins without a continue token
}

func (l *listings) count(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		query := req.URL.Query()
		// It asks for the server's clock: the answer holds no object.
		question := query.Get("fieldSelector") != ""
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/configmaps") && query.Get("watch") == "" && !question {
			l.mu.Lock()
			l.pages++
			if query.Get("continue") == "" {
				l.begins++
			}
			l.mu.Unlock()
		}
		return next.RoundTrip(req)
	})
}

func (l *listings) counted() (pages, begins int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pages, l.begins
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// twoKB is the data of a ConfigMap, of which no two are equal.
func twoKB(i int) string {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	var b strings.Builder
	for b.Len() < 2048 {
		_, _ = fmt.Fprintf(&b, "%016x", random.Uint64())
	}
	return b.String()
}

func TestALargeClusterIsSeededOnceAndARestartWritesNothing(t *testing.T) {
	testsize.Sampled(t)
	c := sharedCluster(t)
	ns := c.namespace()
	objects := testsize.Sizes{Usual: 1_000, Long: 5_000, Soak: 100_000}.Pick()
	each(t, objects, func(ctx context.Context, i int) error {
		obj := parse(t, configMapYAML(ns, fmt.Sprintf("cm-%06d", i), twoKB(i)))
		_, err := c.client.Resource(configMaps).Namespace(ns).Create(ctx, obj, metav1.CreateOptions{})
		return err
	})
	t.Run("with room for all", func(t *testing.T) {
		testsize.OneOf(t, "room", 0, 2)
		l := &large{cluster: c, ns: ns, objects: objects, room: 1 << 30}
		pages, begins := l.seedAndRestart(t)
		require.LessOrEqual(t, begins, 2, "listings that began: one to know the objects, one to send them")
		require.LessOrEqual(t, pages, 2*((objects+249)/250), "pages")
	})
	t.Run("with the default room", func(t *testing.T) {
		testsize.OneOf(t, "room", 1, 2)
		l := &large{cluster: c, ns: ns, objects: objects}
		pages, begins := l.seedAndRestart(t)
		// Who has no room in time is left behind, and listed for again.
		t.Logf("%d pages in %d listings", pages, begins)
	})
}

// large is a cluster of many objects that two branches mirror.
type large struct {
	*cluster
	ns      string
	objects int
	room    int64 // of the queue and of each line; 0: the default
}

const batchBytes = 4 << 20 // the queue's default

// seedAndRestart mirrors to a new repository, and once more. It counts the first Mirror's listings.
func (l *large) seedAndRestart(t *testing.T) (pages, begins int) {
	t.Helper()
	git := gitservertest.NewServer(t, nil)
	repo := git.NewRepo("large.git")
	rules := load(t, bothBranches, "NS", l.ns, "REPO", repo.URL())
	pages, begins = l.run(t, rules).counted()
	tips := map[string]string{}
	for branch, folder := range map[string]string{"main": "clusters/prod", "dev": "clusters/dev"} {
		bytes := seededOnce(t, repo, branch, folder, l.objects)
		t.Logf("%s: %d commits for %d bytes", branch, commits(repo, branch), bytes)
		require.LessOrEqual(t, commits(repo, branch), bytes/batchBytes+1)
		tips[branch], _ = repo.Tip(branch)
	}
	repo.Fsck()

	git.ResetCounts()
	l.run(t, rules)
	for branch, tip := range tips {
		now, _ := repo.Tip(branch)
		require.Equal(t, tip, now, "no commit")
	}
	require.Zero(t, git.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests, "no push")
	return pages, begins
}

// run lets a Mirror live until all is written, and counts its listings.
func (l *large) run(t *testing.T, rules kubescribe.Rules) *listings {
	t.Helper()
	counting := &listings{}
	c := newCluster(t, rest.CopyConfig(l.config), l.kubeconfig)
	c.config.Wrap(counting.count)
	opts := options(t)
	quiet := 5 * time.Second
	if testsize.Long() {
		quiet *= 3
	}
	opts.Queue = queue.Options{
		MaxBytesPerKey: l.room, MaxBytes: l.room, MaxEventsPerKey: int(l.room), MaxEvents: int(l.room),
		// Batches are as large as they may be as long as the listing does not pause for longer than
		// the quiet time.
		Window: queue.Window{Debounce: quiet, MaxWait: time.Hour, Bytes: batchBytes},
	}
	m := start(c, rules, opts)
	// The full size takes longer than others' patience.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	require.NoError(t, m.WaitSynced(ctx))
	m.stop()
	return counting
}

// seededOnce fails unless the folder has a file for each object, which was written in one commit
// only. It returns how many bytes the files have.
func seededOnce(t *testing.T, repo *gitservertest.Repo, branch, folder string, objects int) (bytes int) {
	t.Helper()
	written := map[string]int{}
	for path := range strings.Lines(repo.Git("log", "--format=", "--name-only", branch, "--", folder)) {
		if path = strings.TrimSuffix(path, "\n"); strings.HasSuffix(path, ".yaml") {
			written[path]++
		}
	}
	require.Len(t, written, objects)
	for path, n := range written {
		require.Equal(t, 1, n, "commits that wrote %s", path)
	}
	for line := range strings.Lines(repo.Git("ls-tree", "-r", "-l", branch, folder)) {
		var size int
		_, err := fmt.Sscan(strings.Fields(line)[3], &size)
		require.NoError(t, err)
		bytes += size
	}
	return bytes
}

func TestAListingByAWatchSeedsTheSame(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	for _, name := range []string{"a", "b", "c"} {
		c.configMap(ns, name, "v0")
	}
	repo := gitservertest.NewServer(t, nil).NewRepo("by-watch.git")
	counting := &listings{}
	counted := *c
	counted.config = rest.CopyConfig(c.config)
	counted.config.Wrap(counting.count)
	opts := options(t)
	opts.Source.InitialEvents = true
	m := start(&counted, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), opts)
	m.synced()
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v0", "b", "v0", "c", "v0"))
	c.configMap(ns, "b", "v1")
	c.delete(configMaps, ns, "c")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v0", "b", "v1"))
	m.stop()
	pages, _ := counting.counted()
	require.Zero(t, pages, "requests for a list")
}
