package main

import (
	"context"
	"io"
)

// pushSettings are what the command line of push asks for.
type pushSettings struct {
	common
	files []int // sizes of the branch, in files, ascending
	runs  int
}

// push measures the cases push and first.
func push(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parsePush(args, stderr)
	if err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := measure(ctx, s, printer(stderr))
	if err != nil {
		return err
	}
	if s.json {
		return writeJSON(stdout, rows)
	}
	return writeTable(stdout, facts, rows, !s.smoke)
}

func parsePush(args []string, stderr io.Writer) (pushSettings, error) {
	var s pushSettings
	flags := s.flags("push", stderr)
	files := flags.String("files", "1000,100000", "sizes of the branch in files, ascending, with commas between them")
	flags.IntVar(&s.runs, "runs", 7, "measured rounds of each system; the slow ones get at most 5")
	if err := flags.Parse(args); err != nil {
		return pushSettings{}, err
	}
	if s.smoke {
		s.files, s.runs = []int{200, 2000}, 2
		return s, nil
	}
	var err error
	if s.files, err = ascending("files", *files); err != nil {
		return pushSettings{}, err
	}
	return s, positive("runs", s.runs)
}
