package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := child(ctx)
	if errors.Is(err, errNoChild) {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what the command line asks for.
type settings struct {
	files       []int // sizes of the branch, in files, ascending
	runs        int
	json, smoke bool
}

// run does what the arguments say and writes the results to stdout, progress to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	progress := func(format string, values ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", values...) }
	facts := machine(ctx)
	rows, err := measure(ctx, s, progress)
	if err != nil {
		return err
	}
	if s.json {
		return writeJSON(stdout, rows)
	}
	return writeTable(stdout, facts, rows, !s.smoke)
}

// parse reads the command line; there is one command, push.
func parse(args []string, stderr io.Writer) (settings, error) {
	flags := flag.NewFlagSet("bench push", flag.ContinueOnError)
	flags.SetOutput(stderr)
	files := flags.String("files", "1000,100000", "sizes of the branch in files, ascending, with commas between them")
	runs := flags.Int("runs", 7, "measured rounds of each system; the slow ones get at most 5")
	asJSON := flags.Bool("json", false, "print one JSON object a row")
	smoke := flags.Bool("smoke", false, "measure 2 rounds on 200 and 2000 files, without bars; overrides -files and -runs")
	if len(args) == 0 || args[0] != "push" {
		return settings{}, fmt.Errorf("want the command push, as in %q", "go run . push")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return settings{}, err
	}
	s := settings{runs: *runs, json: *asJSON, smoke: *smoke}
	if s.smoke {
		s.files, s.runs = []int{200, 2000}, 2
		return s, nil
	}
	for field := range strings.SplitSeq(*files, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || len(s.files) > 0 && n <= s.files[len(s.files)-1] {
			return settings{}, fmt.Errorf("-files %q: want positive numbers, ascending", *files)
		}
		s.files = append(s.files, n)
	}
	if s.runs < 1 {
		return settings{}, fmt.Errorf("-runs %d: want at least 1", s.runs)
	}
	return s, nil
}
