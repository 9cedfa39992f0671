package source

import (
	"context"

	"github.com/kubescribe/kubescribe/event"
)

// feedHandler takes what a reflector reads to the ledger. What needs no lock is done before.
type feedHandler struct {
	*Watcher
	feed *feed
}

func (h feedHandler) began() (li listing) {
	h.update(func(l *ledger) { li = l.began(h.feed) })
	return li
}

func (h feedHandler) upsert(ctx context.Context, obj *object, how arrival) {
	if obj.dying() {
		h.delete(ctx, obj, how)
		return
	}
	c := h.reader.read(ctx, h.feed.of, obj, how)
	h.reader.deliver(ctx, c, obj, how, h.feed, h.update)
}

func (h feedHandler) delete(ctx context.Context, obj *object, how arrival) {
	var author event.Author
	if how != listed {
		author = h.reader.author(ctx, obj, event.Delete)
	}
	h.update(func(l *ledger) { l.delete(h.feed, obj.name, author) })
}

func (h feedHandler) listed(ctx context.Context, li listing) {
	author := h.reader.author(ctx, nil, event.Delete)
	h.update(func(l *ledger) { l.listed(h.feed, li, author) })
}

func (h feedHandler) due() (everything bool, single []listing) {
	h.read(func(l *ledger) { everything, single = l.due(h.feed) })
	return everything, single
}

func (h feedHandler) failed(err error) {
	h.update(func(l *ledger) { l.failed(h.feed, err) })
}

func (h feedHandler) follows() {
	h.update(func(l *ledger) { l.follows(h.feed) })
}

// labelHandler takes what the reflector of namespaces reads to the labels. Its feed has no targets;
// it says when to list again.
type labelHandler struct {
	feedHandler
	labels *namespaces
}

func (h labelHandler) upsert(_ context.Context, obj *object, how arrival) {
	h.labels.upsert(obj, how)
}

func (h labelHandler) delete(_ context.Context, obj *object, _ arrival) {
	h.labels.delete(obj)
}

func (h labelHandler) listed(context.Context, listing) { h.labels.release() }
