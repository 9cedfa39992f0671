package metertest

import (
	"context"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// meter makes the kinds of instruments that the library has. Any other measures nothing.
type meter struct {
	noop.Meter
	r *Recorder
}

type held struct{ *Instrument }

func (h held) instrument() *Instrument { return h.Instrument }

func instrumentOf(i any) *Instrument { return i.(interface{ instrument() *Instrument }).instrument() }

type int64Histogram struct {
	noop.Int64Histogram
	held
	r *Recorder
}

// Record implements metric.Int64Histogram.
func (i int64Histogram) Record(_ context.Context, v int64, opts ...metric.RecordOption) {
	i.r.record(i.Instrument, float64(v), metric.NewRecordConfig(opts).Attributes())
}

type float64Histogram struct {
	noop.Float64Histogram
	held
	r *Recorder
}

// Record implements metric.Float64Histogram.
func (i float64Histogram) Record(_ context.Context, v float64, opts ...metric.RecordOption) {
	i.r.record(i.Instrument, v, metric.NewRecordConfig(opts).Attributes())
}

type upDownCounter struct {
	noop.Int64UpDownCounter
	held
	r *Recorder
}

// Add implements metric.Int64UpDownCounter.
func (i upDownCounter) Add(_ context.Context, v int64, opts ...metric.AddOption) {
	i.r.record(i.Instrument, float64(v), metric.NewAddConfig(opts).Attributes())
}

type observableCounter struct {
	noop.Int64ObservableCounter
	held
}

type observableLevel struct {
	noop.Int64ObservableUpDownCounter
	held
}

type observableGauge struct {
	noop.Int64ObservableGauge
	held
}

type observableFloat struct {
	noop.Float64ObservableGauge
	held
}

func (m meter) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	c := metric.NewInt64HistogramConfig(opts...)
	i, err := m.r.made(name, Histogram, c.Unit(), c.Description())
	return int64Histogram{held: held{i}, r: m.r}, err
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	c := metric.NewFloat64HistogramConfig(opts...)
	i, err := m.r.made(name, Histogram, c.Unit(), c.Description())
	return float64Histogram{held: held{i}, r: m.r}, err
}

func (m meter) Int64UpDownCounter(name string, opts ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	c := metric.NewInt64UpDownCounterConfig(opts...)
	i, err := m.r.made(name, Level, c.Unit(), c.Description())
	return upDownCounter{held: held{i}, r: m.r}, err
}

func (m meter) Int64ObservableCounter(name string, opts ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	c := metric.NewInt64ObservableCounterConfig(opts...)
	i, err := m.r.made(name, Counter, c.Unit(), c.Description())
	return observableCounter{held: held{i}}, err
}

func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	c := metric.NewInt64ObservableUpDownCounterConfig(opts...)
	i, err := m.r.made(name, Level, c.Unit(), c.Description())
	return observableLevel{held: held{i}}, err
}

func (m meter) Int64ObservableGauge(name string, opts ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	c := metric.NewInt64ObservableGaugeConfig(opts...)
	i, err := m.r.made(name, Gauge, c.Unit(), c.Description())
	return observableGauge{held: held{i}}, err
}

func (m meter) Float64ObservableGauge(name string, opts ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	c := metric.NewFloat64ObservableGaugeConfig(opts...)
	i, err := m.r.made(name, Gauge, c.Unit(), c.Description())
	return observableFloat{held: held{i}}, err
}

type registration struct {
	noop.Registration
	r  *Recorder
	of []metric.Observable
}

// Unregister implements metric.Registration.
func (r *registration) Unregister() error {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	delete(r.r.callbacks, r)
	return nil
}

func (m meter) RegisterCallback(f metric.Callback, of ...metric.Observable) (metric.Registration, error) {
	if m.r.Refuse {
		return nil, ErrRefused
	}
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	reg := &registration{r: m.r, of: of}
	m.r.callbacks[reg] = f
	return reg, nil
}

// observer notes what callbacks say. Collect holds the lock.
type observer struct{ noop.Observer }

// ObserveInt64 implements metric.Observer.
func (observer) ObserveInt64(i metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	of := instrumentOf(i)
	of.Values[of.note(metric.NewObserveConfig(opts).Attributes())] = float64(v)
}

// ObserveFloat64 implements metric.Observer.
func (observer) ObserveFloat64(i metric.Float64Observable, v float64, opts ...metric.ObserveOption) {
	of := instrumentOf(i)
	of.Values[of.note(metric.NewObserveConfig(opts).Attributes())] = v
}
