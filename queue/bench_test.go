package queue

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/heap"
)

// benchEvents are so many events for each of so many destinations, in turns. They share one
// content, or have each its own.
func benchEvents(keys, each int, own bool) []event.Event {
	events := make([]event.Event, 0, keys*each)
	content := event.NewContent(make([]byte, 100))
	for i := range each {
		for k := range keys {
			e := write(dst(fmt.Sprint("repo", k/10), fmt.Sprint("destination", k)), fmt.Sprint("object", i), "x")
			if e.Content = content; own {
				e.Content = event.NewContent(content.Bytes())
			}
			events = append(events, e)
		}
	}
	return events
}

// benchKeys runs a benchmark with several numbers of keys, and of events with shared content and
// with their own.
func benchKeys(b *testing.B, run func(b *testing.B, keys int, own bool)) {
	for _, keys := range []int{1, 10_000, 100_000} {
		for _, own := range []bool{false, true} {
			name := fmt.Sprintf("keys=%d", keys)
			if own {
				name += ",own"
			}
			b.Run(name, func(b *testing.B) { run(b, keys, own) })
		}
	}
}

// cpuTime is what this process has used, the collection of garbage included.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSharded is Add + Next + Done per event.
func BenchmarkSharded(b *testing.B) {
	benchKeys(b, func(b *testing.B, keys int, own bool) {
		events := benchEvents(keys, 3, own)
		q := NewSharded(&Options{Window: Window{Count: 3}, MaxEvents: 1 << 30, MaxBytes: 1 << 40})
		runtime.GC()
		b.ReportAllocs()
		b.ResetTimer()
		began, n := cpuTime(b), 0
		for ; n < b.N; n += len(events) {
			fill(b, q, events)
			empty(b, q)
		}
		b.ReportMetric(float64(cpuTime(b)-began)/float64(n), "cpu-ns/event")
	})
}

// BenchmarkShardedMemory reports what a waiting event takes beside its content, and what is left
// once all are done.
func BenchmarkShardedMemory(b *testing.B) {
	benchKeys(b, func(b *testing.B, keys int, own bool) {
		events := benchEvents(keys, max(3, 10_000/keys), own)
		for b.Loop() {
			before := heap.Live()
			q := NewSharded(&Options{MaxEvents: 1 << 30, MaxBytes: 1 << 40})
			fill(b, q, events)
			b.ReportMetric(float64(heap.Live()-before)/float64(len(events)), "B/event")
			empty(b, q)
			b.ReportMetric(float64(heap.Live())-float64(before), "B/idle")
			runtime.KeepAlive(q)
		}
		runtime.KeepAlive(events)
	})
}

func fill(tb testing.TB, q *Sharded, events []event.Event) {
	for _, e := range events {
		if err := q.TryAdd(e); err != nil {
			tb.Fatal(err)
		}
	}
}

// empty has everything handed out and done.
func empty(tb testing.TB, q *Sharded) {
	for q.Stats().Lines > 0 {
		b, err := q.Next(tb.Context())
		if err == nil {
			err = b.Done(tb.Context())
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}
