package main

import "fmt"

// compare fills in what the rows of push and first say beside each other.
func compare(rows []row) {
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
}

// bars are the promises about the rows: for each size, and where sizes are compared, or git and
// go-git, for the largest. Guests are compared at each size.
func (s pushSettings) bars(rows []row) []bar {
	var all []bar
	for _, r := range rows {
		if r.System != kubescribe {
			continue
		}
		name := fmt.Sprintf("%s, %d files: ", r.Case, r.Files)
		for _, guest := range s.guests {
			other := find(rows, r.Case, guest.name, r.Files)
			all = append(all, bar{
				what: name + "times the wall time of " + guest.name, value: r.Wall / other.Wall, best: r.Best / other.Best, limit: 1,
				remark: fmt.Sprintf("; the server's part %.1f beside %.1f ms, the rest %.1f beside %.1f ms", r.Server, other.Server, r.Own, other.Own),
			})
		}
		largest := r.Files == rows[len(rows)-1].Files
		if r.Case == caseFirst {
			all = append(all, bar{what: name + "requests", value: r.Requests, limit: 3})
			if !largest {
				continue
			}
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
		if r.Ratio == 0 || !largest {
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
