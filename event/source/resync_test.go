package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// otherStream adds a stream to a desk's ledger, which does not run.
func otherStream(d *desk, resource, namespace string, coverage ...ruleset.Coverage) *stream {
	of := ruleset.Type{Version: "v1", Resource: resource, Kind: map[string]string{"configmaps": "ConfigMap", "services": "Service"}[resource], Namespaced: true}
	s := &stream{watch: ruleset.Watch{Resource: of, Namespace: namespace}, to: d, anew: make(chan struct{}, 1), rewinds: newRewinds()}
	for _, c := range coverage {
		s.watch.Coverage = append(s.watch.Coverage, ruleset.Coverage{Destination: c.Destination, Collection: s.scope()})
	}
	d.ledger.streams[s.key()] = s
	return s
}

func TestAResyncSendsEveryObjectOnceMoreAndOnce(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.streams[s.key()] = s
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
	d.ledger.clock++
	d.ledger.resync(to) // while a listing runs that may have passed some objects
	d.completed(t.Context(), s)
	require.Equal(t, 1, lists())
	require.Zero(t, lists())
}

func TestAResyncListsOnlyWhatFeedsTheDestination(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.streams[s.key()] = s
	other := otherStream(d, "services", "")
	d.ledger.resync(to)
	require.True(t, s.again.Load())
	require.False(t, other.again.Load())
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
