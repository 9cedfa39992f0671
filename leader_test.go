package kubescribe_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// steppedLock is our lock, renewed just now by a clock that was wrong by so much.
type steppedLock struct {
	resourcelock.Interface
	off   atomic.Int64 // time.Duration
	asked chan struct{}
}

func (l *steppedLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	renewed := metav1.NewTime(time.Now().Add(time.Duration(l.off.Load())))
	return &resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15, RenewTime: renewed}, nil, nil
}
func (l *steppedLock) Identity() string { return "me" }

// When the clock leaps ahead, or the process was stopped for long, the lock seems to have run out
// until it is renewed. Who is its holder all the same must not have lost the batches that came in
// between.
func TestALeaderWhoseClockLeapsAheadWritesOnceTheLockIsRenewed(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	l := &steppedLock{asked: make(chan struct{}, 1)}
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{StillLeader: kubescribe.HoldsLease(l), Handover: -1}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	configMap(t, c, "a", "one")
	start(t, m)
	synced(t, m)
	tip, _ := repo.Tip("main")

	l.off.Store(int64(-24 * time.Hour))
	<-l.asked // of before
	configMap(t, c, "b", "one")
	<-l.asked
	now, _ := repo.Tip("main")
	require.Equal(t, tip, now, "in doubt nothing is written")
	l.off.Store(0)
	synced(t, m)
	require.Contains(t, repo.Tree("main"), "prod/default/configmaps/b.yaml")
}

func TestALockOfTheFutureIsHeldWhileItNamesUs(t *testing.T) {
	t.Parallel()
	l := &steppedLock{asked: make(chan struct{}, 1)}
	// The clock was set back; had the lock run out, another would be in it.
	l.off.Store(int64(24 * time.Hour))
	require.True(t, kubescribe.HoldsLease(l)(t.Context()))
}

func TestALeaseIsHeldByWhoseLockItNames(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	require.NoError(t, c.AddType(clustertest.Type{
		Group: "coordination.k8s.io", Versions: []string{"v1"}, Kind: "Lease", Resource: "leases", Namespaced: true,
	}))
	name := types.NamespacedName{Namespace: "default", Name: "mirror"}
	mine, err := kubescribe.NewLease(c.Config(), name)
	require.NoError(t, err)
	theirs, err := kubescribe.NewLease(c.Config(), name)
	require.NoError(t, err)
	require.NotEqual(t, mine.Identity(), theirs.Identity())
	require.False(t, kubescribe.HoldsLease(mine)(t.Context()), "there is none")
	require.NoError(t, mine.Create(t.Context(), resourcelock.LeaderElectionRecord{
		HolderIdentity: mine.Identity(), LeaseDurationSeconds: 60, RenewTime: metav1.Now(), AcquireTime: metav1.Now(),
	}))
	require.True(t, kubescribe.HoldsLease(mine)(t.Context()))
	require.False(t, kubescribe.HoldsLease(theirs)(t.Context()))
}
