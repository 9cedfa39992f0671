package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The run itself fails unless every repository that answers has each object's file, written once by
// the seed and once by its change.
func TestSmokeRunOfTheWatchMeasuresEachSystemInEachCase(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"watch", "-smoke", "-json"}, &stdout, &stderr), stderr.String())
	var got []string
	for lines := json.NewDecoder(&stdout); ; {
		var r watchRow
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		got = append(got, fmt.Sprintf("%s %s %d", r.Case, r.System, r.Destinations))
		for _, measured := range []float64{r.Synced, r.CPU, r.Idle, r.Peak, r.Extra, r.Live} {
			require.Positive(t, measured, "%+v", r)
		}
		switch r.Case {
		case caseMirror, caseOneHang:
			require.Positive(t, r.Lag, "%+v", r)
			// The seed, and the changes.
			require.GreaterOrEqual(t, r.Commits, float64(2*r.Destinations), "%+v", r)
		default:
			require.Zero(t, r.Commits+r.Pushes, "%+v", r)
		}
		if r.System == kubescribe {
			require.Equal(t, 3.0, r.Lists, "pages of one listing: %+v", r)
		}
	}
	require.Equal(t, []string{
		"watch kubescribe 1", "watch kubescribe 3", "watch kubescribe, by watch 3", "watch informer 0", "watch informer, lean 0",
		"mirror kubescribe 1", "restart kubescribe 1", "mirror kubescribe 3", "restart kubescribe 3",
		"one hangs kubescribe 3", "all hang kubescribe 3",
	}, got)
}

func TestTheBarsOfTheWatchAreThoseOfManyDestinationsAndOfTheRestart(t *testing.T) {
	results := newWatchResults(20e6, 1000)
	add := func(kase, system string, destinations int, peak int64, commits, pushes int) {
		results.add(watchJob{Case: kase, System: system, Repositories: make([]string, destinations)}, watchRound{
			watchSample: watchSample{Synced: time.Second, Idle: 2 * time.Second, IdleCPU: time.Millisecond, Peak: peak},
			served:      served{Pushes: pushes}, Commits: commits,
		})
	}
	add(caseWatch, kubescribe, 10, 500e6, 0, 0)
	add(caseMirror, kubescribe, 1, 500e6, 7, 7)
	add(caseMirror, kubescribe, 10, 110e6, 7, 7)
	add(caseMirror, kubescribe, 10, 119e6, 8, 7)
	add(caseAllHang, kubescribe, 10, 121e6, 0, 0)
	add(caseRestart, kubescribe, 10, 500e6, 0, 0)
	add(caseRestart, kubescribe, 10, 500e6, 0, 1)
	rows := results.rows()
	require.Equal(t, watchRow{
		Case: caseMirror, System: kubescribe, Objects: 1000, Destinations: 10, Synced: 1000, Best: 1000, Idle: 0.5,
		Peak: 119, Extra: 99, Pushes: 7, Commits: 8, Runs: 2,
	}, rows[2])
	var met []bool
	for _, b := range (watchSettings{destinations: 10}).bars(rows) {
		met = append(met, b.met())
	}
	require.Equal(t, []bool{true, false, true, false}, met, "memory of mirror and of all hang, commits and pushes of restart")
}
