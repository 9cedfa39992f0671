package kubescribe

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// grants are what somebody has allowed for one destination and no plan has used up yet. They are for a destination as it
// was then: one that moves to another branch or folder has none.
type grants struct {
	to      destination.Destination
	adopt   bool
	approve *approval
	prune   *pruning
}

// approval lifts the blast-radius limit for one sweep.
type approval struct {
	seen *orphan.Found // the files that were held when it was given; nil: none was known, so it is for whatever is found
}

// pruning is an order that somebody waits for.
type pruning struct {
	seen    *orphan.Found // what the status showed when it was given
	waiting int
	done    chan struct{} // closed when err says how it ended
	err     error
}

// errEnded is returned to whoever waits for a Mirror that runs no more.
var errEnded = errors.New("kubescribe: the Mirror has ended")

// Approve lets the next sweep of a destination, the search for files without an object, pass the blast-radius limit, and
// asks for that sweep. A line that backs off is woken.
//
// It approves what the status shows as Held: if the sweep finds none but those files, they go. If it finds any other, it
// holds them all again, and shows them. If nothing is held so far, as right after a start, it approves what the sweep finds.
// Either way the approval is used up by that sweep. One that fails to push is tried again with it; in a folder that is not
// adopted it waits for Adopt; when the destination's branch or folder changes, and when the process ends, it lapses.
func (m *Mirror) Approve(ref destination.Ref) error {
	return m.grant(ref, func(g *grants, w written) {
		g.approve = &approval{}
		if w.held != nil {
			g.approve.seen = &w.held.Found
		}
	})
}

// Adopt takes over the folder of a destination that belongs to another owner, or that held files when kubescribe first
// wrote to it: from then on, files there that have no object are removed. It asks for a sweep. A line that backs off is
// woken.
func (m *Mirror) Adopt(ref destination.Ref) error {
	return m.grant(ref, func(g *grants, _ written) { g.adopt = true })
}

// Prune removes the files of a destination that no rule of it covers any more, since a rule was changed or removed or since
// the server has their type no more; until then they stay, and the status shows them as Uncovered. It asks for a sweep,
// waits until that is pushed or ctx ends, and returns nil if all that is ours is gone. It needs a Mirror that runs.
//
// Only files that name their object are removed, so a file of somebody else's stays, also one that is Uncovered by its
// path; an encrypted Secret whose metadata cannot be read stays as well. What a faulty rule might mean, and types of an API
// group that cannot be read at the moment, count as covered.
//
// The call is the approval for what the status showed as Uncovered when it was made: more than that goes only within the
// blast-radius limit of the destination, and otherwise the error matches orphan.ErrTooMany, nothing was pruned, and the
// status shows all of it for the next call. It is gitsink.ErrUnadopted in a folder that is not adopted, orphan.ErrNever if
// that is the destination's policy, and what went wrong if the destination cannot be written to until somebody acts. A
// momentary failure is waited out. When ctx ends first, the order is withdrawn, unless it is being carried out right then.
func (m *Mirror) Prune(ctx context.Context, ref destination.Ref) error {
	var p *pruning
	err := m.grant(ref, func(g *grants, w written) {
		if g.prune == nil {
			g.prune = &pruning{done: make(chan struct{})}
		}
		p = g.prune
		p.waiting++
		p.seen = w.uncovered
	})
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("kubescribe: prune %s: %w", ref, p.err)
		}
		return nil
	case <-ctx.Done():
		m.leave(ref, p)
		return fmt.Errorf("kubescribe: prune %s: %w", ref, ctx.Err())
	case <-m.ended:
		m.leave(ref, p)
		return errEnded
	}
}

// leave withdraws a pruning that nobody waits for any more.
func (m *Mirror) leave(ref destination.Ref, p *pruning) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.waiting--
	if g := m.grants[ref]; g != nil && g.prune == p && p.waiting == 0 {
		g.prune = nil
	}
}

// end tells all who wait how it ended. The caller holds mu.
func (p *pruning) end(err error) {
	p.err = err
	close(p.done)
}

// grant gives something to a destination and asks for a sweep. It may be called before the destination's first listing: the
// sweep that ends it then does.
func (m *Mirror) grant(ref destination.Ref, give func(*grants, written)) error {
	m.mu.Lock()
	d, ok := m.set.Get(ref)
	if !ok {
		m.mu.Unlock()
		return fmt.Errorf("kubescribe: %w: %s", destination.ErrUnknown, ref)
	}
	g := m.grants[ref]
	if g == nil {
		g = &grants{to: d}
		m.grants[ref] = g
	}
	give(g, m.written[ref])
	m.mu.Unlock()
	m.queue.Wake(d)
	_ = m.watcher.Sweep(ref) // fails only for what it does not feed yet, whose first listing ends with a sweep
	return nil
}

// withdraw takes the grants of destinations that are not what they were. The caller holds mu.
func (m *Mirror) withdraw(set destination.Set) {
	for ref, g := range m.grants {
		if d, ok := set.Get(ref); ok && d == g.to {
			continue
		}
		delete(m.grants, ref)
		if g.prune != nil {
			g.prune.end(fmt.Errorf("%w: %s has changed meanwhile", destination.ErrUnknown, ref))
		}
	}
}

// use takes the grants that a plan has used up. The caller holds mu.
func (m *Mirror) use(r gitsink.Report) {
	g := m.grants[r.Destination.Ref]
	if g == nil {
		return
	}
	if r.Err != nil {
		if g.prune != nil && errors.Is(r.Err, queue.ErrPermanent) {
			g.prune.end(r.Err)
			g.prune = nil
		}
		return
	}
	// A sweep that began before the approval was given is not the one that it is for, nor is one that could remove nothing.
	if a := g.approve; a != nil && r.Synced && r.Adopted && a.bounded(r.Orphans) {
		g.approve = nil
	}
	if r.Adopted {
		g.adopt = false
	}
	if g.prune != nil && r.Pruned != nil {
		g.prune.end(r.Pruned.Err)
		g.prune = nil
	}
}

// bounded tells whether a sweep with these options was one with the approval.
func (a *approval) bounded(o orphan.Options) bool {
	if a.seen == nil {
		return o.Approved
	}
	return o.ApprovedFor == a.seen
}

func (m *Mirror) orphanOptions(ref destination.Ref) orphan.Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.orphans[ref]
	if g := m.grants[ref]; g != nil && g.approve != nil {
		o.Approved = o.Approved || g.approve.seen == nil
		o.ApprovedFor = g.approve.seen
	}
	return o
}

// pruneOptions returns nil unless somebody waits for a pruning.
func (m *Mirror) pruneOptions(ref destination.Ref) *orphan.Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.grants[ref]
	if g == nil || g.prune == nil {
		return nil
	}
	o := m.orphans[ref]
	o.ApprovedFor = g.prune.seen
	return &o
}

func (m *Mirror) adopts(ref destination.Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.grants[ref]
	return g != nil && g.adopt
}
