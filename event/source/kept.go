package source

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
)

const (
	keptBytes  = 4 << 20 // of contents that are kept for seeds, with what each of them costs beside
	keptBeside = 128
	// keptObjects bounds the types of which something is kept: a larger one is walked through in
	// any case, and what is sent before that walk would only cut its batches in two.
	keptObjects = 1000
)

// kept has the contents that a listing found while a seed waits to compare them, so that what
// differs need not be read a second time. A cluster of small types that fits in is read once. What
// does not fit in is fetched or listed again. Whoever takes one checks its digest, so what has
// changed or died meanwhile may stay until all seeds are over.
type kept struct {
	types map[*typeLedger]*keptType
	size  int
	bound int
}

type keptType struct {
	contents map[keptKey]*event.Content
	size     int
}

// keptKey names an object and, where its destinations differ, what the files of some of them hold.
type keptKey struct {
	types.NamespacedName
	variant int
}

func newKept() kept { return kept{types: map[*typeLedger]*keptType{}, bound: keptBytes} }

// add keeps a content if there is room. Of a type that has become large it keeps nothing, so that
// it takes no room from others.
func (k *kept) add(key objectKey, variant int, content *event.Content) {
	of := k.types[key.of]
	if len(key.of.entries) > keptObjects {
		if of != nil {
			k.size -= of.size
			delete(k.types, key.of)
		}
		return
	}
	if of == nil {
		of = &keptType{contents: map[keptKey]*event.Content{}}
		k.types[key.of] = of
	}
	grows := content.Size() + keptBeside
	name := keptKey{key.name, variant}
	if old, ok := of.contents[name]; ok {
		grows -= old.Size() + keptBeside
	}
	if k.size+grows <= k.bound {
		of.contents[name] = content
		of.size += grows
		k.size += grows
	}
}

func (k *kept) get(key objectKey, variant int) *event.Content {
	if of := k.types[key.of]; of != nil {
		return of.contents[keptKey{key.name, variant}]
	}
	return nil
}

func (k *kept) clear() {
	clear(k.types)
	k.size = 0
}

// sendKept sends a pending object whose content is kept, if it could be fetched, too. It reports
// whether it is kept; it waits still if there was no room.
func (l *ledger) sendKept(to *target, key objectKey) bool {
	e := key.known()
	own, is := e.owners.find(to)
	content := l.kept.get(key, own.variant)
	if content == nil || content.Digest() != e.digest(own) || !is || !own.writes {
		return false
	}
	m := own.match()
	l.write(to, key, &change{
		resource:  resourceOf(key.of.resource, key.name),
		forms:     []form{{content: content, digest: content.Digest()}},
		encrypts:  true, // it was not refused when it was listed
		operation: event.Update,
		listed:    true,
	}, &m)
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
