package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// recorder is a MeterProvider that remembers what is measured, by name and attributes, and like an
// SDK holds a lock of its own while it collects.
type recorder struct {
	noop.MeterProvider
	mu        sync.Mutex
	units     map[string]string
	values    map[string][]float64
	callbacks map[*registration]metric.Callback
	refuse    bool // instruments and callbacks cannot be made
}

func newRecorder() *recorder {
	return &recorder{units: map[string]string{}, values: map[string][]float64{}, callbacks: map[*registration]metric.Callback{}}
}

func (r *recorder) Meter(string, ...metric.MeterOption) metric.Meter { return meter{r: r} }

func (r *recorder) record(name string, v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[name] = append(r.values[name], v)
}

// read returns the values of the callbacks by name.
func (r *recorder) read(t *testing.T) map[string]float64 {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	o := observer{values: map[string]float64{}}
	for _, f := range r.callbacks {
		require.NoError(t, f(t.Context(), o))
	}
	return o.values
}

func (r *recorder) sum(name string) (n int, sum float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.values[name] {
		sum += v
	}
	return len(r.values[name]), sum
}

type observer struct {
	noop.Observer
	values map[string]float64
}

func (o observer) ObserveInt64(i metric.Int64Observable, v int64, _ ...metric.ObserveOption) {
	o.values[fmt.Sprint(i)] = float64(v)
}

func (o observer) ObserveFloat64(i metric.Float64Observable, v float64, _ ...metric.ObserveOption) {
	o.values[fmt.Sprint(i)] = v
}

type registration struct {
	noop.Registration
	r *recorder
}

func (r *registration) Unregister() error {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	delete(r.r.callbacks, r)
	return nil
}

type meter struct {
	noop.Meter
	r *recorder
}

var errRefused = errors.New("no such instrument")

func (m meter) made(name, unit string) error {
	m.r.units[name] = unit
	if m.r.refuse {
		return errRefused
	}
	return nil
}

type int64Histogram struct {
	noop.Int64Histogram
	r    *recorder
	name string
}

func (i int64Histogram) Record(_ context.Context, v int64, _ ...metric.RecordOption) {
	i.r.record(i.name, float64(v))
}

type float64Histogram struct {
	noop.Float64Histogram
	r    *recorder
	name string
}

func (i float64Histogram) Record(_ context.Context, v float64, opts ...metric.RecordOption) {
	attributes := metric.NewRecordConfig(opts).Attributes()
	if outcome, ok := attributes.Value("outcome"); ok {
		i.r.record(i.name+"/"+outcome.AsString(), v)
		return
	}
	i.r.record(i.name, v)
}

type upDownCounter struct {
	noop.Int64UpDownCounter
	r    *recorder
	name string
}

func (i upDownCounter) Add(_ context.Context, v int64, _ ...metric.AddOption) {
	i.r.record(i.name, float64(v))
}

type observableCounter struct {
	noop.Int64ObservableCounter
	name string
}

type observableLevel struct {
	noop.Int64ObservableUpDownCounter
	name string
}

type observableGauge struct {
	noop.Float64ObservableGauge
	name string
}

func (o observableCounter) String() string { return o.name }
func (o observableLevel) String() string   { return o.name }
func (o observableGauge) String() string   { return o.name }

func (m meter) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	return int64Histogram{r: m.r, name: name}, m.made(name, metric.NewInt64HistogramConfig(opts...).Unit())
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return float64Histogram{r: m.r, name: name}, m.made(name, metric.NewFloat64HistogramConfig(opts...).Unit())
}

func (m meter) Int64UpDownCounter(name string, opts ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	return upDownCounter{r: m.r, name: name}, m.made(name, metric.NewInt64UpDownCounterConfig(opts...).Unit())
}

func (m meter) Int64ObservableCounter(name string, opts ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return observableCounter{name: name}, m.made(name, metric.NewInt64ObservableCounterConfig(opts...).Unit())
}

func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return observableLevel{name: name}, m.made(name, metric.NewInt64ObservableUpDownCounterConfig(opts...).Unit())
}

