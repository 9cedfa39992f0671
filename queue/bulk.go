package queue

import (
	"context"
	"sync"
	"time"
)

const (
	// bulkFrom is the size of a batch from which it counts as bulk.
	bulkFrom = 256 << 10
	// bulkTime is the time after which a batch in hand counts no longer: its remote hangs, or is
	// slow, and must not hold up others.
	bulkTime = 10 * time.Second
)

// bulk bounds the content of the large batches whose handlers have begun lately. What a handler
// makes of a batch, as plans and packs, is no part of the queue's room, and takes several times as
// much memory. Small batches, as live changes are, pass.
type bulk struct {
	limit int64

	mu      sync.Mutex
	held    int64
	waiting []*bulkWaiter // first come, first served
}

type bulkWaiter struct {
	size  int64
	ready chan struct{} // closed when it may begin
}

// enter waits until there is room for a batch. A batch larger than the limit begins when no other
// counts. leave ends its count, which time does as well.
func (b *bulk) enter(ctx context.Context, batch *Batch) (leave func(), err error) {
	var size int64
	for i := range batch.Events {
		size += int64(batch.Events[i].Content.Size())
	}
	if size < bulkFrom {
		return func() {}, nil
	}
	w := &bulkWaiter{size, make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.ready:
	case <-ctx.Done():
		b.quit(w)
		return nil, ctx.Err()
	}
	end := sync.OnceFunc(func() { b.give(size) })
	timer := time.AfterFunc(bulkTime, end)
	return func() {
		timer.Stop()
		end()
	}, nil
}

// admit lets those begin for whom there is room. The caller holds mu.
func (b *bulk) admit() {
	for len(b.waiting) > 0 && (b.held == 0 || b.held+b.waiting[0].size <= b.limit) {
		b.held += b.waiting[0].size
		close(b.waiting[0].ready)
		b.waiting = b.waiting[1:]
	}
}

func (b *bulk) give(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= size
	b.admit()
}

// quit takes somebody out who waits no longer.
func (b *bulk) quit(w *bulkWaiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.waiting {
		if b.waiting[i] == w {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			b.admit()
			return
		}
	}
	b.held -= w.size // it was admitted at the same moment
	b.admit()
}
