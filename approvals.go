package kubescribe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// approvals are what somebody has allowed in the folder of one destination and no plan has used up
// yet. They are for the destination as it was then: one that moves to another branch or folder has
// none.
//
// Each is numbered as it is given, and the Token of a Policy is the last number. So the Report of a
// plan that landed says which approvals the plan knew, and only those are consumed.
type approvals struct {
	to     destination.Destination
	adopt  uint64 // the number of the adoption; zero: none
	sweep  *sweepApproval
	prunes []*pruneOrder // in the order in which they were given
}

// sweepApproval lets one sweep pass the blast-radius limit.
type sweepApproval struct {
	number uint64
	orphan.Approval
}

// pruneOrder is an order that somebody waits for.
type pruneOrder struct {
	number uint64
	orphan.Approval
	awaited bool          // else a failure does not end it
	done    chan struct{} // closed when err says how it ended
	err     error
}

func (o *pruneOrder) end(err error) {
	o.err = err
	close(o.done)
}

// errEnded is returned to whoever waits for a Mirror that runs no more.
var errEnded = errors.New("kubescribe: the Mirror has ended")

// Approve lets the next sweep of a destination, the search for files without an object, pass the
// blast-radius limit, and asks for that sweep. A line that backs off is woken.
//
// It approves what the status shows as Held. If the sweep finds none but those files, they go; if
// it finds any other, it holds them all again, and shows them. If nothing is held so far, as right
// after a start, it approves what the sweep finds. Either way that sweep uses the approval up. One
// that fails to push is tried again with it. In a folder that is not adopted the approval waits for
// Adopt. It lapses when the destination's branch or folder changes, and when the process ends.
func (m *Mirror) Approve(ref destination.Ref) error { return m.allow(ref, approveHeld) }

func approveHeld(a *approvals, number uint64, known gitsink.Status) {
	a.sweep = &sweepApproval{number, orphan.Approval{All: known.Held == nil}}
	if known.Held != nil {
		a.sweep.Seen = &known.Held.Found
	}
}

// Adopt takes over the folder of a destination that belongs to another owner, or that held files
// when kubescribe first wrote to it: from then on, files there that have no object are removed. It
// asks for a sweep. A line that backs off is woken.
func (m *Mirror) Adopt(ref destination.Ref) error { return m.allow(ref, adoptFolder) }

func adoptFolder(a *approvals, number uint64, _ gitsink.Status) { a.adopt = number }

// Prune removes the files of a destination that no rule of it covers any more, since a rule was
// changed or removed or since the server has their type no more. Until then they stay, and the
// status shows them as Uncovered. Prune asks for a sweep, waits until that is pushed or ctx ends,
// and returns nil if all that is ours is gone. It needs a Mirror that runs.
//
// Only files that name their object are removed, so a file of somebody else's stays, even if it is
// Uncovered by its path; an encrypted Secret whose metadata cannot be read stays as well. What a
// faulty rule might mean, and types of an API group that cannot be read at the moment, count as
// covered.
//
// The call is the approval for what the status showed as Uncovered when it was made. More than that
// goes only within the blast-radius limit of the destination; otherwise the error matches
// orphan.ErrTooMany, nothing was pruned, and the status shows all of it for the next call. The
// error is gitsink.ErrUnadopted in a folder that is not adopted, orphan.ErrNever if that is the
// destination's policy, and what went wrong if the destination cannot be written to until somebody
// acts. A momentary failure is waited out. When ctx ends first, the order is withdrawn, unless a
// plan is carrying it out right then.
func (m *Mirror) Prune(ctx context.Context, ref destination.Ref) error {
	order := &pruneOrder{awaited: true, done: make(chan struct{})}
	if err := m.order(ref, order); err != nil {
		return err
	}
	select {
	case <-order.done:
		if order.err != nil {
			return fmt.Errorf("kubescribe: prune %s: %w", ref, order.err)
		}
		return nil
	case <-ctx.Done():
		m.withdraw(ref, order)
		return fmt.Errorf("kubescribe: prune %s: %w", ref, ctx.Err())
	case <-m.ended:
		m.withdraw(ref, order)
		return errEnded
	}
}

// OrderPrune orders what Prune does and does not wait for it. The order stands until a sweep has
// carried it out or refused it: DestinationStatus.PruneOrdered says that it waits, and LastPrune
// how it ended. It approves what the status shows as Uncovered now. It lapses when the
// destination's branch or folder changes, and when the process ends. It has the errors of Resync.
func (m *Mirror) OrderPrune(ref destination.Ref) error {
	return m.order(ref, &pruneOrder{done: make(chan struct{})})
}

