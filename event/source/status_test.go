package source

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
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
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	w := New(nil, nil, d.out.(*lines), nil)
	w.ledger = d.ledger
	status := func() DestinationStatus {
		st, ok := w.Status(ref("prod"))
		require.True(t, ok)
		return st
	}
	require.True(t, status().SeedDue, "the rules are not followed yet")
	w.planned = true
	require.False(t, status().SeedDue)
	to.unsettled = 1
	require.True(t, status().SeedDue)
	to.unsettled, to.syncDue = 0, true
	require.True(t, status().SeedDue)

	d.ledger.streams[s.key()] = s
	st := status()
	require.Equal(t, []int{1, 0, 0}, []int{st.Streams, st.Complete, len(st.Incomplete)}, "it is being listed")
	d.failed(s, errBroken)
	require.Equal(t, []Incomplete{{s.watch.Coverage[0].Collection, errBroken}}, status().Incomplete)
	d.completed(t.Context(), s)
	st = status()
	require.Equal(t, []int{1, 1, 0}, []int{st.Streams, st.Complete, len(st.Incomplete)})
	_, ok := w.Status(ref("dev"))
	require.False(t, ok)
}

func TestADestinationOfTheRulesIsKnownBeforeThePlannersTurn(t *testing.T) {
	w := New(nil, nil, newLines(-1), nil)
	for _, ask := range []func(destination.Ref) error{w.Resync, w.Sweep} {
		require.ErrorIs(t, ask(ref("prod")), destination.ErrUnknown)
	}
	w.SetRules(setOf(t, "prod"), &ruleset.RuleSet{})
	w.take() // the planner's turn has begun, and has made no target yet
	for _, ask := range []func(destination.Ref) error{w.Resync, w.Sweep} {
		require.NoError(t, ask(ref("prod")), "its first listing does what is asked for")
		require.ErrorIs(t, ask(ref("dev")), destination.ErrUnknown)
	}
	w.SetRules(setOf(t, "dev"), &ruleset.RuleSet{})
	require.ErrorIs(t, w.Resync(ref("prod")), destination.ErrUnknown)
}

func TestOneMayAskForASweepOfADestinationThatThereIs(t *testing.T) {
	d, to, _ := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	w := New(nil, nil, d.out.(*lines), nil)
	w.ledger, to.feeding = d.ledger, false
	require.ErrorIs(t, w.Sweep(ref("dev")), destination.ErrUnknown)
	require.ErrorIs(t, w.Resync(ref("dev")), destination.ErrUnknown)
	for _, ask := range []func(destination.Ref) error{w.Sweep, w.Resync} {
		require.NoError(t, ask(ref("prod")))
		require.True(t, to.syncDue)
		require.Contains(t, d.ledger.kicked, to)
		clear(d.ledger.kicked)
		to.syncDue = false
	}
}
