package source

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// backfill brings a target what found no room in the queue, and its SeedSyncs. It alone waits for
// room, so that neither reflectors nor other targets ever do. It is a goroutine that is started on
// demand and ends when nothing is left.
type backfill struct {
	*Watcher
	to *target
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
		return b.list(ctx, r)
	}
	for _, key := range r.keys {
		if err := b.get(ctx, r.from, key); err != nil {
			return err
		}
	}
	return nil
}

func (b backfill) clock() (now uint64) {
	b.read(func(l *ledger) { now = l.clock })
	return now
}

// get fetches one object and offers it.
func (b backfill) get(ctx context.Context, from *feed, key objectKey) error {
	asked := b.clock()
	obj, err := clientFor(b.client, from.of).Namespace(key.name.Namespace).Get(ctx, key.name.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		b.update(func(l *ledger) { l.notFound(b.to, key) })
		return nil
	}
	if err != nil {
		return err
	}
	b.fetched(ctx, from, obj, asked)
	return nil
}

// list lists what a feed covers and offers what waits. When the room is used up it drops the page
// and asks for it again later: a page that waits is memory for every destination whose remote
// hangs.
func (b backfill) list(ctx context.Context, r round) error {
	opts := metav1.ListOptions{Limit: b.opts.PageSize}
	asked := b.clock() // for all pages: each shows the moment of the first one
	for {
		full, next, err := b.page(ctx, r.from, opts, asked)
		if gone(err) {
			return nil // the next round begins anew; what was offered waits no more
		}
		if err != nil {
			return err
		}
		switch {
		case full:
			if err := b.out.Room(ctx, b.to.destination); err != nil {
				return err
			}
		case next != "":
			opts.Continue = next
		default:
			return b.listed(r, asked)
		}
	}
}

func (b backfill) listed(r round, asked uint64) (err error) {
	b.update(func(l *ledger) { err = l.fetchedAll(b.to, r.from, r.waiting, asked) })
	return err
}

// page lists a page and offers what waits, when it has its turn: a page is memory, and many
// destinations may have a backfill each.
func (b backfill) page(ctx context.Context, from *feed, opts metav1.ListOptions, asked uint64) (full bool, next string, err error) {
	leave, err := enter(ctx, b.lists)
	if err != nil {
		return false, "", err
	}
	defer leave()
	list, err := clientFor(b.client, from.of).Namespace(from.namespace).List(ctx, opts)
	if err != nil {
		return false, "", err
	}
	for i := range list.Items {
		full = !b.fetched(ctx, from, &list.Items[i], asked) || full
	}
	return full, list.GetContinue(), nil
}

// fetched offers an object that was asked for at a moment of the ledger's clock. It returns false
// if the target had no room for it.
func (b backfill) fetched(ctx context.Context, from *feed, obj *unstructured.Unstructured, asked uint64) (room bool) {
	var wanted bool
	b.read(func(l *ledger) {
		tl := l.types[groupResource(from.of)]
		wanted = tl != nil && l.waits(objectKey{tl, nameOf(obj)})
	})
	if !wanted {
		return true
	}
	c := b.reader.read(ctx, from.of, obj, listed)
	b.update(func(l *ledger) { room = l.fetched(b.to, from, c, obj.GetDeletionTimestamp() != nil, asked) })
	return room
}
