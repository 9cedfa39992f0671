package source

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func setOf(t *testing.T, names ...string) destination.Set {
	t.Helper()
	var specs []destination.Spec
	for _, name := range names {
		specs = append(specs, spec(name, "main"))
	}
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, specs)
	require.NoError(t, err)
	return set
}

func TestADestinationIsIdleWhenItIsSeededAndNothingIsOnItsWay(t *testing.T) {
	require.True(t, DestinationStatus{Seeds: 1}.Idle())
	for _, busy := range []DestinationStatus{{}, {Seeds: 1, Waiting: 1}, {Seeds: 1, SeedDue: true}} {
		require.False(t, busy.Idle(), "%+v", busy)
	}
}

func TestTheStatusOfADestinationSaysWhatIsStillDue(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	status := func() DestinationStatus {
		st, ok := d.Status(ref("prod"))
		require.True(t, ok)
		return st
	}
	require.True(t, status().SeedDue, "the rules are not followed yet")
	d.ledger.observed = d.ledger.adopted
	require.False(t, status().SeedDue)
	d.ledger.outdate(s, "default")
	require.True(t, status().SeedDue)
	clear(s.stale)
	d.ledger.ask(to)
	require.True(t, status().SeedDue)
	d.ledger.landed(to, to.asked, false)
	require.True(t, status().SeedDue, "nothing was swept yet")
	to.settled()

	st := status()
	require.Equal(t, []int{1, 0, 0}, []int{st.Streams, st.Complete, len(st.Incomplete)}, "it is being listed")
	d.failed(s, errBroken)
	require.Equal(t, []Incomplete{{event.Collection{Resource: "configmaps", All: true}, errBroken}}, status().Incomplete)
	d.completed(t.Context(), s)
	st = status()
	require.Equal(t, []int{1, 1, 0}, []int{st.Streams, st.Complete, len(st.Incomplete)})
	_, ok := d.Status(ref("dev"))
	require.False(t, ok)
}

func TestADestinationOfTheRulesIsKnownBeforeThePlannersTurn(t *testing.T) {
	w := New(nil, nil, newLines(-1), nil)
	for _, ask := range []func(destination.Ref) error{w.Resync, w.Sweep} {
		require.ErrorIs(t, ask(ref("prod")), destination.ErrUnknown)
	}
	w.SetRules(setOf(t, "prod"), &ruleset.RuleSet{})
	for _, ask := range []func(destination.Ref) error{w.Resync, w.Sweep} {
		require.NoError(t, ask(ref("prod")), "its first listing does what is asked for")
		require.ErrorIs(t, ask(ref("dev")), destination.ErrUnknown)
	}
	w.SetRules(setOf(t, "dev"), &ruleset.RuleSet{})
	require.ErrorIs(t, w.Resync(ref("prod")), destination.ErrUnknown)
}

func TestOneMayAskForASweepOfADestinationThatThereIs(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.stop(s) // nothing has to be listed before
	to.backfilling = false
	to.settled()
	require.ErrorIs(t, d.Sweep(ref("dev")), destination.ErrUnknown)
	require.ErrorIs(t, d.Resync(ref("dev")), destination.ErrUnknown)
	for _, ask := range []func(destination.Ref) error{d.Sweep, d.Resync} {
		require.NoError(t, ask(ref("prod")))
		require.True(t, to.syncDue())
		require.Contains(t, d.ledger.pending, to)
		clear(d.ledger.pending)
		to.settled()
	}
}

// A logger may be slow, and may ask what the Watcher knows. Called under the Watcher's lock it
// would hold up every reflector, or wait for itself.
func TestALoggerIsCalledWithoutTheWatchersLock(t *testing.T) {
	var f *fixture
	said := make(chan string, 100)
	logger := funcr.New(func(_, args string) {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			f.watcher.Status(ref("prod"))
		}()
		select {
		case <-answered:
			said <- args
		case <-time.After(2 * time.Second):
			said <- "no answer while this is logged: " + args
		}
	}, funcr.Options{Verbosity: 1})
	f = newFixture(t, -1, &Options{Logger: logger})
	f.apply(newObject("v1", "Secret", "default", "x", map[string]any{}))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "secrets"))
	select {
	case got := <-said:
		require.Contains(t, got, "object refused")
		require.NotContains(t, got, "no answer")
	case <-time.After(wait):
		require.Fail(t, "nothing was logged")
	}
}

func TestACollectionWhoseWatchFailsForHalfAMinuteIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
		d.begin(s)
		d.completed(t.Context(), s)
		gone := apierrors.NewServiceUnavailable("gone")
		notFollowed := func() []Incomplete { return d.ledger.status(to).NotFollowed }
		d.failed(s, gone)
		time.Sleep(notFollowedAfter - time.Second)
		d.failed(s, gone)
		require.Empty(t, notFollowed(), "an API server may be replaced")
		time.Sleep(time.Second)
		require.Equal(t, []Incomplete{{event.Collection{Resource: "configmaps", All: true}, gone}}, notFollowed(), "since the first failure")
		require.Equal(t, 1, d.ledger.status(to).Complete)
		d.ledger.follows(s)
		require.Empty(t, notFollowed())
		d.failed(s, gone)
		time.Sleep(notFollowedAfter)
		require.Len(t, notFollowed(), 1)
		d.begin(s)
		d.completed(t.Context(), s)
		require.Empty(t, notFollowed(), "a listing ends it, too")
	})
}
