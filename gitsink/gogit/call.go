package gogit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/panics"
)

// leaveTimeout is how long a caller whose context has ended waits to learn what has become of a push that may hold its
// commits. It is longer than lookTimeout, so that the answer comes in time.
const leaveTimeout = lookTimeout + smart.CloseTimeout/2

// lookTimeout is for a look at the branch after the caller's context has ended.
const lookTimeout = 10 * time.Second

// call is one Apply: it waits in a lane until a worker takes it into a group and runs its plan. The caller waits for done.
type call struct {
	ctx  context.Context // the caller's; a call is the caller's request to the worker and lives as long as it
	dst  destination.Destination
	plan gitsink.Plan
	lane destination.RemoteBranch
	done chan struct{} // closed when result and err are set

	// What Options have said of it. Set before it waits; then the worker's, and guarded by lanes.mu while it waits.
	key    groupKey
	signer Signer
	asked  time.Time
	held   *Auth // for its first connection, if that is made at once; never while it waits
	moves  int   // from one group to another

	turn sync.Mutex // held while the plan runs; guards what follows
	ran  bool       // a push may hold commits of the plan
	gone bool       // the caller has left, so the plan is not to be run any more

	// The worker's until done is closed.
	result gitsink.Result
	err    error
	over   bool
	stop   func() bool // ends what waits for the end of ctx
}

func newCall(ctx context.Context, d destination.Destination, plan gitsink.Plan) *call {
	return &call{ctx: ctx, dst: d, plan: plan, lane: d.RemoteBranch(), done: make(chan struct{})}
}

// wait waits until the call is done, or can be left because its context has ended.
func (c *call) wait(s *Sink) (gitsink.Result, error) {
	select {
	case <-c.done:
		return c.result, c.err
	case <-c.ctx.Done():
	}
	left := func(op string, classes ...error) (gitsink.Result, error) {
		r := remote{dst: c.dst}
		return gitsink.Result{}, r.fail(c.ctx, op, c.ctx.Err(), "", classes...)
	}
	if s.lanes.withdraw(c) || c.leave() {
		return left(opFetch)
	}
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.result, c.err
	case <-timer.C: // the plan is not run any more: run looks at ctx. One that still runs is left behind
		return left(opPush, gitsink.ErrUnknown)
	}
}

// leave makes sure that the plan is never run. It fails if the plan is running or has run.
func (c *call) leave() bool {
	if !c.turn.TryLock() {
		return false
	}
	defer c.turn.Unlock()
	if c.ran {
		return false
	}
	c.gone = true
	return true
}

var errPlanEnded = errors.New("the plan ended its goroutine")

// planGrace is how long a plan may go on after its context has ended.
const planGrace = 2 * time.Second

// planned is what a plan has returned.
type planned struct {
	commits []gitsink.Commit
	err     error
}

// run runs the plan, unless the caller has left. The worker waits for it no longer than its context and planGrace: a plan
// that goes on then is left behind, on a tree that is of no use any more.
func (c *call) run(s *Sink, base *view) ([]gitsink.Commit, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.gone || c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	c.ran = true
	c.result.Attempts++
	defer base.end() //nolint:errcheck // the caller asks again
	ctx, cancel := context.WithCancelCause(c.ctx)
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

// start runs the plan on a goroutine of its own: a plan that panics or ends its goroutine must not take the worker, and
// with it the other callers, along.
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

// finish tells the caller the outcome.
func (c *call) finish(err error) {
	if err != nil {
		c.result = gitsink.Result{Attempts: c.result.Attempts}
	}
	c.err, c.over, c.held = err, true, nil
	close(c.done)
}
