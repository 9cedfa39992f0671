package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// concurrencyChecks are about calls that come at the same time.
var concurrencyChecks = []check{
	{
		name:    "concurrent calls for one folder all land, once each",
		promise: "Calls may be concurrent, also for one branch.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			return e.countTogether(ctx, d, []gitsink.GitSink{s, s, s, s}, 2)
		},
	},
	{
		name:    "concurrent calls of several sinks all land, once each",
		promise: "Nobody's commit is lost",
		run: func(ctx context.Context, e *env) error {
			s, other := e.sink(), e.sink()
			return e.countTogether(ctx, e.to("base"), []gitsink.GitSink{s, other, s, other}, 2)
		},
	},
	{
		name:    "concurrent calls for several folders all land, once each",
		promise: "Calls may be concurrent, also for one branch.",
		run: func(ctx context.Context, e *env) error {
			s, want := e.sink(), map[string]gitservertest.File{}
			var calls calls
			for i := range 8 {
				folder := fmt.Sprint("folder-", i)
				want[folder+"/a"], want[folder+"/b"] = gitservertest.File{Content: "1"}, gitservertest.File{Content: "2"}
				calls.add(func() error {
					r, err := s.Apply(ctx, e.to(folder), propose(
						gitsink.Commit{Message: folder + " one", Changes: writes("a", "1")}, gitsink.Commit{Message: folder + " two", Changes: writes("b", "2")},
					))
					if err == nil && r.Foreign {
						err = fmt.Errorf("%s: Foreign, although nobody else was there", folder)
					}
					return err
				})
			}
			if err := errors.Join(calls.wait(), e.holdsFiles("main", want)); err != nil {
				return err
			}
			return e.inTurn("main", 16)
		},
	},
	{
		name:    "a call that fails harms no other",
		promise: "A plan that panics fails its own call, by an error or the panic, and nothing else.",
		run: func(ctx context.Context, e *env) error {
			s, want := e.sink(), map[string]gitservertest.File{}
			var calls calls
			for i := range 12 {
				d := e.to(fmt.Sprint("folder-", i))
				if i%2 == 0 {
					want[d.BaseFolder+"/a"] = gitservertest.File{Content: "1"}
					calls.add(func() error { _, err := s.Apply(ctx, d, put("a", "1")); return err })
					continue
				}
				calls.add(func() error {
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					err := survived(func() error { _, err := s.Apply(ctx, d, spoiled(i, cancel)); return err })
					if err == nil && i%8 != 7 {
						return fmt.Errorf("the failing call %d returned nil", i)
					}
					if err == nil { // its context ended too late
						return nil
					}
					if _, written := e.Observer.Files("main")[d.BaseFolder+"/a"]; written && !errors.Is(err, gitsink.ErrUnknown) {
						return fmt.Errorf("the failing call %d has written, and returned %w", i, err)
					}
					return nil
				})
			}
			if err := calls.wait(); err != nil {
				return err
			}
			got := e.Observer.Files("main")
			for i := 7; i < 12; i += 8 { // may have landed
				delete(got, fmt.Sprintf("folder-%d/a", i))
			}
			return differ("the branch main", got, want)
		},
	},
	{
		name:    "a call that waits can be given up",
		promise: "A call that waits for another returns when its context ends.",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			free := make(chan struct{})
			first, err := e.held(ctx, s, d, free)
			if err != nil {
				return err
			}
			cancellable, cancel := context.WithCancel(ctx)
			waiting := &askedContext{Context: cancellable, asked: make(chan struct{})}
			ended := make(chan error, 1)
			go func() {
				_, err := s.Apply(waiting, e.to("other"), put("b", "1"))
				ended <- err
			}()
			err = waiting.giveUp(ended, cancel, e.patience)
			close(free)
			<-first
			files := []string{"base/a", "1"}
			if err == nil {
				files = append(files, "other/b", "1")
			} else if !errors.Is(err, context.Canceled) {
				return err
			}
			return e.holds("main", files...)
		},
	},
	{
		name:    "branches do not wait for each other",
		promise: "A slow plan holds up no branch but its own.",
		run: func(ctx context.Context, e *env) error {
			s := e.sink()
			free := make(chan struct{})
			first, err := e.held(ctx, s, e.to("base"), free)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, e.patience/2)
			_, err = s.Apply(ctx, e.on("dev", "base"), put("b", "1"))
			cancel()
			close(free)
			<-first
			return errors.Join(err, e.holds("main", "base/a", "1"), e.holds("dev", "base/b", "1"))
		},
	},
}

