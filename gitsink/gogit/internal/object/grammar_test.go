package object

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	someHash  = "1111111111111111111111111111111111111111"
	otherHash = "2222222222222222222222222222222222222222"
)

// watchHeap returns the most that was in use since it was called.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-done
	}
}

func TestADamagedFolderIsNamed(t *testing.T) {
	require.ErrorContains(t, CheckNames(SHA1, "100644 a\x00short", "way/to/"), `"way/to/"`)
	require.NoError(t, CheckNames(SHA1, "", "way/to/"))
}
