package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "admissiondiff:", err)
		os.Exit(1)
	}
}

// row is one line of the result.
type row struct {
	Case   string  `json:"case"`   // "match: nothing"
	System string  `json:"system"` // "kubescribe", "linear scan"
	Size   int     `json:"size"`   // rules, or destinations
	Median float64 `json:"median_ns"`
	Best   float64 `json:"best_ns"`
	// of the whole process, garbage collection included, in the best round by CPU time
	CPU    float64 `json:"cpu_ns"`
	Allocs int64   `json:"allocs"` // of one operation
	Bar    float64 `json:"bar_ns,omitempty"`
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("admissiondiff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	smoke := flags.Bool("smoke", false, "small sizes and one short round, without bars")
	asJSON := flags.Bool("json", false, "print one JSON object a row")
	rounds := flags.Int("runs", 5, "rounds of each row")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := settings{rounds: *rounds, atLeast: 200 * time.Millisecond, rules: []int{10, 1_000, 10_000}, destinations: 100_000}
	if *smoke {
		s = settings{rounds: 1, atLeast: time.Millisecond, rules: []int{10, 100}, destinations: 1_000}
	}
	if s.rounds < 1 {
		return fmt.Errorf("-runs %d: want at least 1", s.rounds)
	}
	rows, err := measure(s)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(stdout, rows)
	}
	return printTable(stdout, rows, !*smoke)
}

func printJSON(w io.Writer, rows []row) error {
	encoder := json.NewEncoder(w)
	for _, r := range rows {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// printTable prints the rows as Markdown and, with bars, the promises below. A promise that is not
// kept is an error.
func printTable(w io.Writer, rows []row, bars bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintln(t, "\tcase\tsystem\tsize\tmedian\tbest\tCPU\tallocs\t")
	fmt.Fprintln(t, "\t---\t---\t--:\t--:\t--:\t--:\t--:\t")
	for _, r := range rows {
		fmt.Fprintf(t, "\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t\n",
			r.Case, r.System, r.Size, duration(r.Median), duration(r.Best), duration(r.CPU), r.Allocs)
	}
	if err := t.Flush(); err != nil || !bars {
		return err
	}
	var missed []error
	for _, r := range rows {
		if r.Bar == 0 {
			continue
		}
		verdict := "met"
		if r.Median > r.Bar {
			verdict = "MISSED"
			missed = append(missed, fmt.Errorf("%s of %d: %s, want at most %s", r.Case, r.Size, duration(r.Median), duration(r.Bar)))
		}
		fmt.Fprintf(w, "%s of %d: %s, at most %s: %s\n", r.Case, r.Size, duration(r.Median), duration(r.Bar), verdict)
	}
	return errors.Join(missed...)
}

func duration(ns float64) string {
	d := time.Duration(ns)
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.0f ns", ns)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f ms", ns/1e6)
}
