package source

import (
	"errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// target is a destination as the ledger serves it. A destination that changes becomes another
// target.
type target struct {
	destination destination.Destination
	number      uint64 // unique in the ledger, for interning owners

	gone        bool               // no rule leads here any more: nothing is sent
	feeds       map[*feed]struct{} // those whose reach has it
	backfilling bool               // a backfill runs
	backlog     backlog            // found no room, or differs from its file
	blocked     int                // of the backlog: wait for their reflectors, too
	fault       error              // why the backfill cannot go on
	refused     refusals
	told        leftOut
	seed
}

func (l *ledger) newTarget(d destination.Destination) *target {
	l.numbers++
	to := &target{destination: d, number: l.numbers, feeds: map[*feed]struct{}{}}
	l.owe(to)
	l.targets[d.Ref] = to
	return to
}

// target returns the target that serves exactly this destination; nil if there is none. A
// destination that changed has another target under the same name, which must not get what was
// meant for the old one.
func (l *ledger) target(d destination.Destination) *target {
	if to := l.targets[d.Ref]; to != nil && to.destination == d {
		return to
	}
	return nil
}

// drop ends a target. Its slots in the backlogs are of use to others.
func (l *ledger) drop(to *target) {
	to.gone = true
	to.backlog.drop()
	delete(l.targets, to.destination.Ref)
	delete(l.pending, to)
	l.forgetKept()
}

// needsBackfill reports whether there is work for a backfill: objects that can be fetched, or a
// SeedSync.
func (to *target) needsBackfill() bool { return !to.gone && (to.behind() || to.syncDue()) }

// behind reports whether objects wait that could be fetched.
func (to *target) behind() bool { return to.backlog.count > to.blocked }

// wake asks for a backfill if there is work for one.
func (l *ledger) wake(to *target) {
	if !to.backfilling && to.needsBackfill() {
		l.pending[to] = struct{}{}
	}
}

// unblock has the whole backlog of a target looked at again.
func (l *ledger) unblock(to *target) {
	to.blocked = 0
	l.wake(to)
}

// takePending returns the targets that a backfill has to be started for.
func (l *ledger) takePending() (started []*target) {
	for to := range l.pending {
		if !to.backfilling && !to.gone {
			to.backfilling = true
			started = append(started, to)
		}
	}
	clear(l.pending)
	return started
}

// backfilled takes note that a backfill has ended. Work that came in meanwhile, or that it left
// when it was stopped, needs the next one.
func (l *ledger) backfilled(to *target) {
	to.backfilling = false
	l.wake(to)
}

// send offers an event. What finds no room is marked in the backlog, and its object fetched again
// when there is room.
func (l *ledger) send(to *target, key objectKey, e event.Event) {
	if to.gone {
		return
	}
	err := l.offer(e)
	switch {
	case err == nil:
		to.backlog.remove(key)
		to.sent.add(key)
		l.counts.add(e.Operation)
	case errors.Is(err, queue.ErrFull), errors.Is(err, queue.ErrShutdown):
		to.backlog.add(key, e.Operation == event.Delete)
		l.wake(to)
	default:
		l.refuse(to, key, err)
	}
}

// refuse takes note that an object cannot be written.
func (l *ledger) refuse(to *target, key objectKey, err error) {
	to.backlog.remove(key)
	if id := key.id(); to.refused.add(id, err) {
		l.note(1, "object refused", "destination", to.destination.Ref, "object", id.String(), "reason", err.Error())
	}
}

// resync has the labels of namespaces listed once more, and everything that feeds targets, and
// seeds them.
func (l *ledger) resync(targets ...*target) {
	l.relistLabels()
	relist := map[*feed]struct{}{}
	for _, to := range targets {
		for f := range to.feeds {
			relist[f] = struct{}{}
		}
	}
	for f := range relist {
		l.relist(f)
	}
	for _, to := range targets {
		l.ask(to)
	}
}

// relistLabels has the labels of namespaces listed once more, if rules look at them.
func (l *ledger) relistLabels() {
	if l.labels != nil {
		l.relist(l.labels)
	}
}
