package source

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// backfill brings a target what found no room in the queue, and its SeedSyncs. It alone waits for
// room, so that neither reflectors nor other targets ever do. It is a goroutine that is started on
// demand and ends when nothing is left.
type backfill struct {
	*Watcher
	to    *target
	group *sync.WaitGroup // of all backfills and walks
}

const (
	backfillPause = time.Second
	maxRefetch    = time.Minute
)

func (b backfill) run(ctx context.Context) {
	defer b.update(func(l *ledger) { l.backfilled(b.to) })
	var err error
	pause := backfillPause
	for b.report(err) {
		if err == nil {
			pause = backfillPause
		} else {
			restAfter(ctx, pause, err)
			pause = min(2*pause, maxRefetch)
		}
		if ctx.Err() != nil {
			return
		}
		err = b.serveOnce(ctx)
	}
}

// report has the status show how the last round ended, and reports whether there is work left.
func (b backfill) report(err error) (more bool) {
	b.update(func(*ledger) {
		b.to.fault = err
		more = b.to.needsBackfill()
	})
	return more
}

// serveOnce waits for room, and fetches or lists a batch of pending objects; if none are pending it
// sends the SeedSync, which must follow all writes that it covers.
func (b backfill) serveOnce(ctx context.Context) error {
	if err := b.out.Room(ctx, b.to.destination); err != nil {
		return err
	}
	var r round
	b.update(func(l *ledger) { r = l.next(b.to) })
	if r.many {
		return b.join(ctx, r)
	}
	for _, key := range r.keys {
		if err := b.get(ctx, r.from, key); err != nil {
			return err
		}
	}
	return nil
}

// get fetches one object and offers it.
func (b backfill) get(ctx context.Context, from *feed, key objectKey) error {
	asked := b.moment()
	err := clientFor(b.client, from.of, key.name.Namespace).get(ctx, key.name.Name, func(obj *object) {
		if f, wanted := b.readWanted(ctx, from, obj); wanted {
			b.update(func(l *ledger) { l.fetched(from, f, asked) })
		}
	})
	if apierrors.IsNotFound(err) {
		b.update(func(l *ledger) { l.notFound(b.to, key) })
		return nil
	}
	return err
}

// fetched is an object that a backfill or a walk has read.
type fetched struct {
	change
	dying bool // it has a deletionTimestamp
}

// readWanted encodes an object if anybody waits for it.
func (w *Watcher) readWanted(ctx context.Context, from *feed, obj *object) (f fetched, wanted bool) {
	w.read(func(l *ledger) {
		tl := l.types[groupResource(from.of)]
		wanted = tl != nil && l.waits(objectKey{tl, obj.name})
	})
	if !wanted {
		return fetched{}, false
	}
	return fetched{w.reader.read(ctx, from.of, obj, listed), obj.dying()}, true
}

// moment returns that of the ledger's clock.
func (w *Watcher) moment() (now uint64) {
	w.read(func(l *ledger) { now = l.clock })
	return now
}
