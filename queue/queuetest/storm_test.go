package queuetest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// The full size is a million events: `make soak`.
func TestNothingIsLostDoubledOrOutOfOrderInAStormOfTenThousandKeys(t *testing.T) {
	s := &storm{keys: 10_000, objects: 4, events: testsize.Sizes{Short: 10_000, Usual: 30_000, Long: 100_000, Soak: 1_000_000}.Pick(), producers: 8, workers: 64, seed: rand.Uint64()}
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