// askedContext tells when somebody waits for its end.
type askedContext struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

// Done implements context.Context.
func (c *askedContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.asked) })
	return c.Context.Done()
}

// giveUp ends the context of a call once it waits, and returns what the call returned. A call that
// waits without asking for the end of its context gets some time.
func (c *askedContext) giveUp(ended <-chan error, cancel func(), patience time.Duration) error {
	defer cancel()
	timer := time.NewTimer(patience / 20)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-c.asked:
	case <-timer.C:
	}
	cancel()
	timer.Reset(patience)
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return errors.New("it waits although its context has ended")
	}
}

// calls run at the same time.
type calls struct {
	running sync.WaitGroup
	mu      sync.Mutex // guards faults
	faults  []error
}

func (c *calls) add(call func() error) {
	c.running.Go(func() {
		if err := survived(call); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.faults = append(c.faults, err)
		}
	})
}

func (c *calls) wait() error {
	c.running.Wait()
	return errors.Join(c.faults...)
}

// countTogether has each sink count up in one file, so many times, and wants nobody to overlook
// another.
func (e *env) countTogether(ctx context.Context, d destination.Destination, sinks []gitsink.GitSink, times int) error {
	var calls calls
	for i, s := range sinks {
		calls.add(func() error {
			for n := range times {
				plan := watch(func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
					commits, err := increment(ctx, base)
					if err == nil {
						commits[0].Changes = append(commits[0].Changes, writes(fmt.Sprintf("of-%d/%d", i, n), "1")...)
					}
					return commits, err
				})
				r, err := s.Apply(ctx, d, plan.run)
				for errors.Is(err, gitsink.ErrConflict) && ctx.Err() == nil {
					plan.runs.Store(0)
					r, err = s.Apply(ctx, d, plan.run)
				}
				if err := errors.Join(err, plan.agrees(r)); err != nil {
					return err
				}
				if len(r.Commits) != 1 {
					return fmt.Errorf("one commit is reported as %q", r.Commits)
				}
			}
			return nil
		})
	}
	if err := calls.wait(); err != nil {
		return err
	}
	want := contents("base/count", fmt.Sprint(times*len(sinks)))
	for i := range sinks {
		for n := range times {
			want[fmt.Sprintf("base/of-%d/%d", i, n)] = gitservertest.File{Content: "1"}
		}
	}
	return errors.Join(e.holdsFiles("main", want), e.inTurn("main", times*len(sinks)))
}

// inTurn wants a branch to have n commits in a line, with a message each. A store without a history
// has passed.
func (e *env) inTurn(branch string, n int) error {
	if _, ok := e.Observer.(Historian); !ok {
		return nil
	}
	for _, c := range e.log(branch) {
		if len(c.Parents) > 1 {
			return fmt.Errorf("commit %s is a merge", c.Hash)
		}
	}
	subjects := e.subjects(branch)
	slices.Sort(subjects)
	if each := len(slices.Compact(slices.Clone(subjects))); each != n || len(subjects) != n {
		return fmt.Errorf("the branch has %d commits, %d of them different; want %d: %q", len(subjects), each, n, subjects)
	}
	return nil
}

// spoiled plans that fail in one way or another.
func spoiled(i int, cancel func()) gitsink.Plan {
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		commits := []gitsink.Commit{{Message: "spoiled", Changes: writes("a", "1")}}
		switch i % 8 {
		case 1:
			return commits, errOfPlan
		case 3:
			panic("of the plan")
		case 5:
			commits[0].Changes = append(commits[0].Changes, writes("../a", "1")...)
		case 7:
			cancel()
		}
		return commits, nil
	}
}

// held starts an Apply whose plan, in its first run, waits until free is closed, and returns when
// it waits. What is returned is closed when the Apply has ended.
func (e *env) held(ctx context.Context, s gitsink.GitSink, d destination.Destination, free <-chan struct{}) (<-chan struct{}, error) {
	waits, ended := make(chan struct{}), make(chan struct{})
	var fault error
	plan := onFirst(func() error {
		close(waits)
		<-free
		return nil
	}, put("a", "1"))
	go func() {
		defer close(ended)
		_, fault = s.Apply(ctx, d, plan.run)
	}()
	select {
	case <-waits:
		return ended, nil
	case <-ended:
		return nil, errors.Join(fault, errors.New("the call ended without its plan"))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
