package main

import (
	"fmt"
	"io"
)

// bar is a promise about a number of kubescribe.
type bar struct {
	what        string
	value, best float64 // by the medians, which decide, and by the best rounds; the latter may be zero
	limit       float64
	least       bool // value must be at least limit; otherwise at most
	remark      string
}

func (b bar) met() bool {
	if b.least {
		return b.value >= b.limit
	}
	return b.value <= b.limit
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

// writeBars says of each bar whether it is met. One that is not is a fact, not a failure: the machine has a say in it.
func writeBars(w io.Writer, rows []row) error {
	if _, err := io.WriteString(w, "\nBars for kubescribe, by the medians (in brackets by the best rounds):\n\n"); err != nil {
		return err
	}
	for _, b := range bars(rows) {
		verdict, bound, best := "NOT met", "at most", ""
		if b.met() {
			verdict = "met"
		}
		if b.least {
			bound = "at least"
		}
		if b.best != 0 {
			best = fmt.Sprintf(" (%.2f)", b.best)
		}
		if _, err := fmt.Fprintf(w, "- %s: %s: %.2f%s, %s %g%s\n", verdict, b.what, b.value, best, bound, b.limit, b.remark); err != nil {
			return err
		}
	}
	return nil
}
