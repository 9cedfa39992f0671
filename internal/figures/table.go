package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// tally is what was counted of a file, a package or a module.
type tally struct {
	files, code, functions, complexity        int
	longestFile, longestFunction, mostComplex most
	locks, lockFiles                          int
	busiest                                   most
	names, methods, fields                    int
	arrows, up                                int
	widths                                    []int // of the lines that hold a comment
}

// most is the largest of several figures, and what it belongs to. Of equal ones it is the first.
type most struct {
	figure int
	name   string
}

func (m *most) see(figure int, name string) {
	if figure > m.figure {
		m.figure, m.name = figure, name
	}
}

func (m most) String() string {
	if m.figure == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", m.figure, m.name)
}

// add adds what was counted of a part. Names of the part follow the prefix.
func (t *tally) add(part tally, prefix string) {
	t.files += part.files
	t.code += part.code
	t.functions += part.functions
	t.complexity += part.complexity
	t.longestFile.see(part.longestFile.figure, prefix+part.longestFile.name)
	t.longestFunction.see(part.longestFunction.figure, prefix+part.longestFunction.name)
	t.mostComplex.see(part.mostComplex.figure, prefix+part.mostComplex.name)
	t.locks += part.locks
	t.lockFiles += part.lockFiles
	t.busiest.see(part.busiest.figure, prefix+part.busiest.name)
	t.names += part.names
	t.methods += part.methods
	t.fields += part.fields
	t.arrows += part.arrows
	t.up += part.up
	t.widths = append(t.widths, part.widths...)
}

// size returns the cells of the first table.
func (t tally) size() []any {
	return []any{t.files, t.code, t.longestFile, t.functions, t.longestFunction, t.complexity, t.mostComplex}
}

// shape returns the cells of the second table.
func (t tally) shape() []any {
	return []any{
		t.locks, t.lockFiles, t.busiest, t.names, t.methods, t.fields, t.arrows, t.up,
		t.percentile(90), t.percentile(100), t.wide(),
	}
}

// percentile returns the smallest width that so many percent of the comments do not exceed.
func (t tally) percentile(percent int) int {
	if len(t.widths) == 0 {
		return 0
	}
	rank := (len(t.widths)*percent + 99) / 100 // rounded up
	return slices.Sorted(slices.Values(t.widths))[rank-1]
}

// wide returns the number of comments wider than 100 columns.
func (t tally) wide() (n int) {
	for _, width := range t.widths {
		if width > 100 {
			n++
		}
	}
	return n
}

// printPackages prints a row for each package, and one for all.
func printPackages(out io.Writer, all []measured) {
	var total tally
	for _, m := range all {
		total.add(m.whole, m.path+" ")
	}
	all = append(slices.Clip(all), measured{path: "**all**", whole: total})
	header(out, "package", "files", "code", ":longest file", "functions", ":longest", "complexity", ":most complex")
	for _, m := range all {
		row(out, m.path, m.whole.size()...)
	}
	fmt.Fprintln(out)
	header(out, "package", "lock sites", "in files", ":busiest lock", "exported names", "methods", "fields",
		"arrows", "up", "comments: 90 %", "widest", "over 100")
	for _, m := range all {
		row(out, m.path, m.whole.shape()...)
	}
}

// printFiles prints a row for each file of a package, the top first.
func printFiles(out io.Writer, m measured) {
	order := "searched for"
	if m.given {
		order = "given by a map"
	}
	fmt.Fprintf(out, "\n## %s\n\nThe order is %s.\n\n", m.path, order)
	header(out, "file", "code", "functions", "complexity", "lock sites", "arrows down", ":up to")
	for i, name := range m.order {
		t := m.files[name]
		var up []string
		for _, above := range m.order[:i] {
			if m.graph[name][above] {
				up = append(up, above)
			}
		}
		row(out, name, t.code, t.functions, t.complexity, t.locks, len(m.graph[name])-len(up), strings.Join(up, ", "))
	}
}

// header prints the first lines of a table. Columns are aligned to the right, as numbers are,
// except the first one and those whose title begins with a colon.
func header(out io.Writer, first string, titles ...string) {
	names, lines := "| "+first+" |", "|---|"
	for _, title := range titles {
		left := strings.TrimPrefix(title, ":")
		names += " " + left + " |"
		if left == title {
			lines += "--:|"
		} else {
			lines += "---|"
		}
	}
	fmt.Fprintf(out, "%s\n%s\n", names, lines)
}

func row(out io.Writer, first string, cells ...any) {
	line := "| " + first + " |"
	for _, cell := range cells {
		line += fmt.Sprintf(" %v |", cell)
	}
	fmt.Fprintln(out, line)
}
