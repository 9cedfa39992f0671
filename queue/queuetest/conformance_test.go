package queuetest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/internal/kittest"
	"github.com/kubescribe/kubescribe/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sharded is a harness of queue.Sharded.
func sharded() Harness {
	return Harness{New: func(_ testing.TB, opts queue.Options) queue.Queue { return queue.NewSharded(&opts) }}
}

func TestShardedKeepsTheContract(t *testing.T) { TestQueue(t, sharded()) }

func TestShardedKeepsTheContractByTheClockOfTheMachine(t *testing.T) {
	h := sharded()
	h.RealTime = true
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.against(t, h); err != nil {
				require.ErrorIs(t, err, errSkipped)
			}
		})
	}
}

func BenchmarkSharded(b *testing.B) { BenchmarkQueue(b, sharded()) }

func TestEveryCheckQuotesTheDocumentation(t *testing.T) {
	kittest.RequireQuotes(t, catalogue(), "../doc.go", "../queue.go", "doc.go")
}

func TestWhatAHarnessLacksIsSkipped(t *testing.T) {
	skipped := 0
	for _, c := range checks() {
		if c.needs != 0 {
			require.ErrorIs(t, c.against(t, sharded()), errSkipped, c.name)
			skipped++
		}
	}
	require.Equal(t, 2, skipped)
}
