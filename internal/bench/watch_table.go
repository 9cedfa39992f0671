package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// watchRow is the result of one system in one case. What does not apply is zero and left out.
type watchRow struct {
	Case         string `json:"case"`
	System       string `json:"system"`
	Objects      int    `json:"objects"`
	Destinations int    `json:"destinations,omitzero"`
	// From the start of the process' work, the median; where all hang until all is listed.
	Synced float64 `json:"synced_ms,omitzero"`
	Best   float64 `json:"best_ms,omitzero"` // the best run
	CPU    float64 `json:"cpu_ms"`           // until then, the median
	// CPU time while nothing happens, the median
	Idle float64 `json:"idle_cpu_ms_per_s"`
	// From a write to its function, or to the pushed commit beyond the window; the median.
	Lag        float64 `json:"lag_ms,omitzero"`
	LongestLag float64 `json:"longest_lag_ms,omitzero"` // of all writes
	// The largest of the runs, as what follows.
	Peak  float64 `json:"peak_mb"`
	Extra float64 `json:"above_idle_mb"` // the peak less an idle process's
	Live  float64 `json:"live_mb"`       // the heap in the end, without garbage
	// Requests for a page of the objects; the most of all runs.
	Lists   float64 `json:"lists"`
	Pushes  float64 `json:"pushes"`  // the most of all runs
	Commits float64 `json:"commits"` // the most of all runs
	Runs    int     `json:"runs"`
}

// watchRound is what was measured of one process.
type watchRound struct {
	watchSample
	served
	Lists, Commits int
}

// watchResults collects rounds.
type watchResults struct {
	nothing int64 // what a process holds that does nothing
	objects int
	order   []watchKey
	rounds  map[watchKey][]watchRound
}

type watchKey struct {
	kase, system string
	destinations int
}

func newWatchResults(nothing int64, objects int) *watchResults {
	return &watchResults{nothing: nothing, objects: objects, rounds: map[watchKey][]watchRound{}}
}

func (w *watchResults) add(job watchJob, r watchRound) {
	key := watchKey{job.Case, job.System, len(job.Repositories)}
	if w.rounds[key] == nil {
		w.order = append(w.order, key)
	}
	w.rounds[key] = append(w.rounds[key], r)
}

func (w *watchResults) rows() []watchRow {
	rows := make([]watchRow, 0, len(w.order))
	for _, key := range w.order {
		rows = append(rows, w.row(key))
	}
	return rows
}

func (w *watchResults) row(key watchKey) watchRow {
	var synced, cpu, idle, lags []time.Duration
	row := watchRow{Case: key.kase, System: key.system, Destinations: key.destinations, Objects: w.objects, Runs: len(w.rounds[key])}
	for _, r := range w.rounds[key] {
		synced, cpu, lags = append(synced, r.Synced), append(cpu, r.CPU), append(lags, r.Lags...)
		idle = append(idle, r.IdleCPU*time.Second/r.Idle)
		row.Peak = max(row.Peak, megabytes(r.Peak))
		row.Extra = max(row.Extra, megabytes(r.Peak-w.nothing))
		row.Live = max(row.Live, megabytes(r.Live))
		row.Lists, row.Commits = max(row.Lists, float64(r.Lists)), max(row.Commits, float64(r.Commits))
		row.Pushes = max(row.Pushes, float64(r.Pushes))
	}
	row.Synced, row.Best = milliseconds(median(synced)), milliseconds(slices.Min(synced))
	row.CPU, row.Idle = milliseconds(median(cpu)), milliseconds(median(idle))
	if len(lags) > 0 {
		row.Lag, row.LongestLag = milliseconds(median(lags)), milliseconds(slices.Max(lags))
	}
	return row
}

func watchCells(rows []watchRow) [][]string {
	cells := [][]string{{
		"case", "system", "objects", "destinations", "synced ms", "best ms", "CPU ms", "idle CPU ms/s", "lag ms", "longest lag ms",
		"peak MB", "above idle MB", "live MB", "lists", "pushes", "commits", "runs",
	}}
	for _, r := range rows {
		destinations := ""
		if r.Destinations > 0 {
			destinations = strconv.Itoa(r.Destinations)
		}
		cells = append(cells, []string{
			r.Case, r.System, strconv.Itoa(r.Objects), destinations, known("%.0f", r.Synced), known("%.0f", r.Best), fmt.Sprintf("%.0f", r.CPU),
			fmt.Sprintf("%.2f", r.Idle), known("%.1f", r.Lag), known("%.1f", r.LongestLag),
			fmt.Sprintf("%.1f", r.Peak), fmt.Sprintf("%.1f", r.Extra), fmt.Sprintf("%.1f", r.Live),
			fmt.Sprintf("%.0f", r.Lists), fmt.Sprintf("%.0f", r.Pushes), fmt.Sprintf("%.0f", r.Commits), strconv.Itoa(r.Runs),
		})
	}
	return cells
}
