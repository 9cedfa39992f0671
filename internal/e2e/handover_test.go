package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// stage is where an old leader is held up while the next one takes over.
type stage int

const (
	beforePlan stage = iota
	afterPlan        // the plan has run, and has found itself to be the leader's
	beforePush       // the push is on its way
	afterPush        // the branch has it, but its answer is on its way
	stages
)

func (s stage) String() string {
	return [...]string{"before its plan", "after its plan", "before its push", "after its push"}[s]
}

// trap holds up the first that comes to its stage.
type trap struct {
	at      stage
	taken   atomic.Bool
	reached chan struct{}
	release chan struct{}
}

func newTrap(at stage) *trap {
	return &trap{at: at, reached: make(chan struct{}), release: make(chan struct{})}
}

// springs reports whether this is the first one that comes to the trap.
func (t *trap) springs(at stage) bool {
	if t == nil || t.at != at || !t.taken.CompareAndSwap(false, true) {
		return false
	}
	close(t.reached)
	return true
}

func (t *trap) pass(at stage) {
	if t.springs(at) {
		<-t.release
	}
}

// trapped is a sink whose plans meet a trap.
type trapped struct {
	gitsink.GitSink
	trap atomic.Pointer[trap]
}

func (s *trapped) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	return s.GitSink.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		s.trap.Load().pass(beforePlan)
		commits, err := plan(ctx, base)
		if len(commits) > 0 {
			s.trap.Load().pass(afterPlan)
		}
		return commits, err
	})
}

// candidate is a Mirror that writes while the lease names it.
type candidate struct {
	*mirror
	sink *trapped
}

// handover is a cluster with a lease.
type handover struct {
	t      *testing.T
	c      *cluster
	chance *rand.Rand
	git    *gitservertest.Server
	repo   *gitservertest.Repo
	rules  kubescribe.Rules
	ns     string
	holder atomic.Int64 // of the lease
	last   int64        // candidate
	values int
}

func (h *handover) candidate() *candidate {
	h.t.Helper()
	h.last++
	me := h.last
	opts := options(h.t)
	sink := &trapped{GitSink: gogit.New(&gogit.Options{RateLimit: opts.Git.RateLimit})}
	opts.GitSink = sink
	opts.DrainTimeout = time.Second
	// A push of the old leader may come in behind the seed of the next one.
	opts.Handover = 500 * time.Millisecond
	opts.StillLeader = func(context.Context) bool { return h.holder.Load() == me }
	h.holder.Store(me)
	return &candidate{start(h.c, h.rules, opts), sink}
}

// churn changes some ConfigMaps. No value is ever used again.
func (h *handover) churn(n int) {
	h.t.Helper()
	for range n {
		name := fmt.Sprintf("cm-%d", h.chance.IntN(8))
		if h.chance.IntN(4) == 0 {
			if err := h.c.remove(h.t.Context(), h.ns, name); ignoreGone(err) != nil {
				require.NoError(h.t, err)
			}
			continue
		}
		h.mark(name)
	}
}

func (h *handover) mark(name string) {
	h.t.Helper()
	h.values++
	h.c.configMap(h.ns, name, fmt.Sprintf("v%d", h.values))
}

// TestAnOldLeaderThatStillPushesBringsNothingBack has leaders follow each other while the old one
// is in the middle of writing, does not know that it has lost the lease, and comes through at some
// time later.
func TestAnOldLeaderThatStillPushesBringsNothingBack(t *testing.T) {
	inParallel(t)
	h := &handover{t: t, c: sharedCluster(t), chance: testsize.Chance(t), git: gitservertest.NewServer(t, nil)}
	h.ns, h.repo = h.c.namespace(), h.git.NewRepo("handover.git")
	h.rules = load(t, oneDestination, "NS", h.ns, "REPO", h.repo.URL(), "DEST", "dest", "FOLDER", "f")
	h.mark("marker")
	old := h.candidate()
	old.synced()
	first := h.repo.Git("rev-list", "--max-parents=0", "main")
	for round := range (testsize.Sizes{Usual: int(stages), Long: 8, Soak: 60}).Pick() {
		old = h.round(old, stage(round)%stages)
		h.repo.Linear("main", first)
		h.onlyNewer()
	}
	old.stop()
	require.NoError(t, old.sink.Close())
	h.repo.Fsck()
}

