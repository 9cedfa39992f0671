package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	sample  int
	seed    uint64
	workers int
	budget  time.Duration
	with    string
	list    bool
	limit   float64
	cache   string
	// patience is how long tests may take with a mutant, beside six times what they take without
	// one.
	patience time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.sample, "sample", 0, "try no more than so many mutants of each package, chosen at random; 0: all")
	flag.Uint64Var(&o.seed, "seed", 0, "of the sample; 0: a random one, which is printed")
	flag.IntVar(&o.workers, "workers", 2, "tests that run at once")
	flag.DurationVar(&o.budget, "budget", 0, "tests for each mutant, in the time that they take without one; 0: all that reach it")
	flag.StringVar(&o.with, "with", "", "directories, separated by commas, whose tests are asked besides the package's own")
	flag.BoolVar(&o.list, "list", false, "list the mutants and try none")
	flag.Float64Var(&o.limit, "limit", 3, "the percentage of covered mutants that may survive")
	flag.StringVar(&o.cache, "cache", cacheFolder(), "where outcomes are kept")
	flag.DurationVar(&o.patience, "patience", 5*time.Second, "what tests may take with a mutant, beside six times what they take without one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx, os.Stdout, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cacheFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		folder = os.TempDir()
	}
	return filepath.Join(folder, "kubescribe", "mutants")
}

func (o *options) run(ctx context.Context, out io.Writer, dirs []string) error {
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if o.sample > 0 {
		fmt.Fprintf(os.Stderr, "-seed %d\n", o.seed)
	}
	reasons, err := parseEquivalents(equivalents)
	if err != nil {
		return err
	}
	var faults []error
	fmt.Fprintln(out, "| package | mutants | covered | killed | equivalent | survived | of the covered |\n|---|--:|--:|--:|--:|--:|--:|")
	for _, dir := range dirs {
		t, err := o.try(ctx, dir, reasons)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, t)
		faults = append(faults, t.judge(o))
	}
	return errors.Join(faults...)
}

// tally is a row of the table.
type tally struct {
	name   string
	of     map[string]int
	strays []string // equivalents that are not there
}

func (t tally) covered() int { return t.of[killed] + t.of[survived] }

func (t tally) percent() float64 { return 100 * float64(t.of[survived]) / float64(max(t.covered(), 1)) }

func (t tally) String() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %.1f %% |", t.name, t.covered()+t.of[equivalent]+t.of[uncovered],
		t.covered()+t.of[equivalent], t.of[killed], t.of[equivalent], t.of[survived], t.percent())
}

// judge says whether too many survive. A sample may have bad luck: two standard deviations are
// allowed for that.
func (t tally) judge(o *options) error {
	allowed := o.limit * float64(t.covered()) / 100
	if o.sample > 0 {
		allowed += 2 * math.Sqrt(allowed*(1-o.limit/100))
	}
	switch {
	case float64(t.of[survived]) > allowed:
		return fmt.Errorf("mutants: of %s survive %.1f %%", t.name, t.percent())
	case len(t.strays) > 0 && o.sample == 0:
		return fmt.Errorf("mutants: equivalent.txt names what is no mutant:\n%s", strings.Join(t.strays, "\n"))
	}
	return nil
}

// try tries the mutants of one package.
func (o *options) try(ctx context.Context, dir string, reasons map[string]string) (tally, error) {
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return tally{}, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	s, err := newSubject(ctx, dir, scratch)
	if err != nil {
		return tally{}, err
	}
	t := tally{name: name(s), of: map[string]int{}, strays: strays(s, reasons)}
	if o.list {
		for _, m := range s.mutants {
			fmt.Println(m.key())
		}
		return t, nil
	}
	h := &hunt{subject: s, workers: o.workers, budget: o.budget, patience: o.patience, hints: map[string]map[string]int{}}
	path, known := memoryOf(o.cache, s.ImportPath)
	if err := h.prepare(ctx, o.suites(dir), scratch, known); err != nil {
		return tally{}, err
	}
	defer func() { _ = known.write(path) }()
	outcomes, err := h.all(ctx, o.choose(s.mutants), known, reasons)
	for _, is := range outcomes {
		t.of[is]++
	}
	return t, err
}

func name(s *subject) string {
	if rel := strings.TrimPrefix(strings.TrimPrefix(s.ImportPath, s.Module.Path), "/"); rel != "" {
		return rel
	}
	return "."
}

// strays are the listed equivalents that the package should have and has not.
func strays(s *subject, reasons map[string]string) (strays []string) {
	there := map[string]bool{}
	for _, m := range s.mutants {
		there[m.key()] = true
	}
	for key := range reasons {
		file, _, _ := strings.Cut(key, ": ")
		if filepath.Join(s.Module.Dir, filepath.Dir(file)) == s.Dir && !there[key] {
			strays = append(strays, key)
		}
	}
	slices.Sort(strays)
	return strays
}

func (o *options) suites(dir string) []string {
	dirs := []string{dir}
	if o.with != "" {
		dirs = append(dirs, strings.Split(o.with, ",")...)
	}
	return dirs
}

func (o *options) choose(all []mutant) []mutant {
	all = slices.Clone(all)
	// Neighbours tend to need the same slow tests, so they are not tried one after the other.
	chance := rand.New(rand.NewPCG(o.seed, 0))
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if o.sample > 0 {
		all = all[:min(o.sample, len(all))]
	}
	return all
}
