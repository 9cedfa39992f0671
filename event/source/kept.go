package source

import "github.com/kubescribe/kubescribe/event"

// keptBytes bounds the contents that are kept for seeds, with what each of them costs beside.
const (
	keptBytes  = 4 << 20
	keptBeside = 128
	// keptObjects bounds the types of which something is kept: a larger one is walked through in
	// any case, and what is sent before that walk would only cut its batches in two.
	keptObjects = 1000
)

// kept has the contents that a listing found while a seed waits to compare them, so that what
// differs need not be read a second time. A cluster that fits in is read once. What does not fit in
// is fetched or listed again. Whoever takes one checks its digest, so what has changed or died
// meanwhile may stay until all seeds are over.
type kept struct {
	contents map[objectKey]*event.Content
	size     int
	bound    int
}

func newKept() kept { return kept{contents: map[objectKey]*event.Content{}, bound: keptBytes} }

func (k *kept) add(key objectKey, content *event.Content) {
	size := k.size + content.Size() + keptBeside
	if old, ok := k.contents[key]; ok {
		size -= old.Size() + keptBeside
	}
	if size <= k.bound {
		k.contents[key], k.size = content, size
	}
}

func (k *kept) clear() {
	clear(k.contents)
	k.size = 0
}

// sendKept sends a pending object whose content is kept, if it could be fetched, too. It reports
// whether it is kept; it waits still if there was no room.
func (l *ledger) sendKept(to *target, key objectKey) bool {
	content, e := l.kept.contents[key], key.entry()
	own, is := e.owners.find(to)
	if content == nil || content.Digest() != e.digest || !is || !own.writes || len(key.of.entries) > keptObjects {
		return false
	}
	l.write(to, key, change{
		resource:  resourceOf(key.of.resource, key.name),
		content:   content,
		operation: event.Update,
		listed:    true,
	}, own.match())
	return true
}

// forgetKept lets go of the contents when no seed needs them any more.
func (l *ledger) forgetKept() {
	for _, to := range l.targets {
		if to.seedDue() || to.behind() {
			return
		}
	}
	l.kept.clear()
}
