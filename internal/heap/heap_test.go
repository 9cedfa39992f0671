package heap_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/heap"
)

const size = 64 << 20

func TestWhatIsReachableIsLive(t *testing.T) {
	before := heap.Live()
	data := make([]byte, size)
	require.InDelta(t, size, heap.Live()-before, 1<<20)
	runtime.KeepAlive(data)
	require.InDelta(t, 0, heap.Live()-before, 1<<20)
}

func TestAPeakOfTheLastMomentCounts(t *testing.T) {
	before := heap.Live()
	peak := heap.Watch()
	data := make([]byte, size)
	most := peak()
	runtime.KeepAlive(data)
	require.InDelta(t, size, most-before, 1<<20)
}
