// Package meter makes the instruments of OpenTelemetry for the parts of the library. What is a
// total or a level is read when somebody collects it, and costs nothing between. Durations and
// outcomes are recorded as they come, with attributes that are made once.
package meter

import (
	"errors"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Set makes the instruments of one part. An instrument that could not be made is one that measures
// nothing, so an error is told and not returned: what is measured goes on. It belongs to one
// goroutine.
type Set struct {
	meter  metric.Meter
	faults []error
}

// New returns a Set whose instruments belong to a scope: the path of the package that measures.
func New(provider metric.MeterProvider, scope string) *Set {
	return &Set{meter: provider.Meter(scope)}
}

// Report logs what could not be made.
func (s *Set) Report(log logr.Logger) {
	if err := errors.Join(s.faults...); err != nil {
		log.Error(err, "Some metrics are missing")
	}
}

func made[I any](s *Set, instrument I, err error) I {
	if err != nil {
		s.faults = append(s.faults, err)
	}
	return instrument
}

// seconds are the boundaries of durations, from what is not waited for to what somebody should look
// at.
var seconds = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}

// Seconds makes a histogram of durations.
func (s *Set) Seconds(name, description string) metric.Float64Histogram {
	h, err := s.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(seconds...))
	return made(s, h, err)
}

// Histogram makes a histogram of numbers.
func (s *Set) Histogram(name, unit, description string, boundaries ...float64) metric.Int64Histogram {
	h, err := s.meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(boundaries...))
	return made(s, h, err)
}

// Level makes a level that is moved as it changes.
func (s *Set) Level(name, unit, description string) metric.Int64UpDownCounter {
	c, err := s.meter.Int64UpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	return made(s, c, err)
}

// Words are the values that an attribute may have, each as the options of a measurement. They are
// made once, so that a measurement allocates nothing. They never change.
type Words struct {
	key string
	of  map[string][]metric.RecordOption
}

// NewWords returns the values of an attribute.
func NewWords(key string, values ...string) Words {
	w := Words{key, make(map[string][]metric.RecordOption, len(values))}
	for _, v := range values {
		w.of[v] = With(attribute.String(key, v))
	}
	return w
}

// Of returns the options for a value. One that NewWords was not given has none.
func (w Words) Of(value string) []metric.RecordOption { return w.of[value] }

// With returns the options of a measurement with some attributes.
func With(attributes ...attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}
