package source

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

func TestWhatIsInDoubtHoldsUpNoOtherType(t *testing.T) {
	for range 20 { // of the types, any may be looked at first
		d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps", "services"))
		d.ledger.streams[s.key()] = s
		other := otherStream(d, "services", "", s.watch.Coverage...)
		d.object(t.Context(), s, configMap("default", "a", "1"), listed)
		d.object(t.Context(), other, service("default", "b"), listed)
		d.deleted(t.Context(), other, service("default", "b"), removed)
		other.outdated = map[string]struct{}{"default": {}}
		_, keys, _ := d.pick(to)
		require.Len(t, keys, 1)
	}
}

func TestWhatTheServerDoesNotFindIsDroppedAndRemembered(t *testing.T) {
	cluster := clustertest.New(nil)
	t.Cleanup(cluster.Close)
	client, err := dynamic.NewForConfig(cluster.Config())
	require.NoError(t, err)
	out := newLines(0)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	s.client, s.page = clientFor(client, s.watch.Resource), 1
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	require.NoError(t, d.refetch(t.Context(), to, s, d.keyed(s, "a")))
	require.Zero(t, to.backlog.count)
	require.Contains(t, d.ledger.missing, d.keyed(s, "a"))

	for _, name := range []string{"b", "c"} {
		require.NoError(t, cluster.Apply(configMap("default", name, "1")))
		d.object(t.Context(), s, configMap("default", name, "1"), listed)
	}
	cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Page > 1 {
			return &clustertest.Fault{Error: apierrors.NewResourceExpired("the token is too old")}
		}
		return nil
	})
	out.setRoom(-1)
	require.NoError(t, d.relist(t.Context(), to, s), "the next round begins anew, at once")
}

func TestOfWhatWaitsOnlyThatIsMissedWhichAListingShouldHaveHad(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	for _, name := range []string{"missed", "heard-of-since", "dead"} {
		d.object(t.Context(), s, configMap("default", name, "1"), listed)
	}
	asked := d.now()
	d.object(t.Context(), s, configMap("default", "heard-of-since", "2"), modified)
	d.deleted(t.Context(), s, configMap("default", "dead", "1"), removed)
	d.miss(to, s, asked)
	require.Len(t, d.ledger.missing, 1)
	require.Contains(t, d.ledger.missing, d.keyed(s, "missed"))

	clear(d.ledger.missing)
	s.watch.Coverage[0].Collection = event.Collection{Resource: "configmaps", Namespace: "other"}
	d.miss(to, s, d.now())
	require.Empty(t, d.ledger.missing, "the stream does not feed it with these")
}

func TestBeforeDiscoveryHasAnsweredWhatWaitsIsStuckAndNotDropped(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	_, keys, _ := d.pick(to)
	require.Empty(t, keys)
	require.Equal(t, 1, to.stuck)
	require.Equal(t, 1, to.backlog.count)
}

func TestAListingThatCompletesWakesWhoseObjectsWereStuck(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	clear(d.ledger.kicked)
	to.feeding, to.stuck, to.unsettled = false, 1, 2
	d.completed(t.Context(), s)
	require.Contains(t, d.ledger.kicked, to)
}

func TestADestinationThatIsNoTargetAnyMoreGetsNothing(t *testing.T) {
	out := newLines(-1)
	d, _, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	clear(d.ledger.targets)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Empty(t, out.waiting)
}

func TestASeedSyncSaysWhenItWasAskedFor(t *testing.T) {
	out := newLines(-1)
	d, to, _ := newDesk(t, out, rule("prod", "prod", "configmaps"))
	to.syncDue = true
	d.sendSync(to)
	require.False(t, out.waiting[0].Time.IsZero())
}

// A type is gone from the cluster, and with it its stream.
func TestADeleteThatFoundNoRoomIsHonouredUnlessNoRuleAsksForItAnyMore(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	other := otherStream(d, "services", "", s.watch.Coverage...)
	d.ledger.coverage = &coverage{rules: d.match.Load().rules}
	clear(d.ledger.streams)
	for _, of := range []*stream{s, other} {
		to.backlog.add(objectKey{d.ledger.typeOf(of.watch.Resource), d.keyed(s, "dead").name}, true)
	}
	d.ledger.forgetUncovered()
	require.Equal(t, 1, to.backlog.count)
	waits, deleted := to.backlog.has(d.keyed(s, "dead"))
	require.True(t, waits && deleted)
}
