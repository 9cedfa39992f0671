package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestEveryMutantOfASmallPackageComesToItsEnd(t *testing.T) {
	testsize.Sampled(t)
	dir := t.TempDir()
	o := &options{seed: 1, workers: 4, limit: 3, cache: dir, patience: 2 * time.Second}
	of := func() map[string]string {
		path, known := memoryOf(dir, "github.com/kubescribe/kubescribe/internal/mutants/testdata/sample")
		require.FileExists(t, path)
		is := map[string]string{}
		for key, o := range known.Outcomes {
			is[key[len("internal/mutants/testdata/sample/sample.go: "):]] = o.Is
		}
		return is
	}
	want := map[string]string{
		"newBox: note => no such field":                     survived,
		"newBox: true => the other":                         killed,
		"box.put: !b.open || len(b.items) >= most => true":  killed,
		"box.put: !b.open => left out of ||":                killed,
		"box.put: len(b.items) >= most => left out of ||":   killed,
		"box.put: len(b.items) >= most => >":                killed,
		"box.put: errNone => nil":                           killed,
		"box.put: b.items = append(b.items, n) => left out": killed,
		"box.sum: i < len(b.items) => false":                killed,
		"box.sum: i < len(b.items) => <=":                   killed, // it panics
		"box.sum: b.items[i] < 0 => true":                   killed,
		// Passed, and made no difference.
		"box.sum: b.items[i] < 0 => false":                survived,
		"box.sum: b.items[i] < 0 => <=":                   survived,
		"box.sum: continue => left out":                   uncovered,
		"box.sum: sum += b.items[i] => left out":          killed,
		"box.untested: b.open && b.note != \"\" => false": uncovered,
		"box.untested: b.open => left out of &&":          uncovered,
		"box.untested: b.note != \"\" => left out of &&":  uncovered,
		"awaits: yes => true":                             uncovered,
		"awaits: yes => false":                            uncovered,
	}
	var out bytes.Buffer
	require.ErrorContains(t, o.run(t.Context(), &out, []string{"testdata/sample"}), "survive 21.4 %")
	require.Equal(t, want, of())
	require.Contains(t, out.String(), "| internal/mutants/testdata/sample | 20 | 14 | 11 | 0 | 3 | 21.4 % |")

	// What is known is not tried again, and what is listed is not counted.
	equivalents := map[string]string{
		"internal/mutants/testdata/sample/sample.go: newBox: note => no such field": "nobody reads it",
		"internal/mutants/testdata/sample/sample.go: gone: x => y":                  "an old one",
	}
	began := time.Now()
	tally, err := o.try(t.Context(), "testdata/sample", equivalents)
	require.NoError(t, err)
	require.Equal(t, map[string]int{killed: 11, survived: 2, equivalent: 1, uncovered: 6}, tally.of)
	require.Equal(t, []string{"internal/mutants/testdata/sample/sample.go: gone: x => y"}, tally.strays)
	require.Less(t, time.Since(began), time.Minute)
}

func TestEditsKeepTheOrderOfWhatIsAroundAndWhatIsInside(t *testing.T) {
	var e edits
	e.around(0, 5, "f(", ")")
	e.around(0, 5, "g(", ")")
	e.replace(2, 3, ",")
	e.around(0, 1, "h(", ")")
	e.around(4, 5, "k(", "]")
	require.Equal(t, "f(g(h(a) , k(b])) c", e.apply([]byte("a < b c")))
}

func TestASampleIsAllowedSomeBadLuck(t *testing.T) {
	row := tally{name: "x", of: map[string]int{killed: 96, survived: 4}}
	require.ErrorContains(t, row.judge(&options{limit: 3}), "of x survive 4.0 %")
	require.NoError(t, row.judge(&options{limit: 3, sample: 100}))
	require.Error(t, tally{of: map[string]int{killed: 90, survived: 10}}.judge(&options{limit: 3, sample: 100}))
	require.ErrorContains(t, tally{strays: []string{"gone"}}.judge(&options{limit: 3}), "gone")
}

func TestEquivalentsNeedAReason(t *testing.T) {
	reasons, err := parseEquivalents("# note\na.go: f: x => y\n\tit is\n\tthe same\n\nb.go: g: x => y\n\tso is this\n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a.go: f: x => y": "it is the same", "b.go: g: x => y": "so is this"}, reasons)
	for _, bad := range []string{"a.go: f: x => y\n", "a.go: f: x => y\nb.go: g: x => y\n\twhy\n", "\twhy\n", "a\n\twhy\na\n\twhy\n"} {
		_, err := parseEquivalents(bad)
		require.Error(t, err, bad)
	}
	_, err = parseEquivalents(equivalents)
	require.NoError(t, err)
}
