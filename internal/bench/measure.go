package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The slow ones, go-git's worktree and what clones, get at most so many rounds.
const slowRuns = 5

// contender is a system at work on repositories of its own, and what it took so far.
type contender struct {
	workerJob
	files, runs int
	// What it finds on the server: the template of each, by name.
	repositories map[string]string
	// Makes what it has before the first round, if that is anything.
	warm   func(ctx context.Context) error
	change func(round int) change          // what a round asks for
	check  func(ctx context.Context) error // fails unless the server has all that was pushed
	// Requests overlap, so that their times do not add up to the round's.
	parallel bool

	process *process
	rounds  []round
}

// round is what the contender and the server say of one round.
type round struct {
	sample
	served
}

// field is where systems compete: a folder and a Git server.
type field struct {
	progress func(format string, values ...any)
	home     string // holds everything, and is removed
	env      []string
	server   *process
	url      string
	total    served // until now
}

// compete sets a field up, has make say who competes, measures them and says how much memory a
// process holds that does nothing.
func compete(
	ctx context.Context, progress func(string, ...any), groups func(context.Context, *field) ([][]*contender, error),
) (rows []row, err error) {
	f, err := newField(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	all, err := groups(ctx, f)
	if err != nil {
		return nil, err
	}
	var contenders []*contender
	for _, group := range all {
		if err := f.compete(ctx, group); err != nil {
			return nil, err
		}
		contenders = append(contenders, group...)
	}
	nothing, err := f.idle(ctx)
	return tabulate(contenders, nothing), err
}

// newField makes the folder and starts the server.
func newField(ctx context.Context, progress func(string, ...any)) (*field, error) {
	home, err := os.MkdirTemp("", "kubescribe-bench-")
	if err != nil {
		return nil, err
	}
	f := &field{progress: progress, home: home, env: environment(home)}
	if err := f.serve(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	return f, nil
}

func (f *field) close() error { return errors.Join(f.server.stop(), os.RemoveAll(f.home)) }

// serve starts the server.
func (f *field) serve(ctx context.Context) error {
	programs, err := git(ctx, "", nil, f.env, "--exec-path")
	if err != nil {
		return err
	}
	if f.server, err = start(ctx, "", "serve", "the Git server", f.home); err != nil {
		return err
	}
	var state serverState
	job := serverJob{Root: f.remote(""), Backend: filepath.Join(strings.TrimSpace(programs), "git-http-backend")}
	err = f.server.call(job, &state)
	f.url = state.URL
	return err
}

func (f *field) template(name string) string { return filepath.Join(f.home, "templates", name+".git") }
func (f *field) clone(name string) string    { return filepath.Join(f.home, "clones", name) }
func (f *field) remote(name string) string   { return filepath.Join(f.home, "served", name) }

// compete measures the contenders, a round of each in turn. Who begins changes from round to round,
// so that nobody always comes after the same one.
func (f *field) compete(ctx context.Context, contenders []*contender) (err error) {
	defer func() {
		for _, c := range contenders {
			if c.process != nil {
				err = errors.Join(err, c.process.stop())
			}
		}
	}()
	for _, c := range contenders {
		if err := f.start(ctx, c); err != nil {
			return err
		}
	}
	syscall.Sync() // what the clones left to be written would be written during the first rounds
	rounds := 0
	for _, c := range contenders {
		rounds = max(rounds, c.runs)
	}
	for n := 1; n <= rounds; n++ {
		f.progress("%s: round %d of %d", contenders[0].Case, n, rounds)
		for i := range contenders {
			c := contenders[(i+n)%len(contenders)]
			if n > c.runs {
				continue
			}
			if err := f.round(c, n); err != nil {
				return err
			}
		}
	}
	for _, c := range contenders {
		if err := c.check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts the contender and has it do a round that is not counted.
func (f *field) start(ctx context.Context, c *contender) error {
	f.progress("%s: warming up %s on %d files", c.Case, c.System, c.files)
	for name, template := range c.repositories {
		if err := copyRepository(template, f.remote(name)); err != nil {
			return err
		}
	}
	if c.warm != nil {
		if err := c.warm(ctx); err != nil {
			return err
		}
	}
	var err error
	if c.process, err = start(ctx, c.program, "work", c.Case+" "+c.System, f.home); err != nil {
		return err
	}
	var ready sample
	if err := c.process.call(c.workerJob, &ready); err != nil {
		return err
	}
	err = f.round(c, 0)
	c.rounds = nil
	return err
}

// round measures a round; its number decides what is changed. It ends when the server is idle
// again.
func (f *field) round(c *contender, number int) error {
	var r round
	if err := c.process.call(c.change(number), &r.sample); err != nil {
		return err
	}
	var state serverState
	if err := f.server.call(struct{}{}, &state); err != nil {
		return err
	}
	r.served = state.Served.minus(f.total)
	f.total = state.Served
	c.rounds = append(c.rounds, r)
	return nil
}

// idle is what a worker holds that does nothing.
func (f *field) idle(ctx context.Context) (sample, error) {
	p, err := start(ctx, "", "work", "the idle process", f.home)
	if err != nil {
		return sample{}, err
	}
	var s sample
	err = p.call(workerJob{Case: casePush, System: idle}, &s)
	return s, errors.Join(err, p.stop())
}
