package gogit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/meter/metertest"
)

func TestMetricsTellWhatWasPushedAndWhatItCost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		r := metertest.New()
		s := New(&Options{MeterProvider: r, RateLimit: unpaced, AllowedLocalFolders: []string{os.TempDir()}})
		read := func(name, attributes string) float64 {
			require.NoError(t, r.Collect(t.Context()))
			return r.Value("kubescribe.git."+name, attributes)
		}
		d := target(url, "main", "base")
		apply(t, s, d, put("a", "1", "b", "1"))
		apply(t, s, d, commits(gitsink.Commit{Message: "one", Changes: removals("a")}, gitsink.Commit{Message: "two", Changes: writes("b", "2")}))
		apply(t, s, d, nothing)
		require.Equal(t, 3.0, read("commits", ""))
		require.Equal(t, []float64{3, 1}, []float64{read("files", "change=write"), read("files", "change=remove")})
		require.Equal(t, 2, r.Count("kubescribe.git.push.duration", "outcome=ok"))
		require.GreaterOrEqual(t, read("requests", "service=git-receive-pack"), 5.0)
		require.Positive(t, read("sent", ""))
		require.Positive(t, read("received", ""))
		require.Zero(t, read("conflicts", ""))

		outside := false
		apply(t, s, d, func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			if !outside {
				outside = true
				repo.Commit("main", files("base/c", "1"), "outside")
			}
			return counting("mine")(ctx, tree)
		})
		require.Equal(t, 1.0, read("conflicts", ""))
		require.Equal(t, 1, r.Count("kubescribe.git.push.duration", "outcome="+gitsink.ReasonBranchMoving))

		repo.Hook("pre-receive", "echo no; exit 1")
		_ = refuse(t, s, d, put("d", "1"), gitsink.ErrRejected)
		require.Equal(t, 1, r.Count("kubescribe.git.push.duration", "outcome="+gitsink.ReasonPushRejected))
		require.Equal(t, 4.0, read("commits", ""))
		require.NoError(t, s.Close())
		require.Zero(t, r.Registered(), "the provider lets go of the Sink")
	})
}

func TestMetricsTellHowLongAPushHasWaitedForItsTurn(t *testing.T) {
	t.Parallel()
	r, repo := metertest.New(), gitservertest.NewServer(t, nil).NewRepo("app")
	rate := func(destination.Destination) RateLimit { return RateLimit{Interval: time.Second, Burst: 1} }
	s := newSink(t, &Options{MeterProvider: r, RateLimit: rate})
	var running sync.WaitGroup
	for _, branch := range []string{"one", "two"} {
		running.Go(func() { apply(t, s, target(repo.URL(), branch, ""), put("a", "1")) })
	}
	running.Wait()
	require.Equal(t, 1, r.Count("kubescribe.git.ratelimit.wait", ""), "the first need not wait")
	require.Positive(t, r.Value("kubescribe.git.ratelimit.wait", ""))
}

func TestASinkWithoutAMeterProviderMeasuresNothing(t *testing.T) {
	s := newSink(t, nil)
	require.Nil(t, s.meters)
	require.Nil(t, s.meters.counters())
	ch := &pushStack{}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.meters.pushed(t.Context(), time.Second, ch)
		s.meters.moved()
		s.meters.rested(t.Context(), time.Second)
	}))
}

func TestEveryReasonIsAnOutcomeOfAPush(t *testing.T) {
	m := newMeters(&Options{MeterProvider: noop.NewMeterProvider()})
	for _, reason := range gitsink.Reasons() {
		require.NotEmpty(t, m.outcomes.Of(reason), reason)
	}
	require.Contains(t, gitsink.Reasons(), gitsink.Reason(errors.New("any other")))
	page, err := os.ReadFile("../../docs/monitoring/metrics.md")
	require.NoError(t, err)
	documented := metertest.Documented(string(page))["kubescribe.git.push.duration outcome"]
	require.ElementsMatch(t, append(gitsink.Reasons(), outcomeOK), documented)
}

// What a push of a hundred files costs in metrics.
func BenchmarkMetricsOfAPush(b *testing.B) {
	m := newMeters(&Options{MeterProvider: noop.NewMeterProvider()})
	var changes []gitsink.Change
	for i := range 100 {
		changes = append(changes, gitsink.Change{Path: fmt.Sprint(i)})
	}
	ch := &pushStack{parts: []stackPart{{commits: []builtCommit{{from: gitsink.Commit{Changes: changes}}}}}}
	b.ReportAllocs()
	for b.Loop() {
		m.pushed(b.Context(), time.Second, ch)
	}
}
