package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/meter/metertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestHowListingsAndWatchesEndIsAWordOfAClosedSet(t *testing.T) {
	of := schema.GroupResource{Resource: "pods"}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for word, c := range map[string]struct {
		ctx context.Context
		err error
	}{
		outcomeOK:          {ended, nil},
		outcomeInterrupted: {ended, context.Canceled},
		outcomeExpired:     {t.Context(), apierrors.NewResourceExpired("old")},
		outcomeRewound:     {t.Context(), errWentBack},
		outcomeRelist:      {t.Context(), &startOver{errRelist}},
		outcomeForbidden:   {t.Context(), apierrors.NewForbidden(of, "", errors.New("no"))},
		outcomeFailed:      {t.Context(), errors.New("oops")},
	} {
		require.Equal(t, word, outcomeOf(c.ctx, c.err))
		require.Contains(t, outcomes, word)
	}
	require.Equal(t, outcomeExpired, outcomeOf(t.Context(), errPassBroken))
	require.Equal(t, outcomeExpired, outcomeOf(t.Context(), fmt.Errorf("%w: %w", errExpired, &notGone{errRelist})))
}

// A histogram tells only of what happened, so that a test which runs a Mirror does not see all.
func TestThePageOnMetricsHasEveryKindAndOutcomeOfAListing(t *testing.T) {
	page, err := os.ReadFile("../../docs/monitoring/metrics.md")
	require.NoError(t, err)
	documented := metertest.Documented(string(page))
	require.ElementsMatch(t, outcomes, documented["kubescribe.source.listing.duration outcome"])
	require.ElementsMatch(t, []string{listsCollection, listsNamespace, walks}, documented["kubescribe.source.listing.duration kind"])
}

func TestRequestsAreCountedByVerbAndClassOfTheAnswer(t *testing.T) {
	var r requests
	for _, err := range []error{nil, apierrors.NewNotFound(schema.GroupResource{}, "x"), apierrors.NewInternalError(errors.New("x")), errors.New("no route"), context.Canceled} {
		r.ended(verbGet, err)
	}
	var got []uint64
	for i := range classes {
		got = append(got, r[verbGet][i].Load())
	}
	require.Equal(t, []uint64{1, 1, 1, 0, 2}, got)
}

func TestMetricsTellWhatIsFollowedAndWhatWasSent(t *testing.T) {
	t.Parallel()
	recorder := metertest.New()
	out := newLines(-1)
	d, to, s := newRigWith(t, out, &Options{MeterProvider: recorder}, rule("r", "prod", "configmaps"))
	end := d.meters.follow(d.Watcher)
	read := func(name, attributes string) float64 {
		require.NoError(t, recorder.Collect(t.Context()))
		return recorder.Value("kubescribe.source."+name, attributes)
	}
	require.Equal(t, 1.0, read("collections", "state=listing"))
	d.begin(s)
	d.completed(t.Context(), s)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.object(t.Context(), s, configMap("default", "a", "2"), modified)
	d.deleted(t.Context(), s, configMap("default", "a", "2"), removed)
	d.object(t.Context(), s, configMap("default", "b", "1"), added)
	for name, want := range map[string]float64{"create": 2, "update": 1, "delete": 1} {
		require.Equal(t, want, read("events", "operation="+name), name)
	}
	require.Equal(t, 1.0, read("collections", "state=followed"))
	require.Equal(t, []float64{1, 1, 0}, []float64{read("types", ""), read("objects", ""), read("refused", "")})
	d.update(func(l *ledger) {
		l.refuse(to, d.keyed(s, "c"), event.ErrSecret)
		l.failed(s, errors.New("oops"))
	})
	require.Equal(t, []float64{1, 1}, []float64{read("refused", ""), read("collections", "state=failing")})
	d.update(func(l *ledger) { l.follows(s) })
	require.Equal(t, []float64{0, 1}, []float64{read("collections", "state=failing"), read("collections", "state=followed")},
		"a watch that is open again ends a failure, as a listing does")
	end()
	require.Zero(t, recorder.Registered(), "the provider lets go of the Watcher")
}

func TestAWatcherWithoutAMeterProviderMeasuresNothing(t *testing.T) {
	var m *meters
	require.Zero(t, testing.AllocsPerRun(100, func() {
		m.listed(t.Context(), walks, time.Time{}, outcomeOK)
		m.watched(outcomeOK)
		m.turn()
	}))
	of := clientFor(New(FromDynamic(newGatedAPI()), nil, newLines(1), nil).client, namespaceType, "")
	require.IsType(t, dynamicCollection{}, of, "no request is counted")
}

// What an update of an object costs, from the reflector to the queue, without and with metrics.
func BenchmarkUpdateOfAnObject(b *testing.B) {
	for name, provider := range map[string]metric.MeterProvider{"unmeasured": nil, "measured": noop.NewMeterProvider()} {
		b.Run(name, func(b *testing.B) {
			l := newLedger(func(event.Event) error { return nil })
			w := New(FromDynamic(newGatedAPI()), nil, newLines(-1), &Options{MeterProvider: provider})
			w.ledger = l
			d := destination.Destination{Ref: ref("prod"), Repository: "https://git.example/r", Branch: "main"}
			to := l.newTarget(d)
			f := l.newFeed(ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}, "")
			l.cover(f, map[*target]reach{to: {everywhere: true}})
			contents := [2]*event.Content{event.NewContent([]byte("a")), event.NewContent([]byte("b"))}
			c := change{
				resource:  resourceOf(f.of, types.NamespacedName{Namespace: "default", Name: "a"}),
				operation: event.Update, matches: []ruleset.Match{{Destination: d, Writes: true, Delete: true}},
			}
			c.standing = c.matches
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.forms = []form{{content: contents[i%2], digest: contents[i%2].Digest()}}
				w.update(func(l *ledger) { l.upsert(f, c) })
			}
		})
	}
}
