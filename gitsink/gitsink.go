package gitsink

import (
	"context"

	"github.com/kubescribe/kubescribe/destination"
)

// GitSink writes commits to branches. Its contract is the package comment.
type GitSink interface {
	// Apply checks the destination's branch out at its newest remote commit, runs plan on the files
	// below its base folder, commits what plan returns and pushes. nil means that the remote has
	// it, or that there was nothing to change. If the branch moved meanwhile, plan is run again on
	// the new tree: changes are never merged by lines. Calls may be concurrent, also for one
	// branch. An error of plan is returned as it is, wrapped in an *Error.
	Apply(ctx context.Context, dst destination.Destination, plan Plan) (Result, error)
	// Close ends what the sink keeps open. Apply must not be called any more.
	Close() error
}

// Plan decides what to commit on top of base; no commits mean that nothing has to change. It has no
// side effects, since it is run any number of times: the last run counts. It must not call the
// sink, which may wait for it.
type Plan func(ctx context.Context, base Tree) ([]Commit, error)

// Result is what Apply did.
type Result struct {
	Commits  []string // the commits made, oldest first; empty if nothing had to change
	Tip      string   // the branch's commit that has what the plan wanted; "" if there is no branch
	Attempts int      // the number of runs of the plan
	Foreign  bool     // somebody else changed this folder since the sink last saw it
}
