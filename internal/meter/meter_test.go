package meter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/kubescribe/kubescribe/internal/meter"
	"github.com/kubescribe/kubescribe/internal/meter/metertest"
)

func TestReadingsAreOfOneStateUntilTheyEnd(t *testing.T) {
	r := metertest.New()
	set := meter.New(r, "scope")
	readings := meter.NewReadings[int](set)
	readings.Counter("c", "{x}", "a counter", func(s int) int64 { return int64(s) })
	readings.LevelBy("l", "{x}", "a level", func(s int, tell meter.Tell[int64]) {
		tell(int64(s), attribute.String("of", "a"))
		tell(int64(2*s), attribute.String("of", "b"))
	})
	readings.Seconds("s", "an age", func(s int) float64 { return float64(s) / 2 })
	state := 0
	end := readings.Register(func() int { state++; return state })
	require.NoError(t, r.Collect(t.Context()))
	require.NoError(t, r.Collect(t.Context()))
	require.Equal(t, []float64{2, 2, 4, 1}, []float64{r.Value("c", ""), r.Value("l", "of=a"), r.Value("l", "of=b"), r.Value("s", "")})
	require.NoError(t, end())
	require.Zero(t, r.Registered())
}

func TestWhatCouldNotBeMadeIsToldOnceAndMeasuresNothing(t *testing.T) {
	var logged strings.Builder
	r := metertest.New()
	r.Refuse = true
	set := meter.New(r, "scope")
	set.Seconds("d", "a duration").Record(t.Context(), 1)
	readings := meter.NewReadings[int](set)
	readings.Counter("c", "{x}", "a counter", func(int) int64 { return 1 })
	require.NoError(t, readings.Register(func() int { return 0 })())
	set.Report(funcr.New(func(_, args string) { logged.WriteString(args) }, funcr.Options{}))
	require.Equal(t, 3, strings.Count(logged.String(), metertest.ErrRefused.Error()))
}

func TestARecordWithAWordAllocatesNothing(t *testing.T) {
	h := meter.New(noop.NewMeterProvider(), "scope").Seconds("d", "a duration")
	words := meter.NewWords("outcome", "ok", "failed")
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Record(context.Background(), 1, words.Of("failed")...) }))
}
