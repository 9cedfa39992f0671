package queue

import (
	"context"
	"time"
)

// seedTurn: so many times in a row live changes go before what a listing found, then that has a turn.
const seedTurn = 4

// turns is a list of lines in the order of their turns.
type turns struct{ front, back *line }

func (t *turns) pushBack(l *line) {
	l.turn, l.prevTurn, l.nextTurn = t, t.back, nil
	if t.back != nil {
		t.back.nextTurn = l
	} else {
		t.front = l
	}
	t.back = l
}

func (t *turns) remove(l *line) {
	if l.prevTurn != nil {
		l.prevTurn.nextTurn = l.nextTurn
	} else {
		t.front = l.nextTurn
	}
	if l.nextTurn != nil {
		l.nextTurn.prevTurn = l.prevTurn
	} else {
		t.back = l.prevTurn
	}
	l.turn, l.prevTurn, l.nextTurn = nil, nil, nil
}

// Next implements Consumer.
func (q *Sharded) Next(ctx context.Context) (Batch, error) {
	b, size, waited, err := q.next(ctx)
	if err == nil {
		q.meters.handed(ctx, size, waited)
	}
	return b, err
}

func (q *Sharded) next(ctx context.Context) (b Batch, size load, waited time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.signal() // this call may have eaten the token that was meant for another, or there is more to take
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, load{}, 0, err
		}
		q.promote()
		if l := q.pick(); l != nil {
			b, size, waited = q.hand(l)
			return b, size, waited, nil
		}
		select {
		case <-q.drained:
			return Batch{}, load{}, 0, ErrShutdown
		default:
		}
		q.sleep(ctx)
	}
}

// signal makes one of the sleepers look again, if there are any. Whoever was woken signals on when it leaves Next, so that
// no token is lost to a call that could not use it.
func (q *Sharded) signal() {
	if q.sleepers > 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// sleep waits until the next line is due, a signal, or the end.
func (q *Sharded) sleep(ctx context.Context) {
	var due <-chan time.Time
	if len(q.timed) > 0 {
		timer := time.NewTimer(q.timed[0].at - q.now())
		defer timer.Stop()
		due = timer.C
	}
	q.sleepers++
	q.mu.Unlock()
	select {
	case <-due:
	case <-q.wake:
	case <-q.drained:
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.sleepers--
}

// schedule puts a line where it belongs after any change: into the heap, among the turns, or nowhere; an empty line goes.
func (q *Sharded) schedule(l *line, now time.Duration) {
	if l.waiting.events == 0 || l.lease != nil || l.spent {
		q.unschedule(l)
		if l.waiting.events == 0 && l.lease == nil {
			q.remove(l)
		}
		return
	}
	at := l.due()
	switch {
	case at <= now || l.turn != nil:
		q.giveTurn(l)
	case l.pos < 0:
		q.timed.push(l, at)
	case at < q.timed[l.pos].at:
		q.timed.move(l, at)
	default:
		return // later than it was: found out when its time has come
	}
	if l.pos <= 0 {
		q.signal()
	}
}

func (q *Sharded) unschedule(l *line) {
	if l.pos >= 0 {
		q.timed.remove(l)
	}
	if l.turn != nil {
		l.turn.remove(l)
	}
}

func (q *Sharded) remove(l *line) {
	q.unpark(l)
	if l.spent {
		q.spent--
	}
	q.lines.drop(l.key)
}

// giveTurn puts a line that is due at the end of those with its kind of events. Live changes take one from the others.
func (q *Sharded) giveTurn(l *line) {
	turn := &q.seeds
	if l.liveWaiting > 0 {
		turn = &q.live
	}
	if l.turn == &q.live || l.turn == turn {
		return
	}
	q.unschedule(l)
	q.unpark(l)
	turn.pushBack(l)
}

// promote gives the lines in the heap whose time has come their turns.
func (q *Sharded) promote() {
	now := q.now()
	for len(q.timed) > 0 && q.timed[0].at <= now {
		l := q.timed[0].line
		if at := l.due(); at <= now {
			q.giveTurn(l)
		} else {
			q.timed.move(l, at)
		}
	}
}

// pick returns the line whose turn it is, or nil.
func (q *Sharded) pick() *line {
	first, second := &q.live, &q.seeds
	if q.liveTurns >= seedTurn {
		first, second = second, first
	}
	l := first.front
	if l == nil {
		l = second.front
	}
	if l == nil {
		return nil
	}
	if q.liveTurns++; l.turn == &q.seeds {
		q.liveTurns = 0
	}
	return l
}
