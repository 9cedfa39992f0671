package gogit

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// fill makes a branch of n files, 200 in a folder, below base.
func fill(t testing.TB, repo *gitservertest.Repo, n int) {
	t.Helper()
	all := make(map[string]gitservertest.File, n)
	for i := range n {
		path := fmt.Sprintf("clusters/c%02d/ns-%03d/obj-%04d.yaml", i/10000, i/200%50, i%200)
		all[path] = gitservertest.File{Content: "content " + strconv.Itoa(i)}
	}
	repo.Commit("main", all, "fill")
	repo.Git("repack", "-adq")
}

func cpu(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The cost of a commit does not grow with the number of files: allocations are what can be
// measured on any machine.
func TestTheCostOfACommitIsFlatInTheNumberOfFiles(t *testing.T) {
	testsize.Sampled(t)
	sizes := []int{400, 10000}
	if s := os.Getenv("GOGIT_FILES"); s != "" {
		sizes = nil
		for _, n := range strings.Fields(s) {
			size, err := strconv.Atoi(n)
			require.NoError(t, err)
			sizes = append(sizes, size)
		}
	}
	var allocated []uint64
	for _, n := range sizes {
		server := gitservertest.NewServer(t, nil)
		repo := server.NewRepo("app")
		fill(t, repo, n)
		idle := heap.Live()
		s, d := newSink(t, nil), target(repo.URL(), "main", "clusters/c00")
		before, start := cpu(t), time.Now()
		apply(t, s, d, put("ns-000/obj-0000.yaml", "first"))
		t.Logf("%d files: first commit %v wall, %v CPU with the server's handler, heap +%.1f MB", n, time.Since(start), cpu(t)-before, float64(heap.Live()-idle)/1e6)
		const rounds = 10
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		total := stats.TotalAlloc
		before, start = cpu(t), time.Now()
		for i := range rounds {
			apply(t, s, d, put("ns-000/obj-0000.yaml", strconv.Itoa(i)))
		}
		runtime.ReadMemStats(&stats)
		t.Logf("%d files: a commit %v wall, %v CPU with the server's handler, heap +%.1f MB", n, time.Since(start)/rounds, (cpu(t)-before)/rounds, float64(heap.Live()-idle)/1e6)
		allocated = append(allocated, (stats.TotalAlloc-total)/rounds)
	}
	t.Logf("bytes allocated a commit, by files %v: %v", sizes, allocated)
	require.Less(t, allocated[1], allocated[0]*3/2)
}
