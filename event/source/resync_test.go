package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
)

func TestAResyncSendsEveryObjectOnceMoreAndOnce(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	lists := func() int {
		out.waiting = nil
		d.begin(s)
		d.object(t.Context(), s, obj, listed)
		d.completed(t.Context(), s)
		return len(out.waiting)
	}
	require.Equal(t, 1, lists())
	require.Zero(t, lists(), "it has not changed")
	d.ledger.resync(to)
	require.Equal(t, 1, lists())
	require.Zero(t, lists(), "it was asked for once")

	d.begin(s)
	d.object(t.Context(), s, obj, listed)
	d.ledger.resync(to) // while a listing runs that may have passed some objects
	d.completed(t.Context(), s)
	require.Equal(t, 1, lists())
	require.Zero(t, lists())
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
