package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The slow ones, go-git's worktree and what clones, get at most so many rounds.
const slowRuns = 5

// contender is a system at work on a repository of its own, and what it took so far.
type contender struct {
	workerJob
	files, runs int
	name        string // of its repository on the server
	process     *process
	served      served // until now
	rounds      []round
}

// round is what the contender and the server say of one round.
type round struct {
	sample
	served
}

// bench is one run: a folder, a server and what was measured.
type bench struct {
	pushSettings
	progress func(format string, values ...any)
	home     string // holds everything, and is removed
	env      []string
	server   *process
	url      string
}

// measure measures all cases one after the other.
func measure(ctx context.Context, s pushSettings, progress func(string, ...any)) (rows []row, err error) {
	home, err := os.MkdirTemp("", "kubescribe-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	b := &bench{pushSettings: s, progress: progress, home: home, env: environment(home)}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()

	var push []*contender
	for _, files := range s.files {
		for _, name := range []string{kubescribe, commandGit, goGit} {
			push = append(push, b.contender(casePush, name, files))
		}
	}
	largest := s.files[len(s.files)-1]
	first := []*contender{b.contender(caseFirst, kubescribe, largest), b.contender(caseFirst, commandGit, largest)}
	for _, contenders := range [][]*contender{push, first} {
		if err := b.compete(ctx, contenders); err != nil {
			return nil, err
		}
	}
	nothing, err := b.idle(ctx)
	if err != nil {
		return nil, err
	}
	return tabulate(append(push, first...), nothing), nil
}

func (b *bench) template(files int) string {
	return filepath.Join(b.home, "templates", fmt.Sprintf("%d.git", files))
}

// prepare makes the repositories to copy, and starts the server.
func (b *bench) prepare(ctx context.Context) error {
	for _, files := range b.files {
		b.progress("making a repository of %d files", files)
		if err := createRepository(ctx, b.template(files), files, b.env); err != nil {
			return err
		}
	}
	programs, err := git(ctx, "", nil, b.env, "--exec-path")
	if err != nil {
		return err
	}
	if b.server, err = start(ctx, "serve", "the Git server", b.home); err != nil {
		return err
	}
	var state serverState
	job := serverJob{Root: filepath.Join(b.home, "served"), Backend: filepath.Join(strings.TrimSpace(programs), "git-http-backend")}
	err = b.server.call(job, &state)
	b.url = state.URL
	return err
}

func (b *bench) contender(kase, name string, files int) *contender {
	c := &contender{files: files, runs: b.runs, name: fmt.Sprintf("%s-%s-%d.git", kase, name, files)}
	if name == goGit || kase == caseFirst {
		c.runs = min(c.runs, slowRuns)
	}
	c.workerJob = workerJob{
		Case: kase, System: name, URL: b.url + "/" + c.name, Dir: filepath.Join(b.home, "clones", c.name),
	}
	return c
}

// compete measures the contenders of one case, a round of each in turn. Who begins changes from round to round, so that
// nobody always comes after the same one.
func (b *bench) compete(ctx context.Context, contenders []*contender) (err error) {
	defer func() {
		for _, c := range contenders {
			if c.process != nil {
				err = errors.Join(err, c.process.stop())
			}
		}
	}()
	for _, c := range contenders {
		if err := b.warm(ctx, c); err != nil {
			return err
		}
	}
	syscall.Sync() // what the clones left to be written would be written during the first rounds
	rounds := 0
	for _, c := range contenders {
		rounds = max(rounds, c.runs)
	}
	for n := 1; n <= rounds; n++ {
		b.progress("%s: round %d of %d", contenders[0].Case, n, rounds)
		for i := range contenders {
			c := contenders[(i+n)%len(contenders)]
			if n > c.runs {
				continue
			}
			if err := b.round(c, n); err != nil {
				return err
			}
		}
	}
	for _, c := range contenders {
		if err := b.check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// warm starts the contender and has it do a round that is not counted.
func (b *bench) warm(ctx context.Context, c *contender) error {
	b.progress("%s: warming up %s on %d files", c.Case, c.System, c.files)
	template := b.template(c.files)
	err := copyRepository(template, filepath.Join(b.home, "served", c.name))
	if err == nil && c.Case == casePush && c.System != kubescribe {
		err = clone(ctx, c.workerJob, template, b.env)
	}
	if err != nil {
		return err
	}
	if c.process, err = start(ctx, "work", c.Case+" "+c.System, b.home); err != nil {
		return err
	}
	var ready sample
	if err := c.process.call(c.workerJob, &ready); err != nil {
		return err
	}
	err = b.round(c, 0)
	c.rounds = nil
	return err
}

// round measures a round; its number decides what is changed. It ends when the server is idle again.
func (b *bench) round(c *contender, number int) error {
	var r round
	if err := c.process.call(c.change(number), &r.sample); err != nil {
		return err
	}
	var state serverState
	if err := b.server.call(struct{}{}, &state); err != nil {
		return err
	}
	before := c.served
	c.served = state.Served[c.name]
	r.served = served{Requests: c.served.Requests - before.Requests, Busy: c.served.Busy - before.Busy}
	c.rounds = append(c.rounds, r)
	return nil
}

// change is that of a round: another folder each time.
func (c *contender) change(round int) change {
	i := round * 7919 % c.files
	return change{Path: filePath(i), Content: fileContent(i, round+1)}
}

// check fails unless the server has all that was pushed.
func (b *bench) check(ctx context.Context, c *contender) error {
	last := c.change(c.runs)
	commits := historyLength(c.files) + 1 + c.runs // one to warm up
	return checkRepository(ctx, filepath.Join(b.home, "served", c.name), commits, last.Path, last.Content, b.env)
}

// idle is what a worker holds that does nothing.
func (b *bench) idle(ctx context.Context) (sample, error) {
	p, err := start(ctx, "work", "the idle process", b.home)
	if err != nil {
		return sample{}, err
	}
	var s sample
	err = p.call(workerJob{Case: casePush, System: idle}, &s)
	return s, errors.Join(err, p.stop())
}
