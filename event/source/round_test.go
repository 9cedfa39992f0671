package source

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// clustered gives a rig an API server.
func (d rig) clustered(t *testing.T) *clustertest.Cluster {
	t.Helper()
	cluster := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", cluster.Seed())
	t.Cleanup(cluster.Close)
	client, err := NewClient(cluster.Config())
	require.NoError(t, err)
	d.client = client
	return cluster
}

// An object has left a destination, and the delete has found no room. What is fetched of it is
// nobody's to write, and no reason to wait for room.
func TestWhatNobodyOwnsAnyMoreNeedsNoRoom(t *testing.T) {
	r := rule("prod", "prod", "configmaps")
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"in": "yes"}}
	d, to, s := newRig(t, newLines(0), r)
	obj := configMap("default", "a", "1")
	obj.SetLabels(map[string]string{"in": "yes"})
	d.object(t.Context(), s, obj, added)
	obj = configMap("default", "a", "1")
	d.object(t.Context(), s, obj, modified)
	require.Equal(t, 1, to.backlog.count)
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
}

func TestWhatIsFetchedAsItWasHeardOfIsNotSentAgain(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	out.setRoom(-1)
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	d.object(t.Context(), s, obj, modified)
	require.Len(t, out.waiting, 1)
}

func TestARuleForCreatesAloneWritesWhereThereIsNoFile(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Create}
	d, _, s := newRig(t, out, r)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Len(t, out.waiting, 1)
	require.Equal(t, event.IfAbsent, out.waiting[0].Precondition)
}

func TestAResyncIsAMatterOfTheListing(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	d.ledger.resync(to)
	d.object(t.Context(), s, obj, modified)
	require.Len(t, out.waiting, 1, "an update that changes no content makes no event")
}

// shut is a queue that is closed while somebody waits for room.
type shut struct{ *lines }

func (shut) Room(context.Context, destination.Destination) error { return queue.ErrShutdown }

func TestAListingForABackfillEndsWithItsCause(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	cluster := d.clustered(t)
	obj := configMap("default", "a", "1")
	require.NoError(t, cluster.Apply(obj))
	d.object(t.Context(), s, obj, added)
	d.out = shut{out}
	require.ErrorIs(t, d.backfills(t.Context(), to, s), queue.ErrShutdown)
	cluster.Fail(func(clustertest.FaultRequest) *clustertest.Fault { return &clustertest.Fault{Error: errBroken} })
	err := d.backfills(t.Context(), to, s)
	require.ErrorContains(t, err, "broken")
	require.NotErrorIs(t, err, errNotListed)
	require.Empty(t, d.ledger.missing, "nothing was listed, so nothing was missed")
}

func TestWhatTheListingOfABackfillLacksIsRemembered(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.clustered(t)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.ErrorIs(t, d.backfills(t.Context(), to, s), errNotListed)
	require.Contains(t, d.ledger.missing, d.keyed(s, "a"))
}

func TestAPageTellsWhoHadNoRoomForSomeOfIt(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	var page []fetched
	for i := range 30 { // in any order
		f := fetched{change: d.reader.read(t.Context(), s.of, read(t, configMap("default", fmt.Sprint(i), "1")), listed)}
		page = append(page, f)
	}
	d.object(t.Context(), s, configMap("default", "7", "1"), added)
	k := &walk{d.Watcher, s, map[*target]*member{to: {}}, nil}
	require.Equal(t, []*target{to}, k.offer(page, d.now()))
}

