package queue

import (
	"context"
	"sync"
	"time"
)

// maxLiveInRow is the number of times in a row that live changes go before what a listing found,
// among the lines and within one. Then the listing has its turn.
const maxLiveInRow = 4

// readyList has lines that are due, in the order of their turns.
type readyList = list[line, *line]

// scheduler says which line is handed out next. It has neither a lock nor a clock: Sharded holds
// its own lock around each call, and tells the time. Only sleep gives the lock back.
//
// A line that has events, is not leased and has not failed its last try is in one place of three:
//
//	timed   not due yet, or backing off; a heap by a time that is never too late
//	live    due, with live changes
//	seeds   due, with nothing but what a listing found
//
// Any other line is in none. line.pos and line.ready say where a line is.
type scheduler struct {
	timed       timed
	live, seeds readyList
	liveInRow   int // turns of live since the last one of seeds
	parked      int // lines that back off

	// wake holds a token if one of the sleepers must look again, see signal.
	wake     chan struct{}
	sleepers int
}

// place puts a line where it belongs after any change.
func (s *scheduler) place(l *line, now time.Duration) {
	if l.waiting.events == 0 || l.lease != nil || l.lastTryFailed {
		s.remove(l)
		return
	}
	at := l.due()
	switch {
	case at <= now || l.ready != nil:
		s.makeReady(l)
	case l.pos < 0:
		s.timed.push(l, at)
	case at < s.timed[l.pos].at:
		s.timed.move(l, at)
	default:
		return // later than it was: found out when its time has come
	}
	if l.pos <= 0 {
		s.signal()
	}
}

func (s *scheduler) remove(l *line) {
	if l.pos >= 0 {
		s.timed.remove(l)
	}
	if l.ready != nil {
		l.ready.remove(l)
		l.ready = nil
	}
}

// makeReady puts a line that is due at the end of the lines with its kind of events. A line of
// seeds that got a live change moves to those of live.
func (s *scheduler) makeReady(l *line) {
	to := &s.seeds
	if l.liveWaiting > 0 {
		to = &s.live
	}
	if l.ready == &s.live || l.ready == to {
		return
	}
	s.remove(l)
	s.unpark(l)
	to.pushBack(l)
	l.ready = to
}

// promote makes the lines ready whose time has come.
func (s *scheduler) promote(now time.Duration) {
	for len(s.timed) > 0 && s.timed[0].at <= now {
		l := s.timed[0].line
		if at := l.due(); at <= now {
			s.makeReady(l)
		} else {
			s.timed.move(l, at)
		}
	}
}

// pick takes the line out whose turn it is; nil if there is none.
func (s *scheduler) pick(now time.Duration) *line {
	s.promote(now)
	first, second := &s.live, &s.seeds
	if s.liveInRow >= maxLiveInRow {
		first, second = second, first
	}
	l := first.front
	if l == nil {
		l = second.front
	}
	if l == nil {
		return nil
	}
	if s.liveInRow++; l.ready == &s.seeds {
		s.liveInRow = 0
	}
	s.remove(l)
	return l
}

// park makes a line that has failed back off.
func (s *scheduler) park(l *line, now, backoff time.Duration) {
	l.failure.parked, l.failure.since, l.failure.until = true, now, now+backoff
	s.parked++
}

// unpark ends a backoff.
func (s *scheduler) unpark(l *line) {
	if l.failure != nil && l.failure.parked {
		l.failure.parked = false
		s.parked--
	}
}

// signal makes one of the sleepers look again, if there are any. Whoever was woken signals on when
// it leaves Next, so that no token is lost to a call that could not use it.
func (s *scheduler) signal() {
	if s.sleepers > 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// sleep waits until the next line is due, a signal, or the end. It gives the lock back meanwhile.
func (s *scheduler) sleep(ctx context.Context, now time.Duration, lock sync.Locker, end <-chan struct{}) {
	var due <-chan time.Time
	if len(s.timed) > 0 {
		timer := time.NewTimer(s.timed[0].at - now)
		defer timer.Stop()
		due = timer.C
	}
	s.sleepers++
	lock.Unlock()
	select {
	case <-due:
	case <-s.wake:
	case <-end:
	case <-ctx.Done():
	}
	lock.Lock()
	s.sleepers--
}
