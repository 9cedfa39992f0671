package source

import (
	"errors"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

const (
	fetchFew  = 100 // pending objects that are fetched one by one in a round
	fetchMany = 250 // from so many of one feed on, they are listed
	fetchEach = 10  // up to so many are fetched one by one, however few there are of their type
)

// many returns the number of pending objects from which on a listing costs less than fetching each:
// a tenth of their type, within bounds.
func (tl *typeLedger) many() int { return min(max(len(tl.entries)/10, fetchEach+1), fetchMany) }

// round is what a backfill has to fetch next.
type round struct {
	from    *feed // nil: nothing
	keys    []objectKey
	many    bool // listing what the feed covers is cheaper than fetching its objects one by one
	waiting int  // objects in the backlog
}

// next returns the next round of a backfill, and sends the SeedSync if one is due. Pending objects
// that have died meanwhile, for this target at least, or whose content is kept, are sent on the
// spot.
func (l *ledger) next(to *target) round {
	r := l.choose(to)
	l.sync(to)
	return r
}

func (l *ledger) choose(to *target) (r round) {
	to.blocked = 0
	for tl := range to.backlog.types {
		for key := range to.backlog.of(tl) {
			if !key.entry().owners.have(to) {
				l.bury(to, key)
				continue
			}
			if r.from == nil {
				r.from = l.fetchable(to, key)
			}
			if r.from == nil || !r.from.reach[to].has(key.name.Namespace) {
				continue
			}
			if !l.sendKept(to, key) {
				r.keys = append(r.keys, key)
			} else if waits, _ := to.backlog.has(key); waits { // there is no room
				return round{waiting: to.backlog.count}
			}
			if r.many = len(r.keys) == tl.many(); r.many {
				break
			}
		}
		if r.from != nil {
			break
		}
	}
	if len(r.keys) == 0 {
		r.from = nil // all of it was kept, or dead
	}
	r.waiting = to.backlog.count
	r.keys = r.keys[:min(len(r.keys), fetchFew)]
	return r
}

// bury sends the delete of a pending object that has died for a target. It is blocked if the object
// has still to be matched or listed again, which may bring it back.
func (l *ledger) bury(to *target, key objectKey) {
	for f := range l.feedsOver(key) {
		if l.awaitingRelist(f, key.name.Namespace) && f.reach[to].has(key.name.Namespace) {
			to.blocked++
			return
		}
	}
	l.send(to, key, l.deletion(to, key, event.Author{}))
}

// fetchable returns the feed by whose reflector's leave a pending object can be fetched. An object
// is blocked while the reflector cannot read it, and while discovery has not told which reflectors
// there are to be. One that nobody covers is pending no more.
func (l *ledger) fetchable(to *target, key objectKey) *feed {
	covered := l.served == nil || l.inGap(to, key)
	for f := range l.feedsOver(key) {
		if !f.reach[to].has(key.name.Namespace) {
			continue
		}
		if f.complete || f.err == nil {
			return f
		}
		covered = true
	}
	if covered {
		to.blocked++
	} else {
		l.forgo(to, key)
	}
	return nil
}

// forgo clears the pending mark of an object without sending it. The state of the file is then
// unknown, so the digest is reset and the next report is always sent.
func (l *ledger) forgo(to *target, key objectKey) {
	to.backlog.remove(key)
	key.forgetDigest()
}

// fetched takes an object that was asked for at a moment of the clock. It goes to all targets that
// wait for it and have room. If a reflector has told something else of the object since, that is
// newer, and what was fetched is dropped: sent now, it would stand behind the newer one and win.
//
// What was fetched may be newer than what the reflector has told, but only these targets get it. To
// note its digest would hide the change from the others. To leave the old one would hide from these
// that the object has become again what it was, where the reflector does not hear of both, as after
// 410 or a rewind. So whatever the reflector tells next is sent.
//
// full are those that have no room.
func (l *ledger) fetched(from *feed, f fetched, asked uint64) (full []*target) {
	key := objectKey{l.typeOf(from.of), f.resource.NamespacedName()}
	e := key.known()
	if e.owners == nil {
		return nil
	}
	for _, o := range e.owners.list {
		if waits, _ := o.to.backlog.has(key); !waits || !from.reach[o.to].has(key.name.Namespace) {
			continue
		}
		digest := f.digestFor(o.to.destination)
		if e.seen > asked && e.digest(o) != digest {
			continue
		}
		l.backfill(o.to, key, f)
		if waits, _ := o.to.backlog.has(key); waits {
			full = append(full, o.to)
		} else if now := key.known(); now.digest(o) != digest {
			key.forgetDigest()
		}
	}
	return full
}

// backfill sends what was fetched to a target that waits for it.
func (l *ledger) backfill(to *target, key objectKey, f fetched) {
	i := slices.IndexFunc(f.matches, func(m ruleset.Match) bool { return m.Destination == to.destination })
	if i < 0 || !f.matches[i].Writes || f.dying {
		l.forgo(to, key)
		return
	}
	l.write(to, key, &f.change, &f.matches[i])
}

// waits reports whether anybody waits for an object. It spares the work of encoding what nobody
// wants.
func (l *ledger) waits(key objectKey) bool {
	slot, ok := key.of.slotOf(key.name)
	return ok && key.of.slots.refs[slot] > 0
}

// notFound takes note that a pending object is gone. Its watch will say so.
func (l *ledger) notFound(to *target, key objectKey) {
	l.missing.add(key, key.entry().seen, l.now())
	l.forgo(to, key)
}

// errNotListed keeps a backfill from listing in a tight loop while a reflector is behind.
var errNotListed = errors.New("objects to be sent are gone, and their watch has not said so yet")

// fetchedAll ends a listing for a backfill that began at a moment of the clock. If it brought
// nothing of what waited, the objects that should have been in it are missing.
func (l *ledger) fetchedAll(to *target, f *feed, waiting int, asked uint64) error {
	if to.backlog.count < waiting {
		return nil
	}
	for key := range to.backlog.of(l.typeOf(f.of)) {
		e, lives := key.of.entries[key.name]
		if lives && e.seen <= asked && f.reach[to].has(key.name.Namespace) {
			l.missing.add(key, e.seen, l.now())
		}
	}
	return errNotListed
}

// missing are objects that the server did not find though the ledger takes them for living, each
// with the time and the moment of its entry. Most die just then, and their watch says so a little
// later.
type missing map[objectKey]sighting

type sighting struct {
	at   time.Time
	seen uint64
}

const (
	maxMissing   = 1000
	missingPause = 30 * time.Second // until which a watch should have said that an object is gone
)

func (m missing) add(key objectKey, seen uint64, now time.Time) {
	if _, ok := m[key]; !ok && len(m) < maxMissing {
		m[key] = sighting{now, seen}
	}
}

// relistMissing has everything listed again by feeds whose watch has not said for long that an
// object is gone.
func (l *ledger) relistMissing() {
	for key, s := range l.missing {
		e, lives := key.of.entries[key.name]
		unchanged := lives && e.seen == s.seen
		if unchanged && l.now().Sub(s.at) < missingPause {
			continue
		}
		delete(l.missing, key)
		if !unchanged {
			continue
		}
		for f := range l.feedsOver(key) {
			if f.asked <= f.begun {
				l.note(0, "the API server does not find an object that its watch did not say to be gone: its type is listed anew", "object", key.id().String())
				l.relist(f)
			}
		}
	}
}
