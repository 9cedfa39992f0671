package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// drainAnswer bounds the time that RunOptions.Drain may take to answer.
const drainAnswer = 3 * time.Second

// ErrLeftBehind is matched by the error of Runner.Start if something ignored the end of its context
// for longer than EndTimeout, and still runs.
var ErrLeftBehind = errors.New("queue: left behind, since it ignores the end of its context")

// end shuts the queue down, ends the handlers and waits until they have returned. It returns the
// error of Shutdown, and whether everything has ended: what ignores its context is left behind
// after EndTimeout.
func (r *Runner) end(ctx context.Context, stop func(), wait func()) (err error, clean bool) {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.DrainTimeout)
	defer cancel()
	if ctx.Err() != nil && !r.drains() {
		cancel()
		stop()
	}
	if stats := r.queue.Stats(); stats.Waiting+stats.InHand > 0 {
		r.opts.Logger.Info("Draining", "waiting", stats.Waiting, "inHand", stats.InHand, "for", r.opts.DrainTimeout.String())
	}
	shut, over := make(chan error, 1), make(chan struct{})
	shutdown := func() { shut <- r.queue.Shutdown(drain) }
	go shutdown()
	select {
	case err = <-shut:
		shut = nil
	case <-drain.Done():
	}
	stop()
	go func() {
		defer close(over)
		wait()
	}()
	patience := time.NewTimer(r.opts.EndTimeout)
	defer patience.Stop()
	for again := false; ; {
		select {
		case err = <-shut:
			shut = nil
		case <-patience.C:
			return err, false
		case <-over:
			over = nil
		}
		if shut != nil || over != nil {
			continue
		}
		if err == nil || again {
			return err, true
		}
		again = true // the last handlers may have finished since
		cancel()
		shut = make(chan error, 1)
		go shutdown()
	}
}

// drains asks whether to drain. No answer is a no.
func (r *Runner) drains() bool {
	answer := make(chan bool, 1)
	go func() { answer <- r.opts.Drain() }()
	timer := time.NewTimer(drainAnswer)
	defer timer.Stop()
	select {
	case yes := <-answer:
		return yes
	case <-timer.C:
		return false
	}
}

// leave adds to the error the names of what is left behind.
func (r *Runner) leave(err error) error {
	r.mu.Lock()
	var names []string
	for d := range r.running {
		names = append(names, d.Ref.String())
	}
	r.mu.Unlock()
	slices.Sort(names)
	left := fmt.Errorf("%w: the queue", ErrLeftBehind)
	if n := len(names); n > 0 {
		left = fmt.Errorf("%w: handlers of %d destinations, first %q", ErrLeftBehind, n, names[:min(n, maxCauses)])
	}
	return errors.Join(left, err)
}
