package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// binaryDir holds the trial binary; TestMain removes it.
var binaryDir string

// binary builds the trial binary, once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kubescribe-e2e-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	path := filepath.Join(dir, "trial")
	out, err := exec.Command("go", "build", "-o", path, "./trial").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// process is the trial binary at work.
type process struct {
	*exec.Cmd
	output *bytes.Buffer
}

func mirrorProcess(t *testing.T, c *cluster, manifests string, args ...string) process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(manifests), 0o600))
	cmd := exec.Command(path, append([]string{"--config", dir, "--kubeconfig", c.kubeconfig, "--quiet", "50ms"}, args...)...)
	p := process{cmd, &bytes.Buffer{}}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	require.NoError(t, cmd.Start())
	return p
}

func TestKilledInTheMiddleOfABurstAndStartedAgainItConverges(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	chance := testsize.Chance(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("kill.git")
	manifests := replace(oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	const objects = 200
	changes := testsize.Sizes{Usual: 60, Long: 300, Soak: 2000}.Pick()
	kills := testsize.Sizes{Usual: 1, Long: 3, Soak: 10}.Pick()
	if real() {
		changes = 2000
	}
	for round := range kills {
		p := mirrorProcess(t, c, manifests)
		after := commits(repo, "main")
		if round > 0 {
			// The first commit of this process, if it has anything to do, comes in the burst.
			after++
		}
		killAt := chance.IntN(changes)
		var killed sync.WaitGroup
		burst(t, c, ns, changes, objects, func(n int) {
			if n == killAt {
				killed.Go(func() {
					waitForWork(repo, after)
					_ = p.Process.Kill()
				})
			}
		})
		killed.Wait()
		require.Error(t, p.Wait(), "killed")
	}
	p := mirrorProcess(t, c, manifests, "--once", "--timeout", "2m")
	require.NoError(t, p.Wait(), "%s", p.output)
	require.Equal(t, living(t, c, ns), folder(repo, "main", "f"))
	repo.Fsck()
	repo.Linear("main", repo.Git("rev-list", "--max-parents=0", "main"))
}

// waitForWork waits until the branch has more commits than before, for a little while: the kill is
// to hit a process that pushes, not one that starts.
func waitForWork(repo *gitservertest.Repo, before int) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if commits(repo, "main") > before {
			return
		}
	}
}

// burst changes ConfigMaps at random places: most are created or changed, some deleted. progress is
// told of each change before it begins.
func burst(t *testing.T, c *cluster, ns string, changes, objects int, progress func(int)) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range next {
				if err := change(t.Context(), c, ns, n, objects); err != nil {
					t.Errorf("change %d: %v", n, err)
				}
			}
		})
	}
	for n := range changes {
		progress(n)
		next <- n
	}
	close(next)
	workers.Wait()
	require.False(t, t.Failed())
}
