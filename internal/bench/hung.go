package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// The cases of the command hung.
const (
	caseAnswering = "all answer"
	caseHung      = "one hangs"
)

// hungSettings are what the command line of hung asks for.
type hungSettings struct {
	common
	files, destinations, runs int
}

// hungCommand measures what a repository that hangs takes from another one's pushes.
func hungCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s hungSettings
	flags := s.flags("hung", stderr)
	flags.IntVar(&s.files, "files", 1000, "files in the repository that answers")
	flags.IntVar(&s.destinations, "destinations", 1000, "destinations of the one that hangs, a branch each")
	flags.IntVar(&s.runs, "runs", 21, "measured rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.smoke {
		s.files, s.destinations, s.runs = 200, 50, 2
	}
	if err := positive(map[string]int{"files": s.files, "destinations": s.destinations, "runs": s.runs}); err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := compete(ctx, printer(stderr), s.contenders)
	if err != nil {
		return err
	}
	answering, hung := find(rows, caseAnswering, kubescribe, s.files), find(rows, caseHung, kubescribe, s.files)
	name := fmt.Sprintf("a repository that hangs, with %d destinations: ", s.destinations)
	return s.report(stdout, facts, rows, []bar{
		{what: name + "ms that it delays another one's push", value: hung.Wall - answering.Wall, best: hung.Best - answering.Best, limit: 100},
		{what: name + "the same of the slowest rounds, without the server's part", value: hung.worstOwn - answering.worstOwn, limit: 100},
	})
}

func (s hungSettings) contenders(ctx context.Context, f *field) ([][]*contender, error) {
	template := f.template("hung")
	if err := createRepository(ctx, template, history(s.files), f.env); err != nil {
		return nil, err
	}
	var group []*contender
	for i, kase := range []string{caseAnswering, caseHung} {
		repository := fmt.Sprintf("hung-%d.git", i)
		c := &contender{
			workerJob: workerJob{Case: kase, System: kubescribe, URL: f.url + "/" + repository, Count: s.destinations},
			files:     s.files, runs: s.runs, repositories: map[string]string{repository: template},
			change: func(round int) change {
				return change{Round: round, Path: updatePath(0), Content: fileContent(0, round+1)}
			},
		}
		c.check = func(ctx context.Context) error {
			return checkRepository(ctx, f.remote(repository), historyLength(s.files)+1+c.runs, c.change(c.runs), f.env)
		}
		group = append(group, c)
	}
	return [][]*contender{group}, nil
}

// loneFlow is the library with one destination whose repository answers.
type loneFlow struct {
	*flow
	dst destination.Destination
}

func newLoneFlow(ctx context.Context, job workerJob) (system, error) { return openLoneFlow(ctx, job) }

func openLoneFlow(ctx context.Context, job workerJob) (*loneFlow, error) {
	f, err := newFlow(ctx, 1)
	return &loneFlow{flow: f, dst: destinationAt(job.URL, branch, "")}, err
}

func (l *loneFlow) push(ctx context.Context, c change) error {
	return l.write(ctx, []event.Event{update(l.dst, 0, c.Content)})
}

func (l *loneFlow) tidy() error { return nil }

// newHungFlow is the same in the neighbourhood of a server that accepts connections and never
// answers. Every destination there has an event that is due.
func newHungFlow(ctx context.Context, job workerJob) (system, error) {
	l, err := openLoneFlow(ctx, job)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go hold(listener)
	for i := range job.Count {
		d := destinationAt("http://"+listener.Addr().String()+"/hung.git", fmt.Sprintf("b%04d", i), "")
		if err := l.queue.Add(ctx, update(d, 0, fileContent(i, 0))); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// hold accepts connections, reads what comes and says nothing.
func hold(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
}
