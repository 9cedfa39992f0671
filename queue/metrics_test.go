package queue

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/meter/metertest"
)

// read returns what a Recorder reads of a queue, by name.
func read(t *testing.T, r *metertest.Recorder) map[string]float64 {
	t.Helper()
	require.NoError(t, r.Collect(t.Context()))
	values := map[string]float64{}
	for name, i := range r.Instruments() {
		if i.Kind != metertest.Histogram {
			values[name] = i.Values[""]
		}
	}
	return values
}

func TestMetricsTellWhatBecameOfEventsAndWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := metertest.New()
		q := NewSharded(&Options{MeterProvider: r, MaxEventsPerKey: 2})
		add(t, q, write(prod, "a", "1"), write(prod, "a", "2"), write(prod, "b", "1"), write(dev, "a", "12345"))
		require.ErrorIs(t, q.TryAdd(write(prod, "c", "1")), ErrFull)
		require.NoError(t, q.Forget(t.Context(), dev))
		b := next(t, q)
		add(t, q, write(dev, "a", "123"))
		time.Sleep(3 * time.Second)
		require.NoError(t, b.Retry(t.Context(), errPush, b.Events[0]))
		got := read(t, r)
		require.Equal(t, map[string]float64{
			"kubescribe.queue.added": 5, "kubescribe.queue.coalesced": 1, "kubescribe.queue.done": 1, "kubescribe.queue.forgotten": 1,
			"kubescribe.queue.retried": 1, "kubescribe.queue.refused": 1, "kubescribe.queue.waiting": 2, "kubescribe.queue.in_hand": 0,
			"kubescribe.queue.size": 4, "kubescribe.queue.lines": 2, "kubescribe.queue.parked": 1, "kubescribe.queue.oldest": 3,
		}, got)
		for range 2 {
			done(t, next(t, q))
		}
		batches, events := r.Count("kubescribe.queue.batch.events", ""), r.Value("kubescribe.queue.batch.events", "")
		require.Equal(t, []float64{3, 4}, []float64{float64(batches), events})
		require.Equal(t, 6.0, r.Value("kubescribe.queue.batch.bytes", ""))
		require.Greater(t, r.Value("kubescribe.queue.batch.wait", ""), 3.0)
		require.NoError(t, q.Shutdown(t.Context()))
		require.Zero(t, r.Registered(), "the provider lets go of the queue")
		drained(t, q)
	})
}

func TestMetricsTellHowHandlersEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := metertest.New()
		q := NewSharded(&Options{MinBackoff: time.Hour, MaxBackoff: time.Hour})
		outcomes := map[string]func(b Batch) error{
			"done":      func(Batch) error { return nil },
			"failed":    func(Batch) error { return errPush },
			"permanent": func(Batch) error { return fmt.Errorf("refused: %w", ErrPermanent) },
			"panicked":  func(Batch) error { panic("oops") },
			"partial":   func(b Batch) error { return &PartialError{b.Events, errPush} },
			"lease_lost": func(b Batch) error {
				_ = b.Done(context.Background())
				return ErrLeaseLost
			},
		}
		for name := range outcomes {
			add(t, q, write(dst("repo", name), "a", "1"))
		}
		stop, result := start(t, q, func(_ context.Context, b Batch) error {
			time.Sleep(time.Second)
			return outcomes[b.Events[0].Destination.Ref.Name](b)
		}, &RunOptions{MeterProvider: r, MaxPerGroup: 4})
		time.Sleep(1500 * time.Millisecond)
		running, waiting := r.Value("kubescribe.queue.handler.running", ""), r.Value("kubescribe.queue.handler.waiting", "")
		require.Equal(t, []float64{4, 2}, []float64{running, waiting})
		time.Sleep(time.Minute)
		for name := range outcomes {
			n, took := r.Count("kubescribe.queue.handler.duration", "outcome="+name), r.Value("kubescribe.queue.handler.duration", "outcome="+name)
			require.Equal(t, []float64{1, 1}, []float64{float64(n), took}, name)
		}
		require.Zero(t, r.Value("kubescribe.queue.handler.running", ""))
		for _, d := range []string{"failed", "permanent", "panicked", "partial"} {
			require.NoError(t, q.Forget(t.Context(), dst("repo", d)))
		}
		stop()
		require.NoError(t, <-result)
	})
}

func TestEveryMetricIsInThePackageDocumentationWithItsUnit(t *testing.T) {
	r := metertest.New()
	NewSharded(&Options{MeterProvider: r})
	NewRunner(NewSharded(nil), nil, &RunOptions{MeterProvider: r})
	docs, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Len(t, r.Instruments(), 18)
	page, err := os.ReadFile("../docs/monitoring/metrics.md")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{outcomeDone, outcomePartial, outcomeFailed, outcomePermanent, outcomePanicked, outcomeLost},
		metertest.Documented(string(page))["kubescribe.queue.handler.duration outcome"])
	for name, made := range r.Instruments() {
		listed := false
		for line := range strings.Lines(string(docs)) {
			words := strings.Fields(line)
			listed = listed || len(words) > 3 && words[1] == strings.TrimPrefix(name, "kubescribe.queue.") && words[2] == made.Unit
		}
		require.True(t, listed, "%s in %s", name, made.Unit)
	}
}

func TestAQueueWorksWithoutTheMetricsThatCouldNotBeMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var logged strings.Builder
		log := funcr.New(func(_, args string) { logged.WriteString(args + "\n") }, funcr.Options{})
		r := metertest.New()
		r.Refuse = true
		q := NewSharded(&Options{MeterProvider: r, Logger: log})
		add(t, q, write(prod, "a", "1"))
		stop, result := start(t, q, func(context.Context, Batch) error { return nil }, &RunOptions{MeterProvider: r, Logger: log})
		stop()
		require.NoError(t, <-result)
		require.Equal(t, 2, strings.Count(logged.String(), "Some metrics are missing"))
	})
}

func TestASnapshotDescribesEveryLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Key: ByRepository})
		start := time.Now()
		add(t, q, write(prod, "a", "1"))
		time.Sleep(300 * time.Millisecond)
		add(t, q, write(dev, "a", "12"), write(dst("other", "d"), "a", "1"))
		retry(t, next(t, q), errPush)
		all := q.Snapshot()
		require.Len(t, all, 3)
		for d, s := range all {
			line, ok := q.Line(d)
			require.True(t, ok)
			require.Equal(t, line, s)
		}
		require.True(t, start.Equal(all[prod].Oldest))
		require.Equal(t, 300*time.Millisecond, all[dev].Oldest.Sub(start))
		require.Equal(t, time.Since(start), q.oldest())
	})
}
