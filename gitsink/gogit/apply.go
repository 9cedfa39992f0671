package gogit

import (
	"context"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// Apply implements gitsink.GitSink.
func (s *Sink) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	if err := dst.Validate(); err != nil {
		return gitsink.Result{}, &gitsink.Error{Op: opFetch, Destination: dst, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return gitsink.Result{}, &gitsink.Error{Op: opFetch, Destination: dst, Err: err}
	}
	c := newCall(ctx, dst, plan)
	if err := s.admit(c); err != nil {
		return gitsink.Result{}, err
	}
	if l := s.lanes.submit(c); l != nil {
		s.workers.Go(func() { s.serve(l) })
	}
	return s.wait(c)
}

// admit asks for a call in its caller's own goroutine, so that one whose answer is slow keeps
// nobody else waiting.
func (s *Sink) admit(c *call) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	got, err := s.asker.ask(ctx, c.dst)
	if err == nil && s.closing.Err() != nil {
		err = errClosed
	}
	if err != nil {
		return c.refusal(err)
	}
	c.take(got)
	c.held = &got.auth
	return nil
}

// wait waits until the call is done, or can be left because its context has ended.
func (s *Sink) wait(c *call) (gitsink.Result, error) {
	select {
	case <-c.done:
		return c.result, c.err
	case <-c.ctx.Done():
	}
	left := func(op string, classes ...error) (gitsink.Result, error) {
		return gitsink.Result{}, fail(c.ctx, c.dst, nil, op, c.ctx.Err(), "", classes...)
	}
	if s.lanes.withdraw(c) || c.leave() {
		return left(opFetch)
	}
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.result, c.err
	case <-timer.C:
		// The plan is not run any more: run looks at ctx. One that still runs is left behind.
		return left(opPush, gitsink.ErrUnknown)
	}
}
