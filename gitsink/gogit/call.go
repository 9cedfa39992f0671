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
	"github.com/kubescribe/kubescribe/internal/panics"
)

// leaveTimeout is how long a caller whose context has ended waits to learn what has become of a push that may hold its
// commits. It is longer than lookTimeout, so that the answer comes in time.
const leaveTimeout = lookTimeout + closeTimeout/2

// call is one Apply: it waits in a lane until a worker takes it into a group and runs its plan. The caller waits for done.
type call struct {
	ctx  context.Context // the caller's; a call is the caller's request to the worker and lives as long as it
	dst  destination.Destination
	plan gitsink.Plan
	lane destination.Lane
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
	return &call{ctx: ctx, dst: d, plan: plan, lane: d.Lane(), done: make(chan struct{})}
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
	if s.lanes.withdraw(c) || c.leave(false) {
		return left(opFetch)
	}
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.result, c.err
	case <-timer.C:
		c.leave(true)
		return left(opPush, gitsink.ErrUnknown)
	}
}

// leave makes sure that the plan is not run any more. Unless the caller has to go, it fails if the plan is running or
// has run.
func (c *call) leave(must bool) bool {
	if must {
		c.turn.Lock()
	} else if !c.turn.TryLock() {
		return false
	}
	defer c.turn.Unlock()
	if c.ran && !must {
		return false
	}
	c.gone = true
	return true
}

var errPlanEnded = errors.New("the plan ended its goroutine")

// run runs the plan, unless the caller has left.
func (c *call) run(base gitsink.Tree) (commits []gitsink.Commit, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.gone || c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	c.ran = true
	c.result.Attempts++
	// A goroutine of its own: a plan that panics or ends its goroutine must not take the worker, and with it the other
	// callers, along.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = errPlanEnded
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("the plan panicked: %w\n%s", panics.Error(r), debug.Stack())
			}
		}()
		commits, err = c.plan(c.ctx, base)
	}()
	<-ended
	return commits, err
}

// finish tells the caller the outcome.
func (c *call) finish(err error) {
	if err != nil {
		c.result = gitsink.Result{Attempts: c.result.Attempts}
	}
	c.err, c.over, c.held = err, true, nil
	close(c.done)
}
