package kubescribe

import (
	"context"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// HoldsLease returns a function for Options.StillLeader that reads the lock of a leader election from the API server: it
// says yes while the lock names our identity and has not run out. In doubt, when the lock cannot be read, it says no.
//
// Leader election in client-go tells the loser only through a cancelled context, the same that ends a program in peace;
// only a look at the lock tells the two apart.
func HoldsLease(lock resourcelock.Interface) func(context.Context) bool {
	return func(ctx context.Context) bool {
		record, _, err := lock.Get(ctx)
		if err != nil || record.HolderIdentity != lock.Identity() {
			return false
		}
		return time.Since(record.RenewTime.Time) < time.Duration(record.LeaseDurationSeconds)*time.Second
	}
}

// handoverLooks is how often every folder is looked at again after the start, each time after twice the pause: with the
// default of a minute a push is found that has taken a quarter of an hour.
const handoverLooks = 4

// lookAgain has every folder looked at anew, since a push of the leader before us may have come in behind a seed of ours that
// had nothing to write: nobody's compare-and-swap notices that. A folder that is not as we left it is seeded (report).
func (m *Mirror) lookAgain(ctx context.Context) {
	pause := m.opts.Handover
	for range handoverLooks {
		if pause < 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		m.mu.Lock()
		set := m.set
		m.mu.Unlock()
		for d := range set.All() {
			if err := m.watcher.Sweep(d.Ref); err != nil {
				m.opts.Logger.V(1).Info("cannot look at the folder again", "destination", d.Ref, "reason", err.Error())
			}
		}
		pause *= 2
	}
}
