package gogit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-logr/logr"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// Options configure a [Sink]. Nil and the zero value mean the defaults.
type Options struct {
	// Auth returns the credentials for a destination. It is asked for each connection, so short-lived and rotated ones
	// work, and may be called concurrently. Its error fails the Apply and matches itself in the result.
	// Default: no credentials.
	Auth func(ctx context.Context, d destination.Destination) (Auth, error)

	// Committer is used where a commit names none; its When is not. Default: kubescribe <kubescribe@localhost>.
	Committer gitsink.Signature

	// MaxPackBytes bounds what one fetch may receive, and what of it is held in memory at a time. Default: 256 MiB.
	MaxPackBytes int64

	// CacheBytes bounds the memory of the lanes that nobody uses at the moment; the least recently used are forgotten.
	// Default: 64 MiB.
	CacheBytes int64

	// StepTimeout bounds each network step that moves no pack: connecting, logging in and reading what the server
	// advertises. Default: 1 minute.
	StepTimeout time.Duration

	// TransferTimeout bounds each request that sends or receives a pack, the server's hooks included. Default: 10 minutes.
	TransferTimeout time.Duration

	// Pace says how often the repository of a destination may be pushed to. It is asked with each push, so it may change.
	// Default: the zero Pace.
	Pace func(destination.Destination) Pace

	// MaxAttempts is how often a plan is run before Apply gives up with ErrConflict. Default: 10.
	MaxAttempts int

	// Transport does the requests of http and https. A CA bundle in an Auth needs it to be an *http.Transport.
	// Default: a copy of http.DefaultTransport, closed by Close.
	Transport http.RoundTripper

	// Logger is told at level 1 why a plan is run again or a cache is dropped; never credentials or content.
	// Default: nothing is logged.
	Logger logr.Logger
}

func (o *Options) withDefaults() Options {
	var set Options
	if o != nil {
		set = *o
	}
	if set.Auth == nil {
		set.Auth = func(context.Context, destination.Destination) (Auth, error) { return Auth{}, nil }
	}
	if set.Committer.Name == "" {
		set.Committer.Name = "kubescribe"
	}
	if set.Committer.Email == "" {
		set.Committer.Email = "kubescribe@localhost"
	}
	if set.Pace == nil {
		set.Pace = func(destination.Destination) Pace { return Pace{} }
	}
	set.MaxPackBytes = positive(set.MaxPackBytes, 256<<20)
	set.CacheBytes = positive(set.CacheBytes, 64<<20)
	set.StepTimeout = positive(set.StepTimeout, time.Minute)
	set.TransferTimeout = positive(set.TransferTimeout, 10*time.Minute)
	set.MaxAttempts = positive(set.MaxAttempts, 10)
	if set.Logger.GetSink() == nil {
		set.Logger = logr.Discard()
	}
	return set
}

func positive[T int | int64 | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

// Sink is a gitsink.GitSink on go-git. Its contract is the package comment. Make one with New.
type Sink struct {
	opts       Options
	lanes      *lanes
	transports *transports
}

var _ gitsink.GitSink = (*Sink)(nil)

// New makes a Sink. It opens nothing; close it all the same.
func New(opts *Options) *Sink {
	o := opts.withDefaults()
	return &Sink{opts: o, lanes: newLanes(o.CacheBytes), transports: newTransports(o.Transport)}
}

// Apply implements gitsink.GitSink.
func (s *Sink) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	if err := dst.Validate(); err != nil {
		return gitsink.Result{}, &gitsink.Error{Op: opFetch, Destination: dst, Err: err}
	}
	lane, err := s.lanes.acquire(ctx, dst.Lane())
	if err != nil {
		return gitsink.Result{}, &gitsink.Error{Op: opFetch, Destination: dst, Err: err}
	}
	defer s.lanes.release(lane)
	c := &call{remote: newRemote(s, lane, dst), plan: plan}
	if err := c.run(ctx); err != nil {
		return gitsink.Result{Attempts: c.result.Attempts}, err
	}
	return c.result, nil
}

// Close forgets all lanes and closes idle connections.
func (s *Sink) Close() error {
	s.lanes.clear()
	s.transports.close()
	return nil
}

