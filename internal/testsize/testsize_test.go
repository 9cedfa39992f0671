package testsize

import (
	"flag"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheVariablesAndShortChooseTheSize(t *testing.T) {
	sizes := Sizes{Short: 1, Usual: 2, Long: 3, Soak: 4}
	for name, c := range map[string]struct {
		short      bool
		long, soak string
		want       int
		ofUsual    int // that Sizes{Usual: 7, Long: 9} give
	}{
		"short":          {short: true, want: 1, ofUsual: 7},
		"usual":          {want: 2, ofUsual: 7},
		"long":           {long: "1", want: 3, ofUsual: 9},
		"long and short": {short: true, long: "1", want: 3, ofUsual: 9},
		"soak":           {soak: "1", want: 4, ofUsual: 9},
		"both":           {long: "1", soak: "1", want: 4, ofUsual: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(longVariable, c.long)
			t.Setenv(soakVariable, c.soak)
			setShort(t, c.short)
			require.Equal(t, c.want, sizes.Pick())
			require.Equal(t, c.ofUsual, Sizes{Usual: 7, Long: 9}.Pick())
			require.Equal(t, c.want == 4, runs(t, func(t *testing.T) { NeedsSoak(t, "x") }))
			require.Equal(t, c.want >= 3, runs(t, func(t *testing.T) { NeedsLong(t, "x") }))
			require.Equal(t, c.want >= 3, len(Some(t, make([]int, 9), 4)) == 9)
		})
	}
}

func TestASeedIsRepeated(t *testing.T) {
	t.Setenv(seedVariable, "42")
	require.True(t, Repeats())
	require.Equal(t, uint64(42), Seed(t))
	require.Equal(t, Chance(t).Uint64(), Chance(t).Uint64())
	t.Setenv(seedVariable, "")
	require.False(t, Repeats())
	require.NotEqual(t, Seed(t), Seed(t))
}

func TestOneOfSeveralAlternativesRunsAndAllOfThemInTheLongRun(t *testing.T) {
	ran := func() (n int) {
		for i := range 3 {
			if runs(t, func(t *testing.T) { OneOf(t, "key", i, 3) }) {
				n++
			}
		}
		return n
	}
	t.Setenv(longVariable, "")
	setShort(t, false)
	require.Equal(t, 1, ran())
	t.Setenv(longVariable, "1")
	require.True(t, runs(t, func(t *testing.T) { Sampled(t) }))
	require.Equal(t, 3, ran())
	setShort(t, true)
	require.Equal(t, 3, ran())
	t.Setenv(longVariable, "")
	drawn := 0
	for i := range 300 {
		if draw(strconv.Itoa(i), 3) == 0 {
			drawn++
		}
	}
	require.InDelta(t, 100, drawn, 50, "of 300 keys a third is drawn")
}

func TestSomeAreDrawnOnceAndInTheirOrder(t *testing.T) {
	t.Setenv(longVariable, "")
	setShort(t, false)
	all := make([]int, 100)
	for i := range all {
		all[i] = i
	}
	some := Some(t, all, 20)
	require.Len(t, some, 20)
	require.IsIncreasing(t, some)
	require.Equal(t, some, Some(t, all, 20), "a run draws the same again")
	require.Equal(t, all, Some(t, all, 100))
	setShort(t, true)
	require.Len(t, Some(t, all, 20), 10)
	require.Len(t, Some(t, all, 1), 1)
}

// setShort changes -short for the rest of the test.
func setShort(t *testing.T, short bool) {
	t.Helper()
	f := flag.Lookup("test.short").Value
	before := f.String()
	t.Cleanup(func() { require.NoError(t, f.Set(before)) })
	require.NoError(t, f.Set(map[bool]string{true: "true", false: "false"}[short]))
}

// runs reports whether a test goes on after begin.
func runs(t *testing.T, begin func(*testing.T)) (on bool) {
	t.Helper()
	t.Run("begin", func(t *testing.T) {
		begin(t)
		on = true
	})
	return on
}
