//go:build unix

package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// It also sees that alerts and dashboard read nothing but what was scraped from these runs.
func TestEachAlertFiresForARealFaultAndNoneInAHealthyRun(t *testing.T) {
	notShort(t)
	needPromtool(t)
	promtool(t, "check", "rules", filepath.Join(monitoring, "alerts.yaml"))
	var mu sync.Mutex
	known, fired := vocabulary{}, []string{}
	learn := func(r recording, alerts ...string) {
		mu.Lock()
		defer mu.Unlock()
		known.learn(r.before)
		known.learn(r.after)
		fired = append(fired, alerts...)
	}
	t.Run("runs", func(t *testing.T) {
		t.Run("healthy", func(t *testing.T) {
			t.Parallel()
			r := healthy(t)
			learn(r, "KubescribeJobGone", "KubescribeMetricMissing")
			judgeHealthy(t, r)
		})
		all := maps.Clone(faults)
		maps.Copy(all, embedded)
		for name, f := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rules := readRules(t)
				if f.rules != nil {
					rules = f.rules(t, rules)
				}
				r := f.record(t)
				learn(r, f.end...)
				rules.judge(t, r.story(t, name, f.early, f.end))
			})
		}
	})
	if t.Failed() {
		return // what is missing below would follow from it
	}
	for _, a := range readRules(t).alerts() {
		if !slices.Contains(fired, a.Alert) {
			t.Errorf("no fault makes %s fire", a.Alert)
		}
		known.require(t, a.Expr)
	}
	for _, expression := range readDashboard(t).expressions() {
		known.require(t, expression)
	}
}

// judgeHealthy takes from a healthy run what its scrapes may lose: nothing, the end of it, one of
// two programs, and each metric that a rule reads.
func judgeHealthy(t *testing.T, r recording) {
	rules := readRules(t)
	stories := []story{r.story(t, "healthy", nil, nil)}
	ended := r.series(t, minutes/2)
	stories = append(stories, story{
		Name: "the program has ended", Interval: "1m", Series: ended,
		Exprs: []question{firing(minutes, "alertname", "KubescribeAbsent", "KubescribeJobGone")},
	})
	other := r.series(t, minutes)
	for i := range other {
		other[i].Series = strings.Replace(other[i].Series, `job="mirror"`, `job="other"`, 1)
	}
	stories = append(stories, story{
		Name: "one of two programs has ended", Interval: "1m", Series: slices.Concat(ended, other),
		Exprs: []question{firing(minutes, "alertname", "KubescribeJobGone")},
	})
	var read []string
	for _, a := range rules.alerts() {
		if a.Alert != "KubescribeMetricMissing" {
			read = append(read, metricsIn(a.Expr)...)
		}
	}
	slices.Sort(read)
	for _, metric := range slices.Compact(read) {
		if metric == "kubescribe_destinations" {
			continue // that is the end of the program
		}
		without := slices.DeleteFunc(r.series(t, minutes), func(s series) bool { return nameOf(s.Series) == metric })
		stories = append(stories, story{
			Name: "without " + metric, Interval: "1m", Series: without,
			Exprs: []question{firing(minutes, "alertname", "KubescribeMetricMissing"), firing(minutes, "metric", metric)},
		})
	}
	rules.judge(t, stories...)
}
