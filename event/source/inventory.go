package source

import (
	"iter"

	"github.com/kubescribe/kubescribe/event"
)

// inventory is the Inventory of one target. It reads the ledger when it is asked, so that it never
// speaks of the past.
type inventory struct {
	watcher *Watcher
	to      *target
	at      uint64 // when its SeedSync was sent
}

// View implements event.Inventory. It holds the lock for writing, since a Snapshot is told what
// Differs.
func (i inventory) View(f func(event.Snapshot) error) (err error) {
	i.watcher.update(func(l *ledger) { err = f(&snapshot{ledger: l, to: i.to, at: i.at}) })
	return err
}

// Landed implements event.Inventory.
func (i inventory) Landed(seen event.Snapshot) {
	if s, ok := seen.(*snapshot); ok {
		i.watcher.update(func(l *ledger) { l.landed(i.to, s.at, s.swept) })
	}
}

// snapshot is the Snapshot of one target, valid while the Watcher's lock is held.
type snapshot struct {
	ledger *ledger
	to     *target
	at     uint64 // when its SeedSync was sent
	swept  bool   // MaySweep said yes
}

// Objects implements event.Snapshot. It leaves out what a listing would not send either, and what
// is half listed: the end of a listing asks for another SeedSync.
func (s *snapshot) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for _, tl := range s.ledger.types {
			var last *owners // most objects of a type share one value
			var own owner
			var is bool
			half := s.to.halfListed(groupResource(tl.resource))
			for name, e := range tl.entries {
				if e.owners != last {
					last = e.owners
					own, is = last.find(s.to)
				}
				if half && s.ledger.halfListed(s.to, objectKey{tl, name}) {
					continue
				}
				if is && !yield(objectOf(objectKey{tl, name}, e, own)) {
					return
				}
			}
		}
	}
}

func objectOf(key objectKey, e entry, own owner) event.Object {
	k := known{e, key.of.apartOf(e)}
	o := event.Object{Resource: resourceOf(key.of.resource, key.name), Digest: k.digest(own), Precondition: own.precondition}
	if event.IsSecret(o.ID) || own.sensitive != nil {
		o.Digest = unknown // its file is encrypted
	}
	return o
}

// Differs implements event.Snapshot.
func (s *snapshot) Differs(o event.Object) { s.ledger.differs(s.to, o.ID) }

// MaySweep implements event.Snapshot.
func (s *snapshot) MaySweep() bool {
	s.swept = s.to.whole && !s.to.gone
	return s.swept
}

// Collections implements event.Snapshot. A target that is gone has none: its last SeedSync may
// still be in a queue, while the ledger no longer follows what it would have to know.
func (s *snapshot) Collections() (collections []event.Collection) {
	if s.to.gone {
		return nil
	}
	for f := range s.to.feeds {
		for namespace, sweepable := range f.reach[s.to] {
			if sweepable && s.ledger.listedWhole(f, namespace) {
				collections = append(collections, collectionOf(f.of, namespace))
			}
		}
	}
	return collections
}

// Uncovered implements event.Snapshot.
func (s *snapshot) Uncovered(c event.Collection) bool { return s.ledger.uncovered(s.to, c) }
