package gogit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// heldLease is a batch that nobody takes away.
type heldLease struct{ queue.Lease }

func (heldLease) Held(context.Context) bool { return true }

func update(d destination.Destination, name, content string) event.Event {
	return event.Event{
		Destination: d, Operation: event.Update, Content: event.NewContent([]byte(content)),
		Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "ns", Name: name}, Version: "v1", Kind: "ConfigMap"},
	}
}

// meeting is a sink whose first plans wait for each other, so that all of them have seen the same
// tree.
type meeting struct {
	gitsink.GitSink
	all *sync.WaitGroup
}

func (m meeting) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	var first sync.Once
	return m.GitSink.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		commits, err := plan(ctx, base)
		first.Do(func() {
			m.all.Done()
			m.all.Wait()
		})
		return commits, err
	})
}

// race lets two clusters with copied configuration write their first commit to one folder, and
// returns what became of each.
func race(t *testing.T, d destination.Destination, sinks [2]gitsink.GitSink) (faults [2]error) {
	t.Helper()
	var running sync.WaitGroup
	for i, sink := range sinks {
		w, err := gitsink.NewWriter(sink, fmt.Sprint("cluster-", i), nil)
		require.NoError(t, err)
		running.Go(func() {
			name := fmt.Sprint("of-", i)
			faults[i] = w.Handle(t.Context(), queue.Batch{Lease: heldLease{}, Events: []event.Event{update(d, name, name), update(d, "both", name)}})
		})
	}
	running.Wait()
	return faults
}

func TestOfTwoFirstCommitsToAFolderOneOwnsItAndTheOtherWritesNothing(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		for round := range 3 {
			folder := fmt.Sprint("folder", round)
			d := target(url, "main", folder)
			var sinks [2]gitsink.GitSink
			if round == 2 { // one process, whose lane puts both into one push
				s := newSink(t, nil)
				sinks = [2]gitsink.GitSink{s, s}
			} else { // two that have seen the same tree
				all := &sync.WaitGroup{}
				all.Add(2)
				sinks = [2]gitsink.GitSink{meeting{newSink(t, nil), all}, meeting{newSink(t, nil), all}}
			}
			faults := race(t, d, sinks)
			winner := 0
			if faults[0] != nil {
				winner = 1
			}
			require.NoError(t, faults[winner])
			require.ErrorIs(t, faults[1-winner], gitsink.ErrOwned)
			require.ErrorIs(t, faults[1-winner], queue.ErrPermanent)
			require.ErrorContains(t, faults[1-winner], fmt.Sprintf("%s says source %q", gitsink.OwnerFile, fmt.Sprint("cluster-", winner)))
			content := fmt.Sprint("of-", winner)
			got := map[string]string{}
			for path, data := range repo.Tree("main") {
				if below, ok := strings.CutPrefix(path, folder+"/"); ok {
					got[below] = data
				}
			}
			require.Contains(t, got[gitsink.OwnerFile], fmt.Sprint("source: cluster-", winner))
			delete(got, gitsink.OwnerFile)
			require.Equal(t, map[string]string{"ns/configmaps/" + content + ".yaml": content, "ns/configmaps/both.yaml": content}, got)
			require.Len(t, repo.Log("main"), round+1)
		}
	})
}

// A batch of a queue that keeps every event is a commit per change: after a push whose answer was
// lost, its next attempt must not set the file back to the first of them.
func TestABatchOfEveryChangeWhoseAnswerWasLostIsNotWrittenTwice(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	strategies(t, func(t *testing.T, server *gitservertest.Server) {
		repo := server.NewRepo("app")
		repo.Commit("main", files("base/ns/configmaps/x.yaml", "0"), "start")
		s, d := newSink(t, nil), target(repo.URL(), "main", "base")
		w, err := gitsink.NewWriter(s, "cluster", &gitsink.WriterOptions{CommitPer: gitsink.PerEvent})
		require.NoError(t, err)
		// The first changes nothing now, but would once the others have landed. The first commit
		// makes the folder ours.
		batch := queue.Batch{Lease: heldLease{}, Events: []event.Event{update(d, "x", "0"), update(d, "x", "A"), update(d, "x", "B")}}
		apply(t, s, d, nothing)
		lose(server)
		err = w.Handle(t.Context(), batch)
		require.ErrorIs(t, err, gitsink.ErrUnknown)
		require.NotErrorIs(t, err, queue.ErrPermanent)
		require.Len(t, repo.Log("main"), 3, "it has landed")
		server.Intercept(nil)
		repo.Commit("main", files("elsewhere", "1"), "outside")
		batch.Events = append(batch.Events, update(d, "y", "1"))
		require.NoError(t, w.Handle(t.Context(), batch))
		require.Len(t, repo.Log("main"), 5)
		require.Equal(t, "B", repo.Tree("main")["base/ns/configmaps/x.yaml"])
		require.Equal(t, "1", repo.Tree("main")["base/ns/configmaps/y.yaml"])
	})
}

func TestTheBeginningOfAPlanThatHasLandedIsFoundAmongWhatWas(t *testing.T) {
	t.Parallel()
	plan := func(names string) (commits []gitsink.Commit) {
		for _, name := range names {
			commits = append(commits, gitsink.Commit{Message: string(name)})
		}
		return commits
	}
	for _, c := range []struct {
		plan, found string
		want        int
	}{
		{"ABC", "", 0}, {"", "AB", 0}, {"ABC", "AB", 2}, {"ABC", "ABC", 3}, {"ABC", "X", 0},
		// Once is enough.
		{"ABAC", "BAC", 4}, {"ABA", "BA", 3}, {"ABABX", "AB", 2}, {"ABXB", "AB", 2},
		{"ABC", "XYAB", 2}, {"AABB", "AB", 3},
	} {
		var known []landedCommit
		for _, commit := range plan(c.found) {
			known = append(known, landedCommit{digest: digestOf(commit)})
		}
		require.Equal(t, c.want, countLanded(plan(c.plan), known), "%s in %s", c.found, c.plan)
	}
}

func TestALaneThatIsInDoubtIsForgottenLast(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo, others := server.NewRepo("app"), server.NewRepo("others")
	s, d := newSink(t, &Options{CacheBytes: 2 * (laneOverhead + 4096)}), target(repo.URL(), "main", "")
	apply(t, s, d, put("x", "0"))
	lose(server)
	_ = refuse(t, s, d, history("x", "A", "B"), gitsink.ErrUnknown)
	server.Intercept(nil)
	for i := range 4 {
		apply(t, s, target(others.URL(), fmt.Sprint("branch", i), ""), put("a", "1"))
	}
	s.workers.Wait()
	require.Len(t, s.lanes.all, 2)
	apply(t, s, d, history("x", "A", "B", "C"))
	require.Equal(t, []string{"put", "x 0", "x 1", "x 2"}, subjects(repo, "main"))
}
