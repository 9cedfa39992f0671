package gogit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/panics"
	"github.com/kubescribe/kubescribe/queue"
)

// maxLeft is the number of questions for one destination that may be left behind at a time: each keeps a goroutine, and a
// queue tries again for ever.
const maxLeft = 8

// reply is what the user's code has returned.
type reply[T any] struct {
	value T
	err   error
}

// attend asks the user's code on a goroutine of its own, and waits no longer than ctx, StepTimeout and then planGrace: what goes
// on is left behind, and counted. Else an answer that ignores its context would hold its call, or a lane with all who wait
// there, for ever. A panic is an error, as that of a plan is, and so is the end of the goroutine.
func await[T any](ctx context.Context, s *Sink, d destination.Ref, who string, ask func(context.Context) (T, error)) (T, error) {
	var none T
	if n := s.left.of(d); n >= maxLeft {
		return none, fmt.Errorf("%s is not asked: %d questions for this destination go on after the end of their context: %w",
			who, n, queue.ErrLeftBehind)
	}
	limit := s.opts.StepTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w of %s within %s", errNoAnswer, who, limit))
	defer cancel()
	q, ended := &question{of: d}, make(chan reply[T], 1)
	go func() {
		r := reply[T]{err: fmt.Errorf("%s ended its goroutine", who)}
		defer func() {
			if p := recover(); p != nil {
				r = reply[T]{err: fmt.Errorf("%s panicked: %w", who, panics.Error(p))}
			}
			ended <- r
			s.left.end(q)
		}()
		r.value, r.err = ask(ctx)
	}()
	select {
	case r := <-ended:
		return r.because(ctx)
	case <-ctx.Done():
	}
	timer := time.NewTimer(planGrace)
	defer timer.Stop()
	select {
	case r := <-ended:
		return r.because(ctx)
	case <-timer.C:
		s.left.leave(q)
		return none, context.Cause(ctx)
	}
}

// because is the reply, or why it was cut off.
func (r reply[T]) because(ctx context.Context) (T, error) {
	if r.err != nil && ctx.Err() != nil {
		r.err = context.Cause(ctx)
	}
	return r.value, r.err
}

// question is one of which an answer is awaited, or was.
type question struct {
	of          destination.Ref
	left, ended bool
}

// leftovers counts the questions that were left behind and go on.
type leftovers struct {
	mu     sync.Mutex // guards what follows, and the questions
	counts map[destination.Ref]int
	total  int
}

func (l *leftovers) of(d destination.Ref) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[d]
}

func (l *leftovers) all() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *leftovers) leave(q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.ended {
		return
	}
	q.left = true
	l.counts[q.of]++
	l.total++
}

func (l *leftovers) end(q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q.ended = true
	if !q.left {
		return
	}
	l.total--
	if l.counts[q.of]--; l.counts[q.of] == 0 {
		delete(l.counts, q.of)
	}
}
