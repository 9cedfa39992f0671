package kubescribe

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/meter/metertest"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

func TestEveryReasonHasAValue(t *testing.T) {
	for reason, change := range verdicts() {
		st := inSync()
		change(&st)
		ready, got, _ := st.Ready()
		require.Equal(t, reason, got)
		require.Equal(t, ready, reason.ready(), reason)
		require.Contains(t, allReasons, reason)
	}
}

func TestWhatStaysAndWhatIsLeftOutIsSummedUp(t *testing.T) {
	s := newMeasures(&Options{MeterProvider: noop.NewMeterProvider(), MetricsPerDestination: 1})
	one := inSync()
	one.Held = &orphan.TooManyError{Found: *orphan.NewFound([]string{"a", "b"})}
	one.Unadopted, one.Uncovered, one.Excluded = []string{"c"}, orphan.NewFound([]string{"d"}), orphan.NewFound([]string{"e"})
	one.Watch.Refused, one.Watch.RefusedCount = []source.Refused{{Err: event.ErrSecret}, {Err: source.ErrMismatch}}, 7
	one.Skipped = []gitsink.Skipped{{Err: fmt.Errorf("x: %w", gitsink.ErrPath)}, {Err: gitsink.ErrEncryptor}, {Err: errors.New("oops")}}
	one.SkippedCount = 4
	all := s.sum(Status{Destinations: map[destination.Ref]DestinationStatus{{Name: "a"}: one, {Name: "b"}: one, {Name: "c"}: one}})
	require.Equal(t, map[string]counted{"/a": {2, 1, 1, 1}, other: {4, 2, 2, 2}}, all.files)
	for reason, n := range map[string]int64{
		leftOutSecret: 1, leftOutMismatch: 1, leftOutPath: 1, leftOutEncryptor: 1, leftOutOther: 1, leftOutTooLarge: 0, leftOutUnknown: 6,
	} {
		require.Equal(t, n, all.leftOut[leftOutOf{"/a", reason}], reason)
		require.Equal(t, 2*n, all.leftOut[leftOutOf{other, reason}], reason)
	}
	require.Equal(t, int64(1), all.destinations[verdictOf{"/a", ReasonFolderExcluded}])
	require.Equal(t, int64(2), all.destinations[verdictOf{other, ReasonFolderExcluded}])
	require.Contains(t, all.destinations, verdictOf{other, ReasonForbidden}, "an alert keeps its series")
}

func changes(ref destination.Ref, age time.Duration, n int, listed bool) (all []event.Event) {
	for i := range n {
		all = append(all, event.Event{
			Destination: destination.Destination{Ref: ref}, Operation: event.Update, Listed: listed,
			Resource: event.Resource{ID: event.ID{Resource: "configmaps", Name: fmt.Sprint(i)}}, Time: time.Now().Add(time.Duration(i)*time.Second - age),
		})
	}
	return all
}

func TestTheLagIsThatOfTheOldestChangeThatLanded(t *testing.T) {
	r := metertest.New()
	s := newMeasures(&Options{MeterProvider: r, MetricsPerDestination: 1})
	a, b := destination.Ref{Name: "a"}, destination.Ref{Name: "b"}
	refs := []destination.Ref{b, a}
	events := append(changes(a, time.Minute, 3, false), changes(a, time.Hour, 1, true)...)
	events = append(events, changes(b, 10*time.Second, 1, false)...)
	events = append(events, event.Event{Destination: destination.Destination{Ref: b}, Operation: event.SeedSync})
	batch := queue.Batch{Events: events}
	s.landed(t.Context(), refs, batch, errors.New("nothing has landed"))
	require.Empty(t, r.Instruments()["kubescribe.lag"].Values)
	s.landed(t.Context(), refs, batch, nil)
	of := func(attributes string) float64 { return r.Value("kubescribe.lag", attributes) }
	require.InDelta(t, 60, of("destination=/a,listed=false"), 5)
	require.InDelta(t, 3600, of("destination=/a,listed=true"), 5)
	require.InDelta(t, 10, of("destination=other,listed=false"), 5)
	require.Zero(t, r.Count("kubescribe.lag", "destination=other,listed=true"))
	s.landed(t.Context(), refs, queue.Batch{Events: changes(a, 30*time.Second, 10, false)}, &queue.PartialError{Events: changes(a, 0, 9, false)})
	require.InDelta(t, 60+21, of("destination=/a,listed=false"), 5, "what is tried again has not landed")
	s.landed(t.Context(), []destination.Ref{b}, batch, nil)
	require.InDelta(t, 10+60, of("destination=other,listed=false"), 5, "another destination is the first now")
}

func TestAMirrorWithoutAMeterProviderMeasuresNothing(t *testing.T) {
	s := newMeasures(&Options{})
	batch := queue.Batch{Events: changes(destination.Ref{}, 0, 1, false)}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.turn()
		s.landed(t.Context(), nil, batch, nil)
	}))
}

// What the lag of a batch of a thousand changes costs.
func BenchmarkLagOfABatch(b *testing.B) {
	ref := destination.Ref{Name: "a"}
	s, batch := newMeasures(&Options{MeterProvider: noop.NewMeterProvider()}), queue.Batch{Events: changes(ref, time.Minute, 1000, false)}
	refs := []destination.Ref{ref}
	b.ReportAllocs()
	for b.Loop() {
		s.landed(b.Context(), refs, batch, nil)
	}
}
