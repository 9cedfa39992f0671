package sinkproof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// The hooks in which git receive-pack is killed. Not while it holds the lock of a reference: that
// would stay behind, and no push would ever succeed again.
const (
	preReceive  = "pre-receive"           // the objects are not in the repository yet
	update      = "update"                // they are, and the branch has not moved
	transaction = "reference-transaction" // the branch has moved
	postReceive = "post-receive"          // likewise, and nothing is left to do but to answer
	spared      = "spared"                // a push that goes well
)

// schedule is a folder with a file for each push to come, in their order, named by the hook in
// which its server dies.
type schedule struct{ dir string }

// plot writes a schedule with this many kills and installs the hooks that follow it.
func plot(t *testing.T, s site, chance *rand.Rand, kills int) schedule {
	t.Helper()
	sc := schedule{t.TempDir()}
	hooks := []string{preReceive, update, transaction, postReceive}
	victims := map[string]int{}
	var entries []string
	for range kills {
		for range chance.IntN(3) {
			entries = append(entries, spared)
		}
		hook := hooks[chance.IntN(len(hooks))]
		victims[hook]++
		entries = append(entries, hook)
	}
	for i, entry := range entries {
		require.NoError(t, os.WriteFile(filepath.Join(sc.dir, fmt.Sprintf("%04d.%s", i, entry)), nil, 0o600))
	}
	for _, hook := range hooks {
		s.repo.Hook(hook, sc.script(hook))
	}
	t.Logf("to be killed: %v", victims)
	return sc
}

// script takes the first entry of the schedule if it is this hook's. Pushes come at the same time,
// so whoever removes the file has it.
func (sc schedule) script(hook string) string {
	lines := []string{
		"cd '" + sc.dir + "' || exit 1",
		"next=$(ls | head -n 1)",
	}
	switch hook {
	case preReceive:
		lines = append(lines, `case $next in *.`+spared+`) rm "$next" 2>/dev/null; exit 0;; esac`)
	case transaction:
		lines = append(lines, `[ "$1" = committed ] || exit 0`)
	}
	lines = append(lines, `case $next in *.`+hook+`) rm "$next" 2>/dev/null && kill -9 $PPID;; esac`, "exit 0")
	return strings.Join(lines, "\n")
}

// left reports whether some of the schedule has yet to happen.
func (sc schedule) left() (bool, error) {
	entries, err := os.ReadDir(sc.dir)
	return len(entries) > 0, err
}

func TestKilledServerLosesNothing(t *testing.T) {
	const sinks, goroutines = 2, 2
	kills := testsize.Sizes{Usual: 2, Long: 5, Soak: 50}.Pick()
	eachProtocol(t, func(t *testing.T, s site) {
		sc := plot(t, s, testsize.Chance(t), kills)
		var running sync.WaitGroup
		var mu sync.Mutex // guards what follows
		var sum tally
		rounds := map[writer]int{}
		for p := range sinks {
			sink := s.access.sink()
			defer func() { require.NoError(t, sink.Close()) }()
			for g := range goroutines {
				running.Go(func() {
					w := writer{p, g}
					round, spent, err := sc.outlive(t.Context(), sink, w, s.access.URL)
					if err != nil {
						t.Errorf("%s: %v", w.message(round), err)
					}
					mu.Lock()
					defer mu.Unlock()
					sum.add(spent)
					rounds[w] = round
				})
			}
		}
		running.Wait()
		t.Logf("%d commits on the branch: %+v", len(s.repo.Log("main"))-1, sum)
		requireWritten(t, s, rounds)
	})
}

// outlive writes rounds until the schedule has come to its end, and returns the last.
func (sc schedule) outlive(ctx context.Context, s gitsink.GitSink, w writer, url string) (round int, sum tally, err error) {
	for left := true; left && err == nil; {
		round++
		var spent tally
		spent, err = persist(ctx, s, w.destination(url), w.plan(round))
		sum.add(spent)
		if err == nil {
			left, err = sc.left()
		}
	}
	return round, sum, err
}
