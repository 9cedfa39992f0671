package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// The case of the command branch, and who pushes how often in it.
const (
	caseBranch = "branch"
	gitOnePush = "git, one push"
	gitPushes  = "git, a push each"
)

// branchSettings are what the command line of branch asks for.
type branchSettings struct {
	common
	files, destinations, runs int
}

// branchCommand measures many destinations that share a branch, with an event each at once.
func branchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s branchSettings
	flags := s.flags("branch", stderr)
	flags.IntVar(&s.files, "files", 1000, "files in the branch")
	flags.IntVar(&s.destinations, "destinations", 50, "destinations on it")
	flags.IntVar(&s.runs, "runs", 5, "measured rounds of each system")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.smoke {
		s.files, s.destinations, s.runs = 200, 5, 1
	}
	if err := positive(map[string]int{"files": s.files, "destinations": s.destinations, "runs": s.runs}); err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := compete(ctx, printer(stderr), s.contenders)
	if err != nil {
		return err
	}
	r := find(rows, caseBranch, kubescribe, s.files)
	name := fmt.Sprintf("branch, %d destinations: ", s.destinations)
	// The commits are all there: that was checked, or there would be no rows.
	return s.report(stdout, facts, rows, []bar{
		{what: name + "pushes", value: r.Pushes, limit: 3},
		{what: name + "refused", value: r.Refused, limit: 0},
	})
}

func (s branchSettings) contenders(ctx context.Context, f *field) ([][]*contender, error) {
	template := f.template(caseBranch)
	if err := createRepository(ctx, template, history(s.files), f.env); err != nil {
		return nil, err
	}
	var group []*contender
	for i, name := range []string{kubescribe, gitOnePush, gitPushes, goGit} {
		repository := fmt.Sprintf("branch-%d.git", i)
		c := &contender{
			workerJob: workerJob{Case: caseBranch, System: name, URL: f.url + "/" + repository, Dir: f.clone(repository)},
			files:     s.files, runs: s.runs, repositories: map[string]string{repository: template},
			// The path stands for all: that of the last destination.
			change: func(round int) change {
				last := s.destinations - 1
				return change{Round: round, Path: branchPath(last), Content: branchContent(last, round)}
			},
		}
		if name != kubescribe {
			c.warm = func(ctx context.Context) error { return clone(ctx, c.workerJob, template, f.env) }
		}
		c.check = func(ctx context.Context) error {
			commits := historyLength(s.files) + (1+c.runs)*s.destinations
			return checkRepository(ctx, f.remote(repository), commits, c.change(c.runs), f.env)
		}
		c.Count = s.destinations
		group = append(group, c)
	}
	return [][]*contender{group}, nil
}

func branchFolder(i int) string         { return fmt.Sprintf("teams/t%04d", i) }
func branchPath(i int) string           { return path.Join(branchFolder(i), updatePath(i)) }
func branchContent(i, round int) []byte { return fileContent(i, round+1) }
func branchChange(i int, round change) change {
	return change{Path: branchPath(i), Content: branchContent(i, round.Round)}
}

// branchFlow is the library with all destinations.
type branchFlow struct {
	*flow
	destinations []destination.Destination
}

func newBranchFlow(ctx context.Context, job workerJob) (system, error) {
	f, err := newFlow(ctx, 1)
	if err != nil {
		return nil, err
	}
	b := &branchFlow{flow: f}
	for i := range job.Count {
		b.destinations = append(b.destinations, destinationAt(job.URL, branch, branchFolder(i)))
	}
	return b, nil
}

func (b *branchFlow) push(ctx context.Context, c change) error {
	events := make([]event.Event, len(b.destinations))
	for i, d := range b.destinations {
		events[i] = update(d, i, branchContent(i, c.Round))
	}
	return b.write(ctx, events)
}

func (b *branchFlow) tidy() error { return nil }

// branchClone is the git command in one warm clone: a commit for each destination, pushed one by
// one or together.
type branchClone struct {
	warmClone
	count int
	each  bool
}

func newBranchClone(_ context.Context, job workerJob) (system, error) {
	return &branchClone{warmClone: warmClone{dir: job.Dir}, count: job.Count, each: job.System == gitPushes}, nil
}

func (b *branchClone) push(ctx context.Context, c change) error {
	for i := range b.count {
		err := b.commit(ctx, branchChange(i, c))
		if err == nil && (b.each || i == b.count-1) {
			err = b.send(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// branchWorktree is go-git's worktree, which pushes each commit.
type branchWorktree struct {
	system
	count int
}

func newBranchWorktree(ctx context.Context, job workerJob) (system, error) {
	w, err := newWorktree(ctx, job)
	return &branchWorktree{system: w, count: job.Count}, err
}

func (b *branchWorktree) push(ctx context.Context, c change) error {
	var faults []error
	for i := range b.count {
		faults = append(faults, b.system.push(ctx, branchChange(i, c)))
	}
	return errors.Join(faults...)
}
