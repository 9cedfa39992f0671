package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// The cases of the command push.
const (
	casePush  = "push"
	caseFirst = "first"
)

// pushSettings are what the command line of push asks for.
type pushSettings struct {
	common
	files  []int // sizes of the branch, in files, ascending
	meters bool  // measure kubescribe with metrics, too
	runs   int
	guests guests
}

// pushCommand measures the cases push and first.
func pushCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parsePush(args, stderr)
	if err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := compete(ctx, printer(stderr), s.contenders)
	if err != nil {
		return err
	}
	compare(rows)
	return s.report(stdout, facts, rows, s.bars(rows))
}

func parsePush(args []string, stderr io.Writer) (pushSettings, error) {
	var s pushSettings
	flags := s.flags("push", stderr)
	files := flags.String("files", "1000,100000", "sizes of the branch in files, ascending, with commas between them")
	flags.IntVar(&s.runs, "runs", 7, "measured rounds of each system; the slow ones get at most 5")
	flags.BoolVar(&s.meters, "metered", false, "one more system: kubescribe with a MeterProvider")
	s.guests.flag(flags)
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
	return s, positive(map[string]int{"runs": s.runs})
}

// contenders makes the repositories and says who works on them.
func (s pushSettings) contenders(ctx context.Context, f *field) ([][]*contender, error) {
	for _, files := range s.files {
		f.progress("making a repository of %d files", files)
		if err := createRepository(ctx, f.template(strconv.Itoa(files)), history(files), f.env); err != nil {
			return nil, err
		}
	}
	var pushes, first []*contender
	for _, files := range s.files {
		for _, name := range s.guests.beside(s.systems()...) {
			pushes = append(pushes, s.contender(f, casePush, name, files))
		}
		for _, name := range s.guests.beside(kubescribe, commandGit) {
			first = append(first, s.contender(f, caseFirst, name, files))
		}
	}
	return [][]*contender{pushes, first}, nil
}

// systems are those of the case push.
func (s pushSettings) systems() []string {
	if s.meters {
		return []string{kubescribe, systemMetered, commandGit, goGit}
	}
	return []string{kubescribe, commandGit, goGit}
}

func (s pushSettings) contender(f *field, kase, name string, files int) *contender {
	repository, template := fmt.Sprintf("%s-%s-%d.git", kase, name, files), f.template(strconv.Itoa(files))
	c := &contender{
		workerJob: workerJob{Case: kase, System: name, URL: f.url + "/" + repository, Dir: f.clone(repository)},
		files:     files, runs: s.runs, repositories: map[string]string{repository: template},
	}
	c.program = s.guests.program(name)
	if name == goGit || kase == caseFirst {
		c.runs = min(c.runs, slowRuns)
	}
	if kase == casePush && (name == commandGit || name == goGit) {
		c.warm = func(ctx context.Context) error { return clone(ctx, c.workerJob, template, f.env) }
	}
	// Another folder each time.
	c.change = func(round int) change {
		i := round * 7919 % files
		return change{Round: round, Path: filePath(i), Content: fileContent(i, round+1)}
	}
	c.check = func(ctx context.Context) error {
		commits := historyLength(files) + 1 + c.runs // one to warm up
		return checkRepository(ctx, f.remote(repository), commits, c.change(c.runs), f.env)
	}
	return c
}
