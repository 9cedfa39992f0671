package queue

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/kubescribe/kubescribe/event"
)

// benchEvents are so many events for each of so many destinations, in turns.
func benchEvents(keys, each int) []event.Event {
	events := make([]event.Event, 0, keys*each)
	content := make([]byte, 100)
	for i := range each {
		for k := range keys {
			e := write(dst(fmt.Sprint("repo", k/10), fmt.Sprint("destination", k)), fmt.Sprint("object", i), "x")
			e.Content = content
			events = append(events, e)
		}
	}
	return events
}

// BenchmarkSharded is Add + Next + Done per event.
func BenchmarkSharded(b *testing.B) {
	for _, keys := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			events := benchEvents(keys, 3)
			b.ReportAllocs()
			for n := 0; n < b.N; n += len(events) {
				q := NewSharded(&Options{Window: Window{Count: 3}, MaxEvents: 1 << 30, MaxBytes: 1 << 40})
				for _, e := range events {
					if err := q.TryAdd(e); err != nil {
						b.Fatal(err)
					}
				}
				for q.Stats().Lines > 0 {
					batch, err := q.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if err := batch.Done(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkShardedMemory reports what a waiting event takes beside its content.
func BenchmarkShardedMemory(b *testing.B) {
	for _, keys := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			events := benchEvents(keys, max(3, 10_000/keys))
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			for b.Loop() {
				before := heap()
				q := NewSharded(&Options{MaxEvents: 1 << 30, MaxBytes: 1 << 40})
				for _, e := range events {
					if err := q.TryAdd(e); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(heap()-before)/float64(len(events)), "B/event")
				runtime.KeepAlive(q)
			}
			runtime.KeepAlive(events)
		})
	}
}
