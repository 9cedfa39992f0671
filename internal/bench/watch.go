package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// The cases of the command watch.
const (
	caseWatch  = "watch"  // the changes of a type reach a function
	caseMirror = "mirror" // they reach Git
	// The same, and one of the repositories accepts connections and never answers.
	caseOneHang = "one hangs"
	caseAllHang = "all hang" // all of them do
	// Another process, on an unchanged cluster and what the first one has pushed.
	caseRestart = "restart"
)

// The systems of the command watch beside kubescribe.
const (
	systemInformer = "informer"
	systemLean     = "informer, lean"

	systemByWatch = "kubescribe, by watch" // with event/source.Options.InitialEvents
)

// watchSettings are what the command line of watch asks for.
type watchSettings struct {
	common
	objects, size, destinations, runs, writes int
	idle                                      time.Duration
	only                                      string // the case that is measured; "" for all
}

// watchCommand measures event/source, and the library as a whole, on a large cluster beside
// client-go's informers.
func watchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s watchSettings
	flags := s.flags("watch", stderr)
	flags.IntVar(&s.objects, "objects", 100_000, "ConfigMaps in the cluster")
	flags.IntVar(&s.size, "size", 2048, "bytes of each one's data")
	flags.IntVar(&s.destinations, "destinations", 10, "destinations, a repository each, of the cases with several")
	flags.IntVar(&s.runs, "runs", 3, "processes of each system that are measured")
	flags.IntVar(&s.writes, "writes", 10, "objects that are changed, one after the other, when everything is synced")
	flags.DurationVar(&s.idle, "idle", 10*time.Second, "how long CPU time is counted while nothing happens")
	flags.StringVar(&s.only, "case", "", "measure only the contests of this case")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.smoke {
		s.objects, s.destinations, s.runs, s.writes, s.idle = 600, 3, 1, 2, 300*time.Millisecond
	}
	if err := positive(map[string]int{"objects": s.objects, "size": s.size, "destinations": s.destinations - 1, "runs": s.runs, "writes": s.writes}); err != nil {
		return err
	}
	if s.idle <= 0 || len(s.contests()) == 0 {
		return fmt.Errorf("-idle %s, -case %q: want a time, and a case that there is", s.idle, s.only)
	}
	facts := machine(ctx)
	rows, err := s.measure(ctx, printer(stderr))
	if err != nil {
		return err
	}
	if s.json {
		return writeJSON(stdout, rows)
	}
	if _, err := fmt.Fprintf(stdout, "%s\n\n%s", facts, markdown(watchCells(rows))); err != nil || s.smoke {
		return err
	}
	bars := s.bars(rows)
	if len(bars) == 0 { // of the case that was asked for
		return nil
	}
	return writeBars(stdout, bars)
}

// contest is one system on one number of destinations. Its restart, if it has one, is a contest of
// its own.
type contest struct {
	kase, system string
	destinations int
	hung         int
	restarts     bool
}

func (s watchSettings) contests() []contest {
	return slices.DeleteFunc([]contest{
		{kase: caseWatch, system: kubescribe, destinations: 1},
		{kase: caseWatch, system: kubescribe, destinations: s.destinations},
		{kase: caseWatch, system: systemByWatch, destinations: s.destinations},
		{kase: caseWatch, system: systemInformer},
		{kase: caseWatch, system: systemLean},
		{kase: caseMirror, system: kubescribe, destinations: 1, restarts: true},
		{kase: caseMirror, system: kubescribe, destinations: s.destinations, restarts: true},
		{kase: caseOneHang, system: kubescribe, destinations: s.destinations, hung: 1},
		{kase: caseAllHang, system: kubescribe, destinations: s.destinations, hung: s.destinations},
	}, func(c contest) bool { return s.only != "" && c.kase != s.only })
}

// measure measures a process of each contest in turn, on one cluster.
func (s watchSettings) measure(ctx context.Context, progress func(string, ...any)) (rows []watchRow, err error) {
	f, err := newField(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	progress("making a cluster of %d ConfigMaps", s.objects)
	site := &watchSite{field: f, settings: s}
	if err := site.open(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	nothing, err := f.idle(ctx)
	if err != nil {
		return nil, err
	}
	results := newWatchResults(nothing.Peak, s.objects)
	for n := range s.runs {
		for _, c := range s.contests() {
			progress("%s: %s, %d destinations, run %d of %d", c.kase, c.system, c.destinations, n+1, s.runs)
			if err := site.compete(ctx, c, n, results); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.kase, c.system, err)
			}
		}
	}
	return results.rows(), nil
}

// bars are the promises about the whole library on a large cluster.
func (s watchSettings) bars(rows []watchRow) []bar {
	var all []bar
	for _, r := range rows {
		name := fmt.Sprintf("%s, %d objects, %d destinations: ", r.Case, r.Objects, r.Destinations)
		switch {
		case r.Case == caseRestart:
			all = append(all, bar{what: name + "commits", value: r.Commits}, bar{what: name + "pushes", value: r.Pushes})
		case r.System == kubescribe && r.Destinations == s.destinations && r.Case != caseWatch:
			all = append(all, bar{what: name + "memory above idle, MB", value: r.Extra, limit: 100})
		}
	}
	return all
}
