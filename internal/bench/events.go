package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// The cases of the command events.
const (
	caseEvents      = "events"
	caseEventsFirst = "events, first"
)

const eventsFolder = "cluster"

// eventsSettings are what the command line of events asks for.
type eventsSettings struct {
	common
	repositories, branches, events, runs int
	guests                               guests
}

// eventsCommand measures many events for destinations in many repositories, until all are pushed.
func eventsCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s eventsSettings
	flags := s.flags("events", stderr)
	flags.IntVar(&s.repositories, "repositories", 20, "repositories")
	flags.IntVar(&s.branches, "branches", 5, "branches of each, with a destination on each")
	flags.IntVar(&s.events, "events", 100, "events for each destination")
	flags.IntVar(&s.runs, "runs", 5, "measured rounds of each system")
	s.guests.flag(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.smoke {
		s.repositories, s.branches, s.events, s.runs = 3, 2, 10, 1
	}
	if err := positive(map[string]int{"repositories": s.repositories, "branches": s.branches, "events": s.events, "runs": s.runs}); err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := compete(ctx, printer(stderr), s.contenders)
	if err != nil {
		return err
	}
	return s.report(stdout, facts, rows, s.bars(rows))
}

func (s eventsSettings) total() int { return s.repositories * s.branches * s.events }

func (s eventsSettings) bars(rows []row) []bar {
	var all []bar
	for _, r := range rows {
		if r.System == kubescribe {
			continue
		}
		ours := find(rows, r.Case, kubescribe, r.Files)
		all = append(all, bar{
			what:  fmt.Sprintf("%s, %d: times the wall time of %s", r.Case, s.total(), strings.Replace(r.System, "git", "git fast-import", 1)),
			value: ours.Wall / r.Wall, best: ours.Best / r.Best, limit: 1,
			remark: fmt.Sprintf("; CPU ms, the server's not counted: %.0f beside %.0f", ours.CPU, r.CPU),
		})
	}
	return all
}

func (s eventsSettings) contenders(ctx context.Context, f *field) ([][]*contender, error) {
	template := f.template(caseEvents)
	if err := createRepository(ctx, template, s.history, f.env); err != nil {
		return nil, err
	}
	var groups [][]*contender
	for n, group := range [][]string{{kubescribe, gitOnePush, gitPushes}, {kubescribe, gitOnePush}} {
		var contenders []*contender
		for i, name := range s.guests.beside(group...) {
			folder := fmt.Sprintf("events-%d-%d", n, i)
			contenders = append(contenders, s.contender(f, []string{caseEvents, caseEventsFirst}[n], name, folder, template))
		}
		groups = append(groups, contenders)
	}
	return groups, nil
}

func (s eventsSettings) contender(f *field, kase, name, folder, template string) *contender {
	c := &contender{
		workerJob: workerJob{
			Case: kase, System: name, URL: f.url + "/" + folder, Dir: f.clone(folder), Folder: eventsFolder,
			Repositories: s.repositories, Branches: s.branches, Count: s.events,
		},
		files: s.total(), runs: s.runs, parallel: true, repositories: map[string]string{},
		change: func(round int) change { return change{Round: round} },
	}
	for i := range s.repositories {
		c.repositories[path.Join(folder, eventsRepository(i))] = template
	}
	c.program = s.guests.program(name)
	if kase == caseEvents && name != kubescribe && c.program == "" {
		c.warm = func(ctx context.Context) error { return cloneAll(ctx, c.workerJob, f.remote(folder), f.env) }
	}
	c.check = func(ctx context.Context) error {
		for i := range s.repositories {
			for n := range s.branches {
				last := s.events - 1
				change := change{
					Path:    path.Join(eventsFolder, updatePath(last)),
					Content: eventContent(c.workerJob, i, n, last, c.runs),
				}
				if err := checkBranch(ctx, f.remote(path.Join(folder, eventsRepository(i))), eventsBranch(n), 2+c.runs, change, f.env); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return c
}

func eventsRepository(i int) string { return fmt.Sprintf("r%03d.git", i) }

// eventsBranch is main first, which is what a server's HEAD points to.
func eventsBranch(n int) string {
	if n == 0 {
		return branch
	}
	return fmt.Sprintf("branch-%d", n)
}

// eventContent is that of an object in a round, different everywhere.
func eventContent(job workerJob, repository, branch, i, round int) []byte {
	return fileContent((repository*job.Branches+branch)*job.Count+i, round+1)
}

// history writes one file on each branch.
func (s eventsSettings) history(w io.Writer) error {
	b := bufio.NewWriter(w)
	for n := range s.branches {
		writeCommit(b, eventsBranch(n), 1_700_000_000)
		writeInline(b, "README.md", []byte(eventsBranch(n)))
	}
	return b.Flush()
}

// eventsFlow is the library with all destinations.
type eventsFlow struct {
	*flow
	job          workerJob
	destinations []destination.Destination // of a repository one after the other
}

func newEventsFlow(ctx context.Context, job workerJob) (system, error) {
	return openEventsFlow(ctx, job)
}

func openEventsFlow(ctx context.Context, job workerJob) (*eventsFlow, error) {
	f, err := newFlow(ctx, job.Count)
	if err != nil {
		return nil, err
	}
	e := &eventsFlow{flow: f, job: job}
	for i := range job.Repositories {
		for n := range job.Branches {
			e.destinations = append(e.destinations, destinationAt(job.URL+"/"+eventsRepository(i), eventsBranch(n), job.Folder))
		}
	}
	return e, nil
}

// push has each object of all destinations change before the next one does, as in a cluster where
// everything moves.
func (e *eventsFlow) push(ctx context.Context, c change) error {
	var events []event.Event
	for i := range e.job.Count {
		for n, d := range e.destinations {
			events = append(events, update(d, i, eventContent(e.job, n/e.job.Branches, n%e.job.Branches, i, c.Round)))
		}
	}
	return e.write(ctx, events)
}

func (e *eventsFlow) tidy() error { return nil }

// coldEventsFlow is a new one in each round.
type coldEventsFlow struct{ job workerJob }

func newColdEventsFlow(_ context.Context, job workerJob) (system, error) {
	return coldEventsFlow{job}, nil
}

func (e coldEventsFlow) push(ctx context.Context, c change) error {
	f, err := openEventsFlow(ctx, e.job)
	if err != nil {
		return err
	}
	if err := f.push(ctx, c); err != nil {
		return err
	}
	return f.close()
}

func (e coldEventsFlow) tidy() error { return nil }
