package gitsink

import (
	"errors"
	"sync"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/queue"
)

const (
	// strayTries is the number of permanent failures in a row, after a success, that are tried
	// again soon.
	strayTries = 2
	// maxStrays bounds the number of destinations that are remembered. A failure of one that is not
	// is permanent at once.
	maxStrays = 100_000
)

// strays tells a stray refusal from one that stays. A host answers 401, 403 or 404 to a single
// request while a part of it fails over, and a queue that takes that for permanent leaves the
// destination alone for minutes. So a destination that was written before is tried again soon,
// twice. One that never was is not.
type strays struct {
	mu    sync.Mutex
	after map[destination.Destination]int // permanent failures in a row since the last success
}

// judge counts the outcome of an Apply, and marks its error as Stray if it may be one.
func (s *strays) judge(d destination.Destination, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if s.after == nil || len(s.after) >= maxStrays {
			s.after = map[destination.Destination]int{}
		}
		s.after[d] = 0
		return nil
	}
	failures, worked := s.after[d]
	var e *Error
	if !worked || !errors.Is(err, queue.ErrPermanent) || !errors.As(err, &e) {
		return err
	}
	if s.after[d] = failures + 1; failures >= strayTries {
		delete(s.after, d) // it is permanent until the next success
		return err
	}
	marked := *e
	marked.Stray = true
	return &marked
}
