package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is the result of one system in one case. Times are of a round: the median, and the best. A
// quantity that does not apply is zero and left out.
type row struct {
	Case   string  `json:"case"`
	System string  `json:"system"`
	Files  int     `json:"files"`
	Wall   float64 `json:"wall_ms"`
	Best   float64 `json:"best_ms"`
	CPU    float64 `json:"cpu_ms"`
	Peak   float64 `json:"peak_mb"`
	// The peak less an idle process's, of kubescribe.
	Extra float64 `json:"above_idle_mb,omitzero"`
	// How long the server worked on the requests, in sum.
	Server float64 `json:"server_ms"`
	// The wall time without it, where one request follows the other.
	Own      float64 `json:"own_ms,omitzero"`
	Requests float64 `json:"requests"` // a round, as what follows
	Pushes   float64 `json:"pushes"`
	Refused  float64 `json:"refused,omitzero"` // of the pushes
	Sent     float64 `json:"sent_kb"`          // to the server
	Received float64 `json:"received_kb"`
	Runs     int     `json:"runs"`
	Ratio    float64 `json:"ratio,omitzero"`     // of the median to the same with the fewest files
	VsGit    float64 `json:"vs_git,omitzero"`    // how many times faster than git, by the medians
	VsGoGit  float64 `json:"vs_go_git,omitzero"` // than go-git's worktree

	bestRatio, bestVsGit, bestVsGoGit float64 // the same by the best rounds
	worstOwn                          float64 // of the slowest round
}

// tabulate sums the samples up. nothing is what a process holds that does nothing.
func tabulate(contenders []*contender, nothing sample) []row {
	rows := make([]row, len(contenders))
	for i, c := range contenders {
		rows[i] = c.row(nothing)
	}
	return rows
}

func (c *contender) row(nothing sample) row {
	var wall, cpu, server, own []time.Duration
	var sum served
	for _, r := range c.rounds {
		wall, cpu = append(wall, r.Wall), append(cpu, r.CPU)
		server, own = append(server, r.Busy), append(own, r.Wall-r.Busy)
		sum = sum.plus(r.served)
	}
	peak, runs := c.rounds[len(c.rounds)-1].Peak, float64(len(c.rounds))
	r := row{
		Case: c.Case, System: c.System, Files: c.files, Runs: len(c.rounds),
		Wall: milliseconds(median(wall)), Best: milliseconds(slices.Min(wall)), CPU: milliseconds(median(cpu)),
		Server: milliseconds(median(server)), Peak: megabytes(peak),
		Requests: float64(sum.Requests) / runs, Pushes: float64(sum.Pushes) / runs, Refused: float64(sum.Refused) / runs,
		Sent: float64(sum.In) / runs / 1000, Received: float64(sum.Out) / runs / 1000,
	}
	if !c.parallel {
		r.Own, r.worstOwn = milliseconds(median(own)), milliseconds(slices.Max(own))
	}
	if strings.HasPrefix(c.System, kubescribe) {
		r.Extra = megabytes(peak - nothing.Peak)
	}
	return r
}

func find(rows []row, kase, system string, files int) *row {
	i := slices.IndexFunc(rows, func(r row) bool { return r.Case == kase && r.System == system && r.Files == files })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// report writes what was measured as the flags want it, with the bars below the table.
func (c common) report(w io.Writer, facts string, rows []row, bars []bar) error {
	if c.json {
		return writeJSON(w, rows)
	}
	if _, err := fmt.Fprintf(w, "%s\n\n%s", facts, markdown(cells(rows))); err != nil || c.smoke {
		return err
	}
	return writeBars(w, bars)
}

func cells(rows []row) [][]string {
	cells := [][]string{{
		"case", "system", "files", "median ms", "best ms", "server ms", "own ms", "CPU ms", "peak MB", "above idle MB",
		"requests", "pushes", "refused", "sent kB", "received kB", "runs", "growth", "x git", "x go-git",
	}}
	for _, r := range rows {
		cells = append(cells, []string{
			r.Case, r.System, strconv.Itoa(r.Files), known("%.1f", r.Wall), known("%.1f", r.Best), known("%.1f", r.Server),
			known("%.1f", r.Own), known("%.1f", r.CPU), known("%.1f", r.Peak), known("%.1f", r.Extra),
			known("%.1f", r.Requests), known("%.1f", r.Pushes), known("%.1f", r.Refused), known("%.1f", r.Sent), known("%.1f", r.Received),
			strconv.Itoa(r.Runs), known("%.2f", r.Ratio), known("%.1f", r.VsGit), known("%.1f", r.VsGoGit),
		})
	}
	return cells
}

// markdown is a table with aligned columns, numbers to the right, which also reads well on a
// terminal. The first line of cells is the heading. A column with nothing below its heading is left
// out.
func markdown(cells [][]string) string {
	var columns [][]string
	for i := range cells[0] {
		column := make([]string, len(cells))
		for n, line := range cells {
			column[n] = line[i]
		}
		if strings.Join(column[1:], "") != "" {
			columns = append(columns, align(column))
		}
	}
	var b strings.Builder
	for n := range len(cells) + 1 {
		for _, column := range columns {
			b.WriteString("|" + column[n])
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// align pads a column's cells to one width, and puts the rule below the heading.
func align(column []string) []string {
	width, name := 0, false
	for n, cell := range column {
		_, err := strconv.ParseFloat(cell, 64)
		width, name = max(width, len(cell)), name || n > 0 && cell != "" && err != nil
	}
	format, rule := " %*s ", strings.Repeat("-", width+1)+":"
	if name {
		format, rule = " %-*s ", strings.Repeat("-", width+2)
	}
	aligned := make([]string, 0, len(column)+1)
	for n, cell := range column {
		aligned = append(aligned, fmt.Sprintf(format, width, cell))
		if n == 0 {
			aligned = append(aligned, rule)
		}
	}
	return aligned
}

// known is empty for what does not apply.
func known(format string, value float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// median is the lower one of two in the middle.
func median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[(len(durations)-1)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func megabytes(bytes int64) float64        { return float64(bytes) / 1e6 }
