package gogit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/panics"
)

var errPlanEnded = errors.New("the plan ended its goroutine")

// planned is what a plan has returned.
type planned struct {
	commits []gitsink.Commit
	err     error
}

// run runs the plan, unless the caller has left. The worker waits for it no longer than its
// context and planGrace: a plan that goes on then is left behind, on a tree that is of no use any
// more.
func (c *call) run(s *Sink, base *view) (made []gitsink.Commit, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.gone || c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	c.ran = true
	c.result.Attempts++
	defer base.end() //nolint:errcheck // the caller asks again
	traced, end := s.tracePlan(c)
	defer func() { end(made, err) }()
	ctx, cancel := context.WithCancelCause(traced)
	defer cancel(nil)
	defer context.AfterFunc(s.closing, func() { cancel(errClosed) })()
	limit := s.opts.PlanTimeout
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("the plan took longer than %s", limit)) })
	defer timer.Stop()
	base.ctx = ctx
	ended := c.start(ctx, base)
	select {
	case p := <-ended:
		return p.commits, p.because(ctx, c.ctx)
	case <-ctx.Done():
	}
	grace := time.NewTimer(planGrace)
	defer grace.Stop()
	select {
	case p := <-ended:
		return p.commits, p.because(ctx, c.ctx)
	case <-grace.C:
		return nil, fmt.Errorf("%w, and goes on %s after the end of its context", context.Cause(ctx), planGrace)
	}
}

// start runs the plan on a goroutine of its own: a plan that panics or ends its goroutine must
// not take the worker, and with it the other callers, along.
func (c *call) start(ctx context.Context, base gitsink.Tree) <-chan planned {
	ended := make(chan planned, 1)
	go func() {
		p := planned{err: errPlanEnded}
		defer func() {
			if r := recover(); r != nil {
				p = planned{err: fmt.Errorf("the plan panicked: %w\n%s", panics.Error(r), debug.Stack())}
			}
			ended <- p
		}()
		p.commits, p.err = c.plan(ctx, base)
	}()
	return ended
}

// because adds to the error of a plan that was cut off why it was.
func (p planned) because(ctx, caller context.Context) error {
	if cause := context.Cause(ctx); p.err != nil && cause != nil && caller.Err() == nil && !errors.Is(p.err, cause) {
		return fmt.Errorf("%w: %w", cause, p.err)
	}
	return p.err
}