func (m *Mirror) order(ref destination.Ref, order *pruneOrder) error {
	return m.allow(ref, func(a *approvals, number uint64, known gitsink.Status) {
		order.number, order.Seen = number, known.Uncovered
		a.prunes = append(a.prunes, order)
	})
}

// withdraw takes back an order that nobody waits for any more.
func (m *Mirror) withdraw(ref destination.Ref, order *pruneOrder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.approvals[ref]; a != nil {
		a.prunes = slices.DeleteFunc(a.prunes, func(o *pruneOrder) bool { return o == order })
	}
}

// allow gives something to a destination, with a number of its own and with what is known of the
// destination, and asks for a sweep. It may be called before the destination's first listing, which
// ends with a sweep anyway.
func (m *Mirror) allow(ref destination.Ref, give func(*approvals, uint64, gitsink.Status)) error {
	return m.allowIf(ref, func(destination.Destination, gitsink.Status) error { return nil }, give)
}

// allowIf is allow on a condition: if that returns an error for what is known of the destination at
// the very moment, nothing is given, and the error is returned.
func (m *Mirror) allowIf(ref destination.Ref, may func(destination.Destination, gitsink.Status) error, give func(*approvals, uint64, gitsink.Status)) error {
	m.mu.Lock()
	d, ok := m.set.Get(ref)
	if !ok {
		m.mu.Unlock()
		return fmt.Errorf("kubescribe: %w: %s", destination.ErrUnknown, ref)
	}
	if err := may(d, m.written[ref]); err != nil {
		m.mu.Unlock()
		return err
	}
	a := m.approvals[ref]
	if a == nil {
		a = &approvals{to: d}
		m.approvals[ref] = a
	}
	m.lastApproval++
	give(a, m.lastApproval, m.written[ref])
	m.mu.Unlock()
	m.queue.Wake(d)
	return m.watcher.Sweep(ref)
}

// revoke takes the approvals of destinations that are not what they were. The caller holds mu.
func (m *Mirror) revoke(set destination.Set) {
	for ref, a := range m.approvals {
		if d, ok := set.Get(ref); ok && d == a.to {
			continue
		}
		delete(m.approvals, ref)
		for _, order := range a.prunes {
			order.end(fmt.Errorf("%w: %s has changed meanwhile", destination.ErrUnknown, ref))
		}
	}
}

// policy returns what is allowed in a destination's folder at this moment.
func (m *Mirror) policy(d destination.Destination) gitsink.Policy {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := gitsink.Policy{
		Orphans: m.orphans[d.Ref], Layout: m.layouts[d.Ref], Kustomization: m.kustomizations[d.Ref], Token: m.lastApproval,
	}
	a := m.approvals[d.Ref]
	if a == nil || a.to != d { // a plan for what the destination was has none of the new approvals
		return p
	}
	p.Adopt = a.adopt > 0
	if a.sweep != nil {
		p.Approval = a.sweep.Approval
	}
	if n := len(a.prunes); n > 0 { // the newest was given with the newest status
		newest := a.prunes[n-1].Approval
		p.Prune = &newest
	}
	return p
}

// consume takes the approvals that a plan has used up. The caller holds mu.
func (m *Mirror) consume(r gitsink.Report) {
	a := m.approvals[r.Destination.Ref]
	if a == nil {
		return
	}
	if r.Err != nil {
		if errors.Is(r.Err, queue.ErrPermanent) {
			a.endPrunes(func(o *pruneOrder) bool { return o.awaited }, r.Err)
		}
		return
	}
	if r.Adopted && a.adopt <= r.Token {
		a.adopt = 0
	}
	// A sweep that could remove nothing is not the one that the approval is for.
	if a.sweep != nil && a.sweep.number <= r.Token && r.Swept() && r.Adopted {
		a.sweep = nil
	}
	if r.Pruned != nil {
		a.endPrunes(func(o *pruneOrder) bool { return o.number <= r.Token }, r.Pruned.Err)
	}
}

// endPrunes ends the orders that a plan has carried out, or that none can.
func (a *approvals) endPrunes(which func(*pruneOrder) bool, err error) {
	a.prunes = slices.DeleteFunc(a.prunes, func(o *pruneOrder) bool {
		ends := which(o)
		if ends {
			o.end(err)
		}
		return ends
	})
}
