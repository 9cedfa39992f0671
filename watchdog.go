package kubescribe

import (
	"context"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

const (
	maxLooks    = 4                // at branches at the same time: some remotes may hang
	lookTimeout = 30 * time.Second // for one look
)

// watchdog looks at each branch now and then, so that a folder which somebody else has changed, or
// a branch that is gone, is made good without waiting for a change in the cluster. A look is a plan
// that commits nothing: one request to the server if the branch is where it was left.
//
// Destinations that are being written to, or wait to be, are looked at by that. It belongs to the
// goroutine of guard, which waits for its looks.
type watchdog struct {
	*Mirror
	turns chan struct{}
	looks sync.WaitGroup
}

// guard looks at all branches, one after the other, until ctx ends.
func (m *Mirror) guard(ctx context.Context) {
	if m.opts.Watchdog < 0 {
		return
	}
	w := &watchdog{Mirror: m, turns: make(chan struct{}, maxLooks)}
	defer w.looks.Wait()
	for {
		branches := w.branches()
		each := m.opts.Watchdog / time.Duration(max(len(branches), 1))
		if len(branches) == 0 && !pause(ctx, each) {
			return
		}
		for _, branch := range branches {
			if !pause(ctx, each) || !w.take(ctx) {
				return
			}
			w.looks.Go(func() {
				defer func() { <-w.turns }()
				w.look(ctx, branch)
			})
		}
	}
}

// take waits for a turn; false if ctx ends before.
func (w *watchdog) take(ctx context.Context) bool {
	select {
	case w.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause waits; false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// branches returns the destinations by branch, in the order of the first of each.
func (w *watchdog) branches() (all [][]destination.Destination) {
	w.mu.Lock()
	set := w.set
	w.mu.Unlock()
	index := map[destination.RemoteBranch]int{}
	for d := range set.All() {
		branch := d.RemoteBranch()
		i, known := index[branch]
		if !known {
			i = len(all)
			index[branch] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], d)
	}
	return all
}

// look looks at a branch by its destinations. One that knows the tip by now has seen what is
// there; each other one has to look itself, also if its last look failed: nobody else looks at its
// folder.
func (w *watchdog) look(ctx context.Context, of []destination.Destination) {
	var tip string
	for _, d := range of {
		st, ok := w.DestinationStatus(d.Ref)
		switch {
		case !ok || !st.idle || st.LastSeed.IsZero() || st.Line.Err != nil || st.Destination != d:
		case tip != "" && st.Tip == tip:
			w.seen(d, nil)
		default:
			if now := w.lookAt(ctx, d, st.Tip); now != "" {
				tip = now
			}
		}
	}
}

// lookAt looks at the folder of a destination whose branch was at a tip, and has it compared if
// somebody else has changed it. It returns the tip of the branch; "" if there is none, or if it
// cannot be read.
func (w *watchdog) lookAt(ctx context.Context, d destination.Destination, was string) (tip string) {
	if !w.isLeader(ctx) {
		return ""
	}
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	result, err := w.sink.Apply(bounded, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, nil })
	if ctx.Err() != nil {
		return ""
	}
	w.seen(d, err)
	if err != nil {
		return ""
	}
	w.mu.Lock()
	st := w.written[d.Ref]
	current := st.Destination == d
	if current && st.Tip == was { // else something was written meanwhile, and that tip is newer
		st.Tip = result.Tip
		w.written[d.Ref] = st
	}
	w.mu.Unlock()
	if current && (result.Foreign || was != "" && result.Tip == "") {
		w.compareAnew(d.Ref)
	}
	return result.Tip
}

// seen takes note of how the last look at a destination has ended.
func (w *watchdog) seen(d destination.Destination, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch now, _ := w.set.Get(d.Ref); {
	case now != d:
	case err == nil:
		delete(w.unseen, d.Ref)
	default:
		w.unseen[d.Ref] = err
	}
}
