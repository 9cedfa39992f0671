// Package heap measures the memory of a test, so that every bound of memory means the same: live
// is what the collector cannot free, and a peak holds garbage as well.
package heap

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// interval is the time between two looks of Watch.
const interval = 2 * time.Millisecond

// Live collects garbage and returns the number of bytes that are reachable. It collects twice,
// since a sync.Pool keeps things over one collection.
func Live() int64 {
	runtime.GC()
	runtime.GC()
	return inUse()
}

// Watch looks at the heap until peak is called, which returns the most bytes that were in use,
// those of garbage included. The last look is that of peak: what a call has allocated at its very
// end counts.
func Watch() (peak func() int64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		most := inUse()
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-ticker.C:
				most = max(most, inUse())
			}
		}
	}()
	return func() int64 {
		last := inUse()
		close(stop)
		return max(last, <-done)
	}
}

// inUse returns the bytes of objects that are reachable or not freed yet. It does not stop the
// world, as runtime.ReadMemStats does.
func inUse() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
