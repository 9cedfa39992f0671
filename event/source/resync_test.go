package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func TestAResyncIsOverWhenAListingAndASeedSyncHaveFollowedIt(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	lists := func() {
		d.begin(s)
		d.object(t.Context(), s, configMap("default", "a", "1"), listed)
		d.completed(t.Context(), s)
	}
	seeds := func() int {
		out.waiting = nil
		d.ledger.sync(to)
		for _, e := range out.waiting {
			var seen event.Snapshot
			require.NoError(t, e.Inventory.View(func(v event.Snapshot) error { seen = v; return nil }))
			require.True(t, seen.MaySweep())
			e.Inventory.Landed(seen)
		}
		return len(out.waiting)
	}
	d.ledger.resync(to)
	require.True(t, d.relists(s))
	require.Zero(t, seeds(), "the listing comes first")
	lists()
	require.Empty(t, out.waiting, "the SeedSync compares")
	require.Equal(t, 1, seeds())
	require.False(t, to.seedDue())

	d.begin(s)
	d.ledger.resync(to) // while a listing runs that may have passed some objects
	d.completed(t.Context(), s)
	require.Zero(t, seeds())
	lists()
	require.Equal(t, 1, seeds())
	require.False(t, to.seedDue())
	require.Zero(t, seeds())
}

func TestAResyncListsOnlyWhatFeedsTheDestination(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	other := d.feed("services", "")
	d.ledger.resync(to)
	require.True(t, d.relists(s))
	require.False(t, d.relists(other))
}

func TestAListingAsksForPages(t *testing.T) {
	f := newFixture(t, -1, nil) // pages of three
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		f.apply(configMap("default", name, "1"))
	}
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	require.Equal(t, 3, f.listed("configmaps"))
}

func TestWithoutOptionsThereAreDefaults(t *testing.T) {
	want := Options{PageSize: 250, Lists: 4, Rediscover: 30 * time.Second, Collapse: 50, Resync: time.Hour}
	require.Equal(t, want, *(*Options)(nil).withDefaults())
	require.Equal(t, want, *(&Options{PageSize: -1, Lists: -1, Rediscover: -1}).withDefaults())
	given := Options{PageSize: 1, Lists: 2, Rediscover: 3, Collapse: -1, Resync: -1}
	require.Equal(t, given, *given.withDefaults())
}
