package gogit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// leaveTimeout is how long a caller whose context has ended waits to learn what has become of a
// push that may hold its commits. It is longer than lookTimeout, so that the answer comes in
// time.
const leaveTimeout = lookTimeout + smart.CloseTimeout/2

// lookTimeout is for a look at the branch after the caller's context has ended.
const lookTimeout = 10 * time.Second

// call is one Apply: it waits in a lane until a worker takes it into a group and runs its plan.
// The caller waits for done.
type call struct {
	ctx  context.Context // the caller's: a call lives as long as the caller waits
	dst  destination.Destination
	plan gitsink.Plan
	lane destination.RemoteBranch
	done chan struct{} // closed when result and err are set

	// What Options have said of it. Set before it waits; then the worker's, and guarded by lanes.mu
	// while it waits.
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

// finish tells the caller the outcome.
func (c *call) finish(err error) {
	if err != nil {
		c.result = gitsink.Result{Attempts: c.result.Attempts}
	}
	c.err, c.over, c.held = err, true, nil
	close(c.done)
}

// groupKey is what the calls of a group share beside their lane: where they go, under which
// credentials and at what rate. Only what Options answered for each call is in it, nothing that a
// destination says of itself.
type groupKey struct {
	url   string // as it is dialled
	who   identity
	limit RateLimit
	alone *call // of one that shares with nobody
}

// refusal is the error of a call that may not use what it needs.
func (c *call) refusal(err error) error {
	if unsigned := (*signError)(nil); errors.As(err, &unsigned) {
		return fail(c.ctx, c.dst, nil, opCommit, err, "", unsigned.err)
	}
	return fail(c.ctx, c.dst, nil, opFetch, err, "")
}
