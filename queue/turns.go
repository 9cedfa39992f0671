package queue

import (
	"container/heap"
	"container/list"
	"context"
	"time"
)

// seedTurn: so many times in a row live changes go before what a listing found, then that has a turn.
const seedTurn = 4

// timed is a heap of lines, the one with the least at in front.
type timed []*line

func (h timed) Len() int           { return len(h) }
func (h timed) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timed) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].pos, h[j].pos = i, j }
func (h *timed) Push(l any)        { l.(*line).pos = len(*h); *h = append(*h, l.(*line)) }
func (h *timed) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last], l.pos = nil, -1
	*h = (*h)[:last]
	return l
}

// Next implements Consumer.
func (q *Sharded) Next(ctx context.Context) (Batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.signal() // this call may have eaten the token that was meant for another, or there is more to take
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, err
		}
		q.promote()
		if l := q.pick(); l != nil {
			return q.hand(l), nil
		}
		select {
		case <-q.drained:
			return Batch{}, ErrShutdown
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
		l.at = at
		heap.Push(&q.timed, l)
	case at < l.at:
		l.at = at
		heap.Fix(&q.timed, l.pos)
	default:
		return // later than it was: found out when its time has come
	}
	if l.pos <= 0 {
		q.signal()
	}
}

func (q *Sharded) unschedule(l *line) {
	if l.pos >= 0 {
		heap.Remove(&q.timed, l.pos)
	}
	if l.turn != nil {
		q.turns(l.turnLive).Remove(l.turn)
		l.turn = nil
	}
}

func (q *Sharded) remove(l *line) {
	q.unpark(l)
	if l.spent {
		q.spent--
	}
	delete(q.lines, l.key)
}

func (q *Sharded) turns(live bool) *list.List {
	if live {
		return &q.live
	}
	return &q.seeds
}

// giveTurn puts a line that is due at the end of those with its kind of events. Live changes take one from the others.
func (q *Sharded) giveTurn(l *line) {
	live := l.liveWaiting > 0
	if l.turn != nil && (l.turnLive || !live) {
		return
	}
	q.unschedule(l)
	q.unpark(l)
	l.turnLive, l.turn = live, q.turns(live).PushBack(l)
}

// promote gives the lines in the heap whose time has come their turns.
func (q *Sharded) promote() {
	now := q.now()
	for len(q.timed) > 0 && q.timed[0].at <= now {
		l := q.timed[0]
		if l.at = l.due(); l.at <= now {
			q.giveTurn(l)
		} else {
			heap.Fix(&q.timed, 0)
		}
	}
}

// pick returns the line whose turn it is, or nil.
func (q *Sharded) pick() *line {
	first, second := &q.live, &q.seeds
	if q.liveTurns >= seedTurn {
		first, second = second, first
	}
	front := first.Front()
	if front == nil {
		front = second.Front()
	}
	if front == nil {
		return nil
	}
	l := front.Value.(*line)
	if q.liveTurns++; !l.turnLive {
		q.liveTurns = 0
	}
	return l
}
