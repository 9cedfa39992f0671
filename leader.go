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
