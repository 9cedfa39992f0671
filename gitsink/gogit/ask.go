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

// answer is what Options say of a call.
type answer struct {
	auth   Auth
	signer Signer
	key    groupKey
}

// asker asks Options what a destination may use. It may be used concurrently.
type asker struct {
	opts *Options
	left leftovers
}

// ask asks Options what a destination may use. It is asked for every call, and who gets an error
// is in no group.
func (a *asker) ask(ctx context.Context, d destination.Destination) (answer, error) {
	auth, err := a.askAuth(ctx, d)
	if err != nil {
		return answer{}, err
	}
	signer, err := await(ctx, a, d.Ref, "Options.Signer", func(ctx context.Context) (Signer, error) { return a.opts.Signer(ctx, d) })
	if err != nil {
		return answer{}, &signError{fmt.Errorf("getting the signer: %w", err)}
	}
	pace, err := await(ctx, a, d.Ref, "Options.RateLimit", func(context.Context) (RateLimit, error) { return a.opts.RateLimit(d), nil })
	if err != nil {
		return answer{}, err
	}
	pace = pace.withDefaults(d.RemoteBranch().Repository)
	return answer{auth, signer, groupKey{url: d.Repository, who: identify(d.Repository, auth), limit: pace}}, nil
}

// askAuth asks for the credentials alone.
func (a *asker) askAuth(ctx context.Context, d destination.Destination) (Auth, error) {
	return await(ctx, a, d.Ref, "Options.Auth", func(ctx context.Context) (Auth, error) {
		auth, err := a.opts.Auth(ctx, d)
		if err != nil {
			return Auth{}, &authError{err}
		}
		return auth, a.opts.checkPlainText(d.Repository, auth)
	})
}

// take notes what Options say of the call by now. Its credentials are not kept.
func (c *call) take(a answer) {
	if c.moves > maxMoves {
		a.key.alone = c
	}
	c.key, c.signer, c.asked = a.key, a.signer, time.Now()
}

// maxLeft is the number of questions for one destination that may be left behind at a time: each
// keeps a goroutine, and a queue tries again for ever.
const maxLeft = 8

// reply is what the user's code has returned.
type reply[T any] struct {
	value T
	err   error
}

// await asks the user's code on a goroutine of its own, and waits no longer than ctx, StepTimeout
// and then planGrace: what goes on is left behind, and counted. Else an answer that ignores its
// context would hold its call, or a lane with all who wait there, for ever. A panic is an error,
// as that of a plan is, and so is the end of the goroutine.
func await[T any](ctx context.Context, a *asker, d destination.Ref, who string, ask func(context.Context) (T, error)) (T, error) {
	var none T
	if n := a.left.of(d); n >= maxLeft {
		return none, fmt.Errorf("%s is not asked: %d questions for this destination go on after the end of their context: %w",
			who, n, queue.ErrLeftBehind)
	}
	limit := a.opts.StepTimeout
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
			a.left.end(q)
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
		a.left.leave(q)
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

const (
	// freshAnswer is how long a call that waits may be taken for what Options said of it. Without a
	// bound, who may use the credentials no more would still be pushed with them at the end of a
	// long wait.
	freshAnswer = time.Second

	maxAsking = 16 // questions to Options at a time, of one group
	maxMoves  = 3  // of a call from group to group; then it goes alone
)

// planGrace is how long a plan may go on after its context has ended.
const planGrace = 2 * time.Second
