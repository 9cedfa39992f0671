package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheSmokeRunPrintsEveryRow(t *testing.T) {
	var out, errs bytes.Buffer
	require.NoError(t, run([]string{"-smoke", "-json"}, &out, &errs), errs.String())
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var r row
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.Positive(t, r.Median)
		require.LessOrEqual(t, r.Best, r.Median)
		seen[r.Case+", "+r.System] = true
	}
	for _, want := range []string{
		"match: nothing, kubescribe", "match: nothing, linear scan", "match: one rule, kubescribe", "match: one rule, linear scan",
		"resolve destinations, kubescribe",
	} {
		require.Contains(t, seen, want)
	}
	out.Reset()
	require.NoError(t, run([]string{"-smoke"}, &out, &errs))
	require.Contains(t, out.String(), "linear scan")
}

func TestABarThatIsMissedIsAnError(t *testing.T) {
	var out bytes.Buffer
	rows := []row{{Case: "match: nothing", Size: 10, Median: 900, Bar: 1_000}, {Case: "match: nothing", Size: 20, Median: 1_100, Bar: 1_000}}
	require.ErrorContains(t, printTable(&out, rows, true), "of 20: 1100 ns, want at most 1000 ns")
	require.Contains(t, out.String(), "of 10: 900 ns, at most 1000 ns: met")
	require.NoError(t, printTable(&out, rows, false))
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	var out bytes.Buffer
	require.Error(t, run([]string{"-runs", "0"}, &out, &out))
	require.Error(t, run([]string{"-nonsense"}, &out, &out))
}
