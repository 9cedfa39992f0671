package kubescribe_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// provider notes which histograms are made, and how often each is written to.
type provider struct {
	noop.MeterProvider
	mu      sync.Mutex
	records map[string]int
}

type meterOf struct {
	noop.Meter
	p *provider
}

type histogramOf struct {
	noop.Float64Histogram
	p    *provider
	name string
}

func (h histogramOf) Record(context.Context, float64, ...metric.RecordOption) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.records[h.name]++
}

func (m meterOf) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return histogramOf{p: m.p, name: name}, nil
}

func (p *provider) Meter(string, ...metric.MeterOption) metric.Meter { return meterOf{p: p} }

func TestTheMeterProviderGetsTheMetricsOfTheQueueAndItsHandlers(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	p := &provider{records: map[string]int{}}
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{MeterProvider: p}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	require.Positive(t, p.records["kubescribe.queue.batch.wait"])
	require.Positive(t, p.records["kubescribe.queue.handler.duration"])
}
