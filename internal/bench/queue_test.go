package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmokeRunOfTheQueuesMeasuresEachSystemInEachCase(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"queue", "-smoke", "-json"}, &stdout, &stderr), stderr.String())
	var got []string
	for lines := json.NewDecoder(&stdout); ; {
		var r queueRow
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		got = append(got, fmt.Sprintf("%s %s %d", r.Case, r.System, r.Keys))
		switch r.Case {
		case caseThrough:
			require.Positive(t, r.Best, "%+v", r)
			require.LessOrEqual(t, r.Best, r.Wall)
		case caseFlood, caseHungKeys:
			require.Positive(t, r.Wait, "%+v", r)
		}
	}
	require.Equal(t, []string{
		"through kubescribe 10", "through workqueue 10", "through channels 10", "through metered 10",
		"waiting kubescribe 10", "waiting workqueue 10", "waiting channels 10",
		"through kubescribe 100", "through workqueue 100", "through channels 100", "through metered 100",
		"waiting kubescribe 100", "waiting workqueue 100", "waiting channels 100",
		"flood kubescribe 2", "flood workqueue 2", "flood channels 2",
		"hung runner 100", "hung pool of 64 100",
	}, got)
}

func TestTheBarsOfTheQueueAreThoseOfTenThousandKeys(t *testing.T) {
	bars := queueBars([]queueRow{
		{Case: caseThrough, System: systemSharded, Keys: 100, Wall: 5000},
		{Case: caseThrough, System: systemSharded, Keys: 10_000, Wall: 1500, Best: 1200, CPU: 1700},
		{Case: caseThrough, System: systemWorkqueue, Keys: 10_000, Wall: 9000},
		{Case: caseWaiting, System: systemSharded, Keys: 10_000, Bytes: 601},
		{Case: caseHungKeys, System: systemRunner, Keys: 1000, Wait: 12},
		{Case: caseHungKeys, System: systemPool, Keys: 1000, Wait: 2000},
	})
	require.Len(t, bars, 3)
	require.True(t, bars[0].met())
	require.False(t, bars[1].met())
	require.True(t, bars[2].met())
}