// call is one Apply. It holds the lane, so that nothing else touches the lane's store meanwhile.
type call struct {
	*remote
	plan gitsink.Plan

	result    gitsink.Result
	pending   []*work // pushed with an unknown outcome, and not seen since
	unsettled int     // pushes in a row whose outcome is unknown and that did not move the branch
	refetched bool    // the cache turned out damaged once
}

// base is what a plan is run on.
type base struct {
	old    plumbing.Hash // the branch's tip, to compare and swap with; zero: there is no such branch
	commit plumbing.Hash // the commit to build on: old, or the default branch's tip; zero: none
	root   plumbing.Hash // its tree; zero: none
	folder plumbing.Hash // the tree of the base folder; zero: there is no such folder
}

// run tries until an attempt ends it.
func (c *call) run(ctx context.Context) error {
	for {
		again, err := c.attempt(ctx)
		if !again || err != nil {
			return err
		}
		if c.result.Attempts >= c.sink.opts.MaxAttempts {
			return c.fail(ctx, opPush, fmt.Errorf("the branch moved during each of %d attempts", c.result.Attempts), "", gitsink.ErrConflict)
		}
		if err := pause(ctx, c.result.Attempts); err != nil {
			return c.fail(ctx, opPush, err, "")
		}
	}
}

// attempt fetches, plans, commits and pushes once. again: the branch is not what it was, so plan on what it is.
func (c *call) attempt(ctx context.Context) (again bool, err error) {
	receiver, err := c.open(ctx, receivePack)
	if err != nil {
		return false, c.fail(ctx, opFetch, err, serverWords(err))
	}
	defer receiver.close()
	w, err := c.prepare(ctx, receiver.tip(c.ref))
	if errors.Is(err, errIncomplete) && !c.refetched {
		c.sink.opts.Logger.V(1).Info("cache dropped", "destination", c.dst, "reason", err.Error())
		c.refetched = true
		c.lane.store = newStore()
		return true, nil
	}
	if w == nil || err != nil {
		return false, err
	}
	return c.push(ctx, receiver, w)
}

// prepare checks the branch out, runs the plan and makes its commits. nil means that there is nothing to push.
func (c *call) prepare(ctx context.Context, tip plumbing.Hash) (*work, error) {
	b, err := c.base(ctx, tip)
	if err != nil {
		return nil, c.fail(ctx, opFetch, err, serverWords(err))
	}
	files := &view{call: c, folder: b.folder}
	c.result.Attempts++
	commits, err := c.plan(ctx, files)
	if files.err != nil {
		return nil, c.fail(ctx, opPlan, files.err, "")
	}
	if err != nil {
		return nil, &gitsink.Error{Op: opPlan, Destination: c.dst, Err: err}
	}
	w, err := c.build(b, commits)
	if err != nil {
		return nil, c.fail(ctx, opCommit, err, "")
	}
	if w == nil {
		c.finish(b.old, b.folder)
	}
	return w, nil
}

func (c *call) base(ctx context.Context, tip plumbing.Hash) (base, error) {
	tip, err := c.checkout(ctx, tip, []string{c.dst.BaseFolder})
	if err != nil {
		return base{}, err
	}
	for _, w := range c.pending {
		if c.fetched[w.tip()] {
			c.result.Commits = append(c.result.Commits, w.hashes()...)
			c.pending = nil
			break
		}
	}
	b := base{old: tip, commit: c.lane.store.tip, root: c.lane.store.root}
	b.folder, err = c.lane.store.folder(b.root, c.dst.BaseFolder)
	if err != nil {
		return base{}, err
	}
	if last, ok := c.lane.seen[c.dst.BaseFolder]; ok && b.folder != last.is && b.folder != last.maybe {
		c.result.Foreign = true
	}
	return b, nil
}

// finish notes how the folder was left.
func (c *call) finish(tip, folder plumbing.Hash) {
	if !tip.IsZero() {
		c.result.Tip = tip.String()
	}
	c.lane.seen[c.dst.BaseFolder] = sighting{is: folder, maybe: folder}
}

// pause waits a random time that grows with the attempts, so that two writers of one branch get out of step. Not before the
// second attempt, and never for long: the writer that lost needs more requests for its next try than the one that won.
func pause(ctx context.Context, attempt int) error {
	if attempt < 2 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(min(25*time.Millisecond<<min(attempt, 10), 300*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
