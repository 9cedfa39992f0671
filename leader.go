package kubescribe

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubescribe/kubescribe/queue"
)

// HoldsLease returns a function for Options.StillLeader that reads the lock of a leader election
// from the API server. It says yes while the lock names our identity and has not run out. In doubt,
// when the lock cannot be read, it says no.
//
// Leader election in client-go tells the loser only through a cancelled context, the same that ends
// a program in peace; only a look at the lock tells the two apart.
func HoldsLease(lock resourcelock.Interface) func(context.Context) bool {
	return func(ctx context.Context) bool {
		record, _, err := lock.Get(ctx)
		if err != nil || record.HolderIdentity != lock.Identity() {
			return false
		}
		return time.Since(record.RenewTime.Time) < time.Duration(record.LeaseDurationSeconds)*time.Second
	}
}

// NewLease returns the lock of a Lease, with an identity of its own made of the name of the host
// and a random part. Give the same lock to the leader election (LeaderElectionConfig of client-go,
// or LeaderElectionResourceLockInterface of a controller-runtime manager) and to HoldsLease.
func NewLease(config *rest.Config, lease types.NamespacedName) (resourcelock.Interface, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeJSON // not every server takes protobuf
	client, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubescribe: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("kubescribe: the name of the host: %w", err)
	}
	return resourcelock.New(resourcelock.LeasesResourceLock, lease.Namespace, lease.Name, nil, client,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())})
}

// leaderLease is the lease of a batch that is held only while the Mirror leads.
type leaderLease struct {
	queue.Lease
	mirror *Mirror
}

// Held implements queue.Lease.
func (l leaderLease) Held(ctx context.Context) bool {
	return l.Lease.Held(ctx) && l.mirror.isLeader(ctx)
}

// leaderTimeout bounds one question to StillLeader: no answer is a no.
const leaderTimeout = 5 * time.Second

func (m *Mirror) isLeader(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	return m.opts.StillLeader(ctx)
}

// handoverChecks is the number of times that every folder is rechecked after the start, each time
// after twice the pause: with the default of a minute a push is found that has taken a quarter of
// an hour.
const handoverChecks = 4

// recheckAfterHandover rechecks every folder after a handover: the old leader's last push can land
// after our seed found nothing to write, and no compare-and-swap detects that. A folder that is not
// as we left it is seeded (observe).
func (m *Mirror) recheckAfterHandover(ctx context.Context) {
	pause := m.opts.Handover
	for range handoverChecks {
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
				m.opts.Logger.V(1).Info("cannot recheck the folder", "destination", d.Ref, "reason", err.Error())
			}
		}
		pause *= 2
	}
}
