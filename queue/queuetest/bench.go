package queuetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// BenchmarkQueue measures Add + Next + Done for each event, with three events for each of 1, 100
// and 10,000 keys.
func BenchmarkQueue(b *testing.B, h Harness) {
	b.Helper()
	for _, keys := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			events := flood(keys, 3)
			q := h.New(b, queue.Options{
				Window:    queue.Window{Debounce: time.Millisecond, Count: 3},
				MaxEvents: 2 * len(events), MaxEventsPerKey: 1000, MaxBytes: 1 << 40,
			})
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(events) {
				if err := through(b, q, events); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// through has events handed out and done.
func through(tb testing.TB, q queue.Queue, events []event.Event) error {
	ctx := tb.Context()
	for _, e := range events {
		if err := q.Add(ctx, e); err != nil {
			return err
		}
	}
	for left := len(events); left > 0; {
		b, err := q.Next(ctx)
		if err != nil {
			return err
		}
		left -= len(b.Events)
		if err := b.Done(ctx); err != nil {
			return err
		}
	}
	return nil
}

// flood is so many events for each of so many keys, in turns.
func flood(keys, each int) []event.Event {
	events := make([]event.Event, 0, keys*each)
	for i := range each {
		for k := range keys {
			events = append(events, write(dst(fmt.Sprint("repo", k/10), fmt.Sprint("dest", k)), fmt.Sprint("object", i), "x"))
		}
	}
	return events
}