func (m meter) Float64ObservableGauge(name string, opts ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return observableGauge{name: name}, m.made(name, metric.NewFloat64ObservableGaugeConfig(opts...).Unit())
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	if m.r.refuse {
		return nil, errRefused
	}
	reg := &registration{r: m.r}
	m.r.callbacks[reg] = f
	return reg, nil
}

func TestMetricsTellWhatBecameOfEventsAndWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRecorder()
		q := NewSharded(&Options{MeterProvider: r, MaxEventsPerKey: 2})
		add(t, q, write(prod, "a", "1"), write(prod, "a", "2"), write(prod, "b", "1"), write(dev, "a", "12345"))
		require.ErrorIs(t, q.TryAdd(write(prod, "c", "1")), ErrFull)
		require.NoError(t, q.Forget(t.Context(), dev))
		b := next(t, q)
		add(t, q, write(dev, "a", "123"))
		time.Sleep(3 * time.Second)
		require.NoError(t, b.Retry(t.Context(), errPush, b.Events[0]))
		got := r.read(t)
		require.Equal(t, map[string]float64{
			"kubescribe.queue.added": 5, "kubescribe.queue.coalesced": 1, "kubescribe.queue.done": 1, "kubescribe.queue.forgotten": 1,
			"kubescribe.queue.retried": 1, "kubescribe.queue.refused": 1, "kubescribe.queue.waiting": 2, "kubescribe.queue.in_hand": 0,
			"kubescribe.queue.size": 4, "kubescribe.queue.lines": 2, "kubescribe.queue.parked": 1, "kubescribe.queue.oldest": 3,
		}, got)
		for range 2 {
			done(t, next(t, q))
		}
		batches, events := r.sum("kubescribe.queue.batch.events")
		require.Equal(t, []float64{3, 4}, []float64{float64(batches), events})
		_, bytes := r.sum("kubescribe.queue.batch.bytes")
		require.Equal(t, 6.0, bytes)
		_, waited := r.sum("kubescribe.queue.batch.wait")
		require.Greater(t, waited, 3.0)
		require.NoError(t, q.Shutdown(t.Context()))
		require.Empty(t, r.callbacks, "the provider lets go of the queue")
		drained(t, q)
	})
}

func TestMetricsTellHowHandlersEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRecorder()
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
		_, running := r.sum("kubescribe.queue.handler.running")
		_, waiting := r.sum("kubescribe.queue.handler.waiting")
		require.Equal(t, []float64{4, 2}, []float64{running, waiting})
		time.Sleep(time.Minute)
		for name := range outcomes {
			n, took := r.sum("kubescribe.queue.handler.duration/" + name)
			require.Equal(t, []float64{1, 1}, []float64{float64(n), took}, name)
		}
		_, running = r.sum("kubescribe.queue.handler.running")
		require.Zero(t, running)
		for _, d := range []string{"failed", "permanent", "panicked", "partial"} {
			require.NoError(t, q.Forget(t.Context(), dst("repo", d)))
		}
		stop()
		require.NoError(t, <-result)
	})
}

func TestEveryMetricIsInThePackageDocumentationWithItsUnit(t *testing.T) {
	r := newRecorder()
	NewSharded(&Options{MeterProvider: r})
	NewRunner(NewSharded(nil), nil, &RunOptions{MeterProvider: r})
	docs, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Len(t, r.units, 18)
	for name, unit := range r.units {
		listed := false
		for line := range strings.Lines(string(docs)) {
			words := strings.Fields(line)
			listed = listed || len(words) > 3 && words[1] == strings.TrimPrefix(name, "kubescribe.queue.") && words[2] == unit
		}
		require.True(t, listed, "%s in %s", name, unit)
	}
}

func TestAQueueWorksWithoutTheMetricsThatCouldNotBeMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var logged strings.Builder
		log := funcr.New(func(_, args string) { logged.WriteString(args + "\n") }, funcr.Options{})
		r := newRecorder()
		r.refuse = true
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
