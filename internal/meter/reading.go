package meter

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Readings are instruments that are read together when somebody collects them, of one state S of
// their owner.
type Readings[S any] struct {
	set  *Set
	all  []metric.Observable
	each []func(metric.Observer, S)
}

// Tell says a value, with its attributes. Each combination of attributes is told once.
type Tell[N int64 | float64] func(value N, attributes ...attribute.KeyValue)

// NewReadings returns no instruments yet.
func NewReadings[S any](set *Set) *Readings[S] { return &Readings[S]{set: set} }

// Counter adds a total.
func (r *Readings[S]) Counter(name, unit, description string, of func(S) int64) {
	r.CounterBy(name, unit, description, func(state S, tell Tell[int64]) { tell(of(state)) })
}

// CounterBy adds a total that has attributes.
func (r *Readings[S]) CounterBy(name, unit, description string, of func(S, Tell[int64])) {
	c, err := r.set.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	r.whole(made(r.set, c, err), of)
}

// Level adds a level whose values may be summed up.
func (r *Readings[S]) Level(name, unit, description string, of func(S) int64) {
	r.LevelBy(name, unit, description, func(state S, tell Tell[int64]) { tell(of(state)) })
}

// LevelBy adds a level that has attributes.
func (r *Readings[S]) LevelBy(name, unit, description string, of func(S, Tell[int64])) {
	c, err := r.set.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	r.whole(made(r.set, c, err), of)
}

// GaugeBy adds a number that has attributes.
func (r *Readings[S]) GaugeBy(name, unit, description string, of func(S, Tell[int64])) {
	g, err := r.set.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	r.whole(made(r.set, g, err), of)
}

// Seconds adds a duration, or an age.
func (r *Readings[S]) Seconds(name, description string, of func(S) float64) {
	g, err := r.set.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
	i := made(r.set, g, err)
	r.add(i, func(o metric.Observer, state S) { o.ObserveFloat64(i, of(state)) })
}

func (r *Readings[S]) whole(i metric.Int64Observable, of func(S, Tell[int64])) {
	r.add(i, func(o metric.Observer, state S) {
		of(state, func(value int64, attributes ...attribute.KeyValue) {
			o.ObserveInt64(i, value, metric.WithAttributes(attributes...))
		})
	})
}

func (r *Readings[S]) add(i metric.Observable, read func(metric.Observer, S)) {
	r.all, r.each = append(r.all, i), append(r.each, read)
}

// Register has the instruments read from now on, until end is called. read gets the state, once for
// all of them; it may be called from any goroutine, while the provider holds locks of its own. No
// instrument may be added any more.
func (r *Readings[S]) Register(read func() S) (end func() error) {
	registration, err := r.set.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		state := read()
		for _, each := range r.each {
			each(o, state)
		}
		return nil
	}, r.all...)
	if err != nil {
		r.set.faults = append(r.set.faults, err)
		return func() error { return nil }
	}
	return registration.Unregister
}
