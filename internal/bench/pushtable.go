package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// row is the result of one system in one case. Times are of a round: the median, and the best. A quantity that does not
// apply is zero and left out.
type row struct {
	Case     string  `json:"case"`
	System   string  `json:"system"`
	Files    int     `json:"files"`
	Wall     float64 `json:"wall_ms"`
	Best     float64 `json:"best_ms"`
	CPU      float64 `json:"cpu_ms"`
	Peak     float64 `json:"peak_mb"`
	Extra    float64 `json:"above_idle_mb,omitzero"` // the peak less an idle process's, of kubescribe
	Server   float64 `json:"server_ms"`              // the server's part of the wall time
	Own      float64 `json:"own_ms"`                 // the wall time without it
	Requests float64 `json:"requests"`               // a round
	Runs     int     `json:"runs"`
	Ratio    float64 `json:"ratio,omitzero"`     // of the median to the same with the fewest files
	VsGit    float64 `json:"vs_git,omitzero"`    // how many times faster than git, by the medians
	VsGoGit  float64 `json:"vs_go_git,omitzero"` // than go-git's worktree

	bestRatio, bestVsGit, bestVsGoGit float64 // the same by the best rounds
}

// tabulate sums the samples up. nothing is what a process holds that does nothing.
func tabulate(contenders []*contender, nothing sample) []row {
	rows := make([]row, len(contenders))
	for i, c := range contenders {
		rows[i] = c.row(nothing)
	}
	for i := range rows {
		r := &rows[i]
		if smallest := find(rows, r.Case, r.System, rows[0].Files); smallest != nil && smallest != r {
			r.Ratio, r.bestRatio = r.Wall/smallest.Wall, r.Best/smallest.Best
		}
		if r.System != kubescribe {
			continue
		}
		if other := find(rows, r.Case, commandGit, r.Files); other != nil {
			r.VsGit, r.bestVsGit = other.Wall/r.Wall, other.Best/r.Best
		}
		if other := find(rows, r.Case, goGit, r.Files); other != nil {
			r.VsGoGit, r.bestVsGoGit = other.Wall/r.Wall, other.Best/r.Best
		}
	}
	return rows
}

func (c *contender) row(nothing sample) row {
	var wall, cpu, server, own []time.Duration
	requests := 0
	for _, r := range c.rounds {
		wall, cpu = append(wall, r.Wall), append(cpu, r.CPU)
		server, own = append(server, r.Busy), append(own, r.Wall-r.Busy)
		requests += r.Requests
	}
	peak := c.rounds[len(c.rounds)-1].Peak
	r := row{
		Case: c.Case, System: c.System, Files: c.files, Runs: len(c.rounds),
		Wall: milliseconds(median(wall)), Best: milliseconds(slices.Min(wall)), CPU: milliseconds(median(cpu)),
		Server: milliseconds(median(server)), Own: milliseconds(median(own)),
		Peak: megabytes(peak), Requests: float64(requests) / float64(len(c.rounds)),
	}
	if c.System == kubescribe {
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

// writeTable writes the table as Markdown, which also reads well on a terminal, and below it the bars.
func writeTable(w io.Writer, facts string, rows []row, withBars bool) error {
	cells := [][]string{
		{"case", "system", "files", "median ms", "best ms", "server ms", "own ms", "CPU ms", "peak MB", "above idle MB", "requests", "runs", "growth", "x git", "x go-git"},
	}
	for _, r := range rows {
		cells = append(cells, []string{
			r.Case, r.System, strconv.Itoa(r.Files), known("%.1f", r.Wall), known("%.1f", r.Best), known("%.1f", r.Server),
			known("%.1f", r.Own), known("%.1f", r.CPU), known("%.1f", r.Peak), known("%.1f", r.Extra), known("%.1f", r.Requests), strconv.Itoa(r.Runs),
			known("%.2f", r.Ratio), known("%.1f", r.VsGit), known("%.1f", r.VsGoGit),
		})
	}
	if _, err := fmt.Fprintf(w, "%s\n\n%s", facts, markdown(cells)); err != nil || !withBars {
		return err
	}
	return writeBars(w, bars(rows))
}

// bars are the promises about the rows: for each size, and where sizes or systems are compared, for the largest.
func bars(rows []row) []bar {
	var all []bar
	for _, r := range rows {
		name := fmt.Sprintf("%s, %d files: ", r.Case, r.Files)
		switch {
		case r.System != kubescribe:
			continue
		case r.Case == caseFirst:
			all = append(all,
				bar{what: name + "times faster than git clone --depth 1, add, commit, push", value: r.VsGit, best: r.bestVsGit, limit: 15, least: true},
				bar{what: name + "memory above idle, MB", value: r.Extra, limit: 25})
			continue
		}
		all = append(all,
			bar{what: name + "requests", value: r.Requests, limit: 2},
			bar{what: name + "CPU ms", value: r.CPU, limit: 15},
			bar{what: name + "memory above idle, MB", value: r.Extra, limit: 25})
		smallest := find(rows, casePush, kubescribe, rows[0].Files)
		if r.Ratio == 0 || find(rows, caseFirst, kubescribe, r.Files) == nil {
			continue
		}
		all = append(all,
			bar{what: name + fmt.Sprintf("wall time beside that of %d files", smallest.Files), value: r.Ratio, best: r.bestRatio, limit: 1.3,
				remark: fmt.Sprintf("; the server's part %.1f -> %.1f ms, the rest %.1f -> %.1f ms", smallest.Server, r.Server, smallest.Own, r.Own)},
			bar{what: name + "times faster than git in a warm clone", value: r.VsGit, best: r.bestVsGit, limit: 3, least: true},
			bar{what: name + "times faster than go-git's worktree", value: r.VsGoGit, best: r.bestVsGoGit, limit: 20, least: true})
	}
	return all
}