func TestWhoWaitsForItsTurnToListWaitsNoLongerThanItsContext(t *testing.T) {
	d, _, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.clustered(t)
	for range cap(d.lists) {
		d.lists <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&walk{Watcher: d.Watcher, from: s}).page(ctx, metav1.ListOptions{}, 0)
	require.ErrorIs(t, err, context.Canceled)
	r := newPlanner(d.Watcher).reflector(s, feedHandler{d.Watcher, s})
	_, _, err = r.initial(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = r.pages(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAPageThatIsNotTakenEndsTheListing(t *testing.T) {
	d, _, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	cluster := d.clustered(t)
	for _, name := range []string{"a", "b"} {
		require.NoError(t, cluster.Apply(configMap("default", name, "1")))
	}
	full, pages := errors.New("full"), 0
	_, err := eachPage(t.Context(), d.lists, clientFor(d.client, s.of, ""), 1, func(*object) error { pages++; return full })
	require.ErrorIs(t, err, full)
	require.Equal(t, 1, pages)
}

func TestWhatIsStaleForOthersHoldsUpNoDelete(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	dead := d.keyed(s, "dead")
	to.backlog.add(dead, true)
	d.ledger.outdate(d.feed("services", "", to), "default")
	d.ledger.choose(to)
	require.Zero(t, to.blocked)
	d.ledger.outdate(s, "default")
	d.ledger.choose(to)
	require.Equal(t, 1, to.blocked)
}

// Its type is gone from the cluster, as that of its reflector, and a rule still asks for it.
func TestALivingObjectThatNoReflectorCoversWaitsNoMore(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.served = &served{}
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.ledger.stop(s)
	d.ledger.disownUncovered()
	require.Zero(t, to.backlog.count)
	out.setRoom(-1)
	d.ledger.choose(to)
	require.Empty(t, out.waiting, "least of all is it deleted")
}

func TestADeleteOfANamespaceThatNoRuleAsksForAnyMoreIsDropped(t *testing.T) {
	r := rule("one", "prod", "deployments")
	r.Name, r.Resources[0].APIGroups = types.NamespacedName{Namespace: "one", Name: "one"}, []string{"apps"}
	d, to, _ := newRig(t, newLines(0), r)
	of := d.ledger.typeOf(ruleset.Type{Group: "apps", Version: "v1", Resource: "deployments", Kind: "Deployment", Namespaced: true})
	for _, ns := range []string{"one", "other"} {
		to.backlog.add(objectKey{of, types.NamespacedName{Namespace: ns, Name: "dead"}}, true)
	}
	d.ledger.disownUncovered()
	require.Equal(t, 1, to.backlog.count)
	waits, _ := to.backlog.has(objectKey{of, types.NamespacedName{Namespace: "one", Name: "dead"}})
	require.True(t, waits)
}

func TestOwnersThatNoObjectHasAreNotKept(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.ledger.stop(s)
	tl := d.ledger.typeOf(s.of)
	require.NotEmpty(t, tl.interned)
	d.ledger.disownUncovered()
	require.LessOrEqual(t, len(tl.interned), 1, "that of nobody")
	for _, c := range tl.interned {
		require.Empty(t, c.list)
	}
}

func TestANamespaceThatIsListedAgainWakesWhoWaitsForIt(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.ledger.outdate(s, "one")
	require.False(t, to.ready())
	to.backfilling, to.blocked, to.backlog.count = false, 1, 1
	d.listed(t.Context(), s, listing{"one", d.now()})
	require.True(t, to.ready())
	require.Contains(t, d.ledger.pending, to)
	require.Zero(t, to.blocked)
	d.listed(t.Context(), s, listing{"one", d.now()})
	d.listed(t.Context(), s, listing{"other", d.now()})
	require.True(t, to.ready())
}

// Two destinations own an object, of which one loses its reflector.
func TestAnOwnerThatNoReflectorCoversIsDroppedAndTheOthersStay(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	both := compiledRules(t, []destination.Spec{spec("prod", "main"), spec("dev", "main")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
	other := d.target(t, both, "dev")
	d.setRules(both.ruleSet)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	a := d.keyed(s, "a")
	require.True(t, a.entry().owners.have(other))
	d.ledger.disownUncovered()
	require.False(t, a.entry().owners.have(other))
	require.True(t, a.entry().owners.have(to))
}

func TestWhatWasNeverHeardOfIsNotOffered(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.typeOf(s.of)
	require.True(t, d.offer(t.Context(), to, s, configMap("default", "a", "1"), d.now()))
	require.Empty(t, out.waiting)
}

// undecided is a Condition that says why it cannot decide.
type undecided struct{ because *string }

func (u undecided) Holds(ruleset.Input) (bool, error) { return false, errors.New(*u.because) }

func TestWhyAnObjectIsRefusedIsTheNewestReason(t *testing.T) {
	because := "no such key: a"
	r := rule("prod", "prod", "configmaps")
	r.Condition = undecided{&because}
	d, to, s := newRig(t, newLines(-1), r)
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	because = "no such key: b"
	d.object(t.Context(), s, obj, modified)
	require.ErrorContains(t, to.refused.first[d.keyed(s, "a").id()], because)
}

func TestAResyncOfSeveralDestinationsSeedsEach(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	other := d.target(t, compiledRules(t, []destination.Spec{spec("dev", "main")}), "dev")
	services := d.feed("services", "", other)
	d.ledger.resync(to)
	require.False(t, d.relists(services), "it feeds another one")
	d.ledger.cover(s, map[*target]reach{to: {everywhere: false}, other: {everywhere: false}})
	d.ledger.resync(to, other)
	require.True(t, d.relists(s))
	require.True(t, d.relists(services))
	require.True(t, to.seedDue())
	require.True(t, other.seedDue())
}
