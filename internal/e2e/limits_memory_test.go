package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// TestALargeClusterIsMirroredWithLittleMemory bounds the heap of the process softly, as Go does,
// and counts what it really took. The remote hangs for the first part of the time, so that what is
// listed has to wait.
func TestALargeClusterIsMirroredWithLittleMemory(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	c := memoryCluster(t)
	ns := c.namespace()
	objects := testsize.Sizes{Usual: 1_500, Long: 3_000, Soak: 100_000}.Pick()
	each(t, objects, func(ctx context.Context, i int) error {
		obj := parse(t, configMapYAML(ns, fmt.Sprintf("cm-%06d", i), twoKB(i)))
		_, err := c.client.Resource(configMaps).Namespace(ns).Create(ctx, obj, metav1.CreateOptions{})
		return err
	})
	git := gitservertest.NewServer(t, nil)
	repo := git.NewRepo("large.git")
	hung, asked := make(chan struct{}), make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	git.Intercept(func(gitservertest.Request) gitservertest.Fault {
		ask()
		return gitservertest.Fault{Hold: hung}
	})
	// Without an object the heap takes 10 MiB. A bound below what it needs costs time (half of it
	// is the collector's), not the process.
	limit := testsize.Sizes{Usual: 20, Soak: 100}.Pick()
	p := startLimited(t, limits{memory: fmt.Sprintf("%dMiB", limit)}, c.kubeconfig,
		replace(oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"))
	<-asked
	// The remote hangs.
	time.Sleep(time.Duration(testsize.Sizes{Usual: 1, Long: 2, Soak: 30}.Pick()) * time.Second)
	idle := p.mebibytes("VmHWM")
	close(hung)
	p.eventuallyWithin(time.Duration(testsize.Sizes{Usual: 2, Soak: 40}.Pick())*time.Minute, func() bool { return filesIn(repo) == objects },
		func() string { return fmt.Sprint(filesIn(repo), " files") })
	c.configMap(ns, "one-more", "v0")
	p.eventually(func() bool { return filesIn(repo) == objects+1 }, func() string { return "the last change is not there" })
	peak, binary := p.mebibytes("VmHWM"), p.mebibytes("RssFile")
	t.Logf("at most %d MiB, %d MiB of them the program itself; %d MiB while the remote hung; GOMEMLIMIT=%dMiB", peak, binary, idle, limit)
	require.LessOrEqual(t, peak-binary, limit+30, "MiB beside the program itself")
	p.stop()
	repo.Fsck()
	seededOnce(t, repo, "main", "f", objects+1)
}

// filesIn is the number of files in the folder f.
func filesIn(repo *gitservertest.Repo) int {
	if _, ok := repo.Tip("main"); !ok {
		return 0
	}
	return strings.Count(repo.Git("ls-tree", "-r", "--name-only", "main", "--", "f")+"\n", ".yaml\n")
}
