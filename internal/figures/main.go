package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// options are the flags.
type options struct {
	dir   string // a folder of the module to measure
	files bool   // print a table of files for each package
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", ".", "a folder of the module to measure")
	flag.BoolVar(&o.files, "files", false, "also print a table of files for each package")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx, os.Stdout, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// run prints the figures of the packages that match the patterns. A map of files that is wrong is
// an error, returned once everything is printed.
func (o *options) run(ctx context.Context, out io.Writer, patterns []string) error {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := load(ctx, o.dir, patterns)
	if err != nil {
		return err
	}
	var all []measured
	var faults []error
	for _, p := range packages {
		m := measure(p)
		all = append(all, m)
		faults = append(faults, m.fault)
	}
	printPackages(out, all)
	if o.files {
		for _, m := range all {
			printFiles(out, m)
		}
	}
	return errors.Join(faults...)
}

// measured holds the figures of a package.
type measured struct {
	path  string // of the package's folder, from the module's root
	whole tally
	files map[string]tally
	order []string  // the names of the files, top first
	graph fileGraph // the arrows between them
	given bool      // the order is that of a map in the package comment
	fault error     // what is wrong with the map
}

// measure counts everything that the tables show of a package.
func measure(p *goPackage) measured {
	m := measured{path: p.path, files: map[string]tally{}, graph: arrowsOf(p)}
	locks := lockSites(p)
	for _, f := range p.files {
		t := tally{files: 1, code: codeLines(f.text), widths: commentWidths(p.fset, f), locks: locks.inFile[f.name]}
		t.longestFile.see(t.code, f.name)
		t.countFunctions(p.fset, f.syntax)
		t.countExported(f.syntax)
		if t.locks > 0 {
			t.lockFiles = 1
		}
		m.files[f.name] = t
		m.whole.add(t, "")
	}
	m.whole.busiest = locks.busiest
	m.order, m.given, m.fault = orderOf(p, m.graph)
	m.whole.arrows, m.whole.up = m.graph.count(), m.graph.countUp(m.order)
	return m
}