// hold sets a trap for a candidate.
func (h *handover) hold(old *candidate, at stage) *trap {
	trap := newTrap(at)
	old.sink.trap.Store(trap)
	h.git.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service != gitservertest.ReceivePack || r.Phase != gitservertest.RPC {
			return gitservertest.Fault{}
		}
		switch {
		case trap.springs(beforePush):
			return gitservertest.Fault{Hold: trap.release}
		case trap.springs(afterPush):
			return gitservertest.Fault{HoldReply: trap.release}
		}
		return gitservertest.Fault{}
	})
	return trap
}

// round hands the lease over from a candidate that is held up at a stage, and returns the next one.
func (h *handover) round(old *candidate, at stage) *candidate {
	trap := h.hold(old, at)
	h.churn(5)
	h.mark("marker") // so that there is something to write in any case
	select {
	case <-trap.reached:
	case <-time.After(patience):
		require.FailNow(h.t, "the old leader does not come", "%s", at)
	}
	h.churn(h.chance.IntN(6))
	next := h.candidate() // takes the lease, and leaves the old leader running
	var releasing sync.WaitGroup
	delay := time.Duration(h.chance.IntN(800)) * time.Millisecond
	releasing.Go(func() {
		time.Sleep(delay) // the old leader comes through at any time
		close(trap.release)
	})
	for range 4 {
		h.churn(h.chance.IntN(4))
		time.Sleep(time.Duration(h.chance.IntN(200)) * time.Millisecond)
	}
	releasing.Wait()
	old.cancel()
	if err := <-old.ended; err != nil {
		h.t.Logf("the old leader left: %v", err)
	}
	require.NoError(h.t, old.sink.Close())
	h.git.Intercept(nil)
	next.synced()
	want := living(h.t, h.c, h.ns)
	becomes(h.t, h.repo, "main", "f", want)
	h.t.Logf("held up %s, came through after %v: %d commits", at, delay, commits(h.repo, "main"))
	return next
}

// The push of an old leader comes in behind the seed of the next one, which had nothing to write:
// the object is by now what the branch held before.
func TestAPushOfTheOldLeaderBehindASeedThatWroteNothingIsFound(t *testing.T) {
	inParallel(t)
	h := &handover{t: t, c: sharedCluster(t), git: gitservertest.NewServer(t, nil)}
	h.ns, h.repo = h.c.namespace(), h.git.NewRepo("behind.git")
	h.rules = load(t, oneDestination, "NS", h.ns, "REPO", h.repo.URL(), "DEST", "dest", "FOLDER", "f")
	h.c.configMap(h.ns, "a", "one")
	old := h.candidate()
	old.synced()
	trap := h.hold(old, beforePush)
	h.c.configMap(h.ns, "a", "two")
	<-trap.reached
	h.c.configMap(h.ns, "a", "one")
	tip, _ := h.repo.Tip("main")
	next := h.candidate()
	next.synced()
	now, _ := h.repo.Tip("main")
	require.Equal(t, tip, now, "the seed had nothing to write")
	close(trap.release)
	eventually(t, func() bool { now, _ := h.repo.Tip("main"); return now != tip }, func() string { return "the old push does not come in" })
	becomes(t, h.repo, "main", "f", configMapFiles(h.ns, "a", "one"))
	old.cancel()
	if err := <-old.ended; err != nil {
		t.Logf("the old leader left: %v", err)
	}
	require.NoError(t, old.sink.Close())
	next.stop()
	require.NoError(t, next.sink.Close())
}

// onlyNewer checks in the whole history of the branch that each file's value is newer than the ones
// before.
func (h *handover) onlyNewer() {
	h.t.Helper()
	newest := map[string]int{}
	var path string
	for line := range strings.Lines(h.repo.Git("log", "--reverse", "--format=", "--patch", "--unified=0", "--no-renames", "main")) {
		if rest, ok := strings.CutPrefix(line, "+++ "); ok {
			path = strings.TrimSpace(rest)
			continue
		}
		rest, ok := strings.CutPrefix(line, "+  value: v")
		if !ok {
			continue
		}
		var value int
		_, err := fmt.Sscan(rest, &value)
		require.NoError(h.t, err)
		require.Greater(h.t, value, newest[path], "%s went back", path)
		newest[path] = value
	}
	require.NotEmpty(h.t, newest)
}
