package queuetest

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingIsLostDoubledOrOutOfOrderInAStormOfTenThousandKeys runs at full size, a million events, with KUBESCRIBE_SOAK=1,
// and with a tenth of them otherwise.
func TestNothingIsLostDoubledOrOutOfOrderInAStormOfTenThousandKeys(t *testing.T) {
	s := &storm{keys: 10_000, objects: 4, events: 100_000, producers: 8, workers: 64, seed: rand.Uint64()}
	if os.Getenv("KUBESCRIBE_SOAK") != "" {
		s.events = 1_000_000
	}
	if testing.Short() {
		s.events = 10_000
	}
	t.Logf("seed %d, %d events", s.seed, s.events)
	c := check{run: func(e *env) error { return s.rage(e, e.open(s.options(e))) }}
	require.NoError(t, c.against(t, sharded()))
	hands := 0
	for _, r := range s.record {
		if r.what == handed {
			hands++
		}
	}
	t.Logf("handed out %d times in %d batches", hands, s.batches)
	require.Greater(t, hands, s.events/4)
}
