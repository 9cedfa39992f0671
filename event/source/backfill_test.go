package source

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

func TestWhatAwaitsARelistHoldsUpNoOtherType(t *testing.T) {
	for range 20 { // of the types, any may be looked at first
		d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps", "services"))
		other := d.feed("services", "", to)
		d.object(t.Context(), s, configMap("default", "a", "1"), added)
		d.object(t.Context(), other, service("default", "b"), added)
		d.deleted(t.Context(), other, service("default", "b"), removed)
		d.ledger.outdate(other, "default")
		require.Len(t, d.ledger.choose(to).keys, 1)
	}
}

func TestWhatTheServerDoesNotFindIsDroppedAndRemembered(t *testing.T) {
	cluster := clustertest.New(nil)
	t.Cleanup(cluster.Close)
	client, err := NewClient(cluster.Config())
	require.NoError(t, err)
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.client, d.opts.PageSize = client, 1
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.NoError(t, backfill{d.Watcher, to, nil}.get(t.Context(), s, d.keyed(s, "a")))
	require.Zero(t, to.backlog.count)
	require.Contains(t, d.ledger.missing, d.keyed(s, "a"))

	for _, name := range []string{"b", "c"} {
		require.NoError(t, cluster.Apply(configMap("default", name, "1")))
		d.object(t.Context(), s, configMap("default", name, "1"), added)
	}
	cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Page > 1 {
			return &clustertest.Fault{Error: apierrors.NewResourceExpired("the token is too old")}
		}
		return nil
	})
	out.setRoom(-1)
	require.NoError(t, d.backfills(t.Context(), to, s), "the next round begins anew, at once")
}

func TestOfWhatWaitsOnlyThatIsMissedWhichAListingShouldHaveHad(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	for _, name := range []string{"missed", "heard-of-since", "dead"} {
		d.object(t.Context(), s, configMap("default", name, "1"), added)
	}
	asked := d.now()
	d.object(t.Context(), s, configMap("default", "heard-of-since", "2"), modified)
	d.deleted(t.Context(), s, configMap("default", "dead", "1"), removed)
	require.ErrorIs(t, d.ledger.fetchedAll(to, s, 0, asked), errNotListed)
	require.Len(t, d.ledger.missing, 1)
	require.Contains(t, d.ledger.missing, d.keyed(s, "missed"))

	clear(d.ledger.missing)
	d.ledger.cover(s, map[*target]reach{to: {"other": false}})
	require.ErrorIs(t, d.ledger.fetchedAll(to, s, 0, d.now()), errNotListed)
	require.Empty(t, d.ledger.missing, "the reflector does not feed it with these")
}

func TestBeforeDiscoveryHasAnsweredWhatWaitsIsBlockedAndNotDropped(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.ledger.stop(s)
	require.Empty(t, d.ledger.choose(to).keys)
	require.Equal(t, 1, to.blocked)
	require.Equal(t, 1, to.backlog.count)
}

func TestAListingThatCompletesWakesWhoseObjectsWereBlocked(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	clear(d.ledger.pending)
	to.backfilling, to.blocked = false, 1
	d.ledger.relist(d.feed("services", "", to))
	d.completed(t.Context(), s)
	require.Contains(t, d.ledger.pending, to)
}

func TestADestinationThatIsNoTargetAnyMoreGetsNothing(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	clear(d.ledger.targets)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Empty(t, out.waiting)
}

func TestASeedSyncSaysWhenItWasAskedFor(t *testing.T) {
	out := newLines(-1)
	d, to, _ := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.ask(to)
	d.ledger.sync(to)
	require.False(t, out.waiting[0].Time.IsZero())
}

// A type is gone from the cluster, and with it its reflector.
func TestADeleteThatFoundNoRoomIsHonouredUnlessNoRuleAsksForItAnyMore(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	other := d.feed("services", "", to)
	clear(d.ledger.feeds)
	for _, of := range []*feed{s, other} {
		to.backlog.add(objectKey{d.ledger.typeOf(of.of), d.keyed(s, "dead").name}, true)
	}
	d.ledger.disownUncovered()
	require.Equal(t, 1, to.backlog.count)
	waits, deleted := to.backlog.has(d.keyed(s, "dead"))
	require.True(t, waits && deleted)
}
