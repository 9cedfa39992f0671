//go:build unix

package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scrape is what a program answered to Prometheus at one moment: the series of kubescribe.
type scrape struct {
	at     time.Time
	values map[string]float64 // by name and labels, as the text has them
	kinds  map[string]string  // by the name of the metric: counter, gauge, histogram
}

func readScrape(t *testing.T, text string) scrape {
	t.Helper()
	s := scrape{time.Now(), map[string]float64{}, map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(kind, " ")
			s.kinds[name] = kind
		}
		if !strings.HasPrefix(line, "kubescribe_") {
			continue
		}
		at := strings.LastIndex(line, " ")
		value, err := strconv.ParseFloat(line[at+1:], 64)
		require.NoError(t, err, line)
		s.values[line[:at]] = value
	}
	return s
}

// cumulative reports whether a series only grows while the process lives.
func (s scrape) cumulative(series string) bool {
	name := nameOf(series)
	if s.kinds[name] == "counter" {
		return true
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if of, ok := strings.CutSuffix(name, part); ok && s.kinds[of] == "histogram" {
			return true
		}
	}
	return false
}

// sum returns the sum of the series of a metric with all these labels, each as name="value".
func (s scrape) sum(metric string, labels ...string) (sum float64) {
	for series, value := range s.values {
		if nameOf(series) == metric && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
			sum += value
		}
	}
	return sum
}

func nameOf(series string) string {
	name, _, _ := strings.Cut(series, "{")
	return name
}

// exporter answers a scrape with text.
type exporter func() string

// until scrapes until that shows something, and returns what it was then. It scrapes on the
// goroutine of the test, so that a scrape that fails ends it and says why.
func (from exporter) until(t *testing.T, shows func(scrape) bool) scrape {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-ticker.C {
		s := readScrape(t, from())
		if shows(s) {
			return s
		}
		require.True(t, time.Now().Before(deadline), "no scrape shows it, the last was %v", s.values)
	}
}

// reason waits until a destination is not ready for a reason.
func (from exporter) reason(t *testing.T, reason string) scrape {
	t.Helper()
	return from.until(t, func(s scrape) bool {
		return s.sum("kubescribe_destinations", `ready="false"`, `reason="`+reason+`"`) > 0
	})
}

// recording is a run as two scrapes tell of it. What happened between them is taken to happen in
// each minute, and what was at the second to stay so.
type recording struct {
	before, after scrape
	grows         []string // gauges of an age that nothing ends: they grow as they did
}

// The minutes of a recording at which the tests of the rules ask what fires. Early is before any
// alert for a fault that may pass.
const (
	early   = 4
	minutes = 120
)

// series are a recording as promtool reads it, up to some minute.
func (r recording) series(t *testing.T, last int) []series {
	t.Helper()
	var all []series
	for _, name := range slices.Sorted(maps.Keys(r.after.values)) {
		now, step := r.after.values[name], 0.0
		switch {
		case r.after.cumulative(name):
			step = now - r.before.values[name]
		case slices.Contains(r.grows, nameOf(name)):
			step = (now - r.before.values[name]) / r.after.at.Sub(r.before.at).Minutes()
			require.InDelta(t, 60, step, 20, "%s does not grow with the time", name)
		}
		all = append(all, series{scraped(name), fmt.Sprintf("%s+%sx%d", decimal(now), decimal(step), last)})
	}
	return all
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// scraped adds the labels that a scrape adds.
func scraped(name string) string {
	const labels = `namespace="ops",job="mirror",pod="mirror-0"`
	metric, own, found := strings.Cut(name, "{")
	if !found {
		return metric + "{" + labels + "}"
	}
	return metric + "{" + labels + "," + own
}

// vocabulary is all that scrapes have shown: the names of metrics, and of each the values of its
// labels.
type vocabulary map[string]map[string]bool

var label = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

func (v vocabulary) learn(s scrape) {
	for series := range s.values {
		name := nameOf(series)
		if v[name] == nil {
			v[name] = map[string]bool{}
		}
		for _, pair := range label.FindAllString(series, -1) {
			v[name][pair] = true
		}
	}
}

// selector matches a metric with the labels that are asked for, if there are some.
var (
	selector = regexp.MustCompile(`\b(kubescribe_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)=~?"([^"]*)"`)
)

// metricsIn returns the metrics that expressions read.
func metricsIn(expressions ...string) []string {
	var names []string
	for _, expression := range expressions {
		for _, found := range selector.FindAllStringSubmatch(expression, -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// require ends the test unless every metric of an expression, and every value of a label that it
// asks for, has been scraped.
func (v vocabulary) require(t *testing.T, expression string) {
	t.Helper()
	for _, found := range selector.FindAllStringSubmatch(expression, -1) {
		require.Contains(t, v, found[1], "no scrape has this metric of %s", expression)
		for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
			if strings.HasPrefix(m[2], "$") {
				continue // a variable of the dashboard
			}
			for value := range strings.SplitSeq(m[2], "|") {
				require.True(t, v[found[1]][m[1]+`="`+value+`"`], "no scrape has %s=%q of %s", m[1], value, expression)
			}
		}
	}
}
