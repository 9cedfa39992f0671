package source

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
)

// A seed makes a folder equal to what lives, at the cost of what is different. A SeedSync goes out;
// its plan compares and says what differs, which is marked in the backlog, fetched and sent. Then a
// second SeedSync sweeps. Where nothing differs the first one sweeps. So a seed has two SeedSyncs
// at most, and one that others disturb all the time has an end.
//
// What the queue has accepted since the last SeedSync stands behind it, so the plan does not see
// it, and it differs for no other reason.

// seed is how far the seed of a target has come. The moments are of the ledger's clock.
type seed struct {
	asked    uint64 // when a seed was asked for last
	since    uint64 // when a seed was first asked for that no SeedSync has followed
	offered  uint64 // when a SeedSync was sent last
	compared uint64 // when the last SeedSync was sent whose plan has landed
	sweepDue bool   // that plan did not sweep
	// whole says that the last SeedSync may sweep: nothing was to be sent first, and it has found
	// no difference.
	whole bool
	hurry bool   // it does not wait for all listings any more
	seeds uint64 // SeedSyncs sent
	sent  sent   // since the last one
}

// ask asks for a seed.
func (l *ledger) ask(to *target) {
	l.owe(to)
	l.wake(to)
}

// owe says that a seed is due, and wakes nobody.
func (l *ledger) owe(to *target) {
	now := l.tick()
	if to.asked <= to.offered {
		to.since = now
	}
	to.asked = now
}

// seedDue reports whether a seed is not over.
func (s *seed) seedDue() bool { return s.asked > s.compared || s.sweepDue }

// ready reports whether a SeedSync may speak of what the feeds of a target have told: all of them
// have ended their listings, well or badly, and nothing is stale. So a seed of many types has few
// commits.
func (to *target) ready() bool {
	for f := range to.feeds {
		if f.awaited() || f.staleFor(to) {
			return false
		}
	}
	return true
}

// syncDue reports whether it is time for a SeedSync: one that compares, or the one that sweeps when
// everything is sent that differed.
func (to *target) syncDue() bool {
	if to.asked > to.offered {
		return to.hurry || to.ready()
	}
	return to.sweepDue && to.asked <= to.compared && to.ready() && !to.behind()
}

// hurrySeeds is called now and then. A seed that a long listing has held up since the last time
// begins without it: what other listings have told is compared. Nothing is swept before. What a
// listing has told by half is not compared: it would be listed once more for the other half.
func (l *ledger) hurrySeeds() {
	for _, to := range l.targets {
		if to.asked > to.offered && to.since <= l.hurried && !to.ready() && to.listedSome() {
			to.hurry = true
			l.wake(to)
		}
	}
	l.hurried = l.clock
}

// listedSome reports whether any feed is listed, so that there is something to compare.
func (to *target) listedSome() bool {
	for f := range to.feeds {
		if !f.halfListed() {
			return true
		}
	}
	return false
}

// halfListed reports whether the first listing of a feed goes on, or one after it lost track.
func (f *feed) halfListed() bool { return f.awaited() && !f.complete }

// halfListed reports whether a type has objects that only half-listed feeds cover.
func (to *target) halfListed(of schema.GroupResource) bool {
	for f := range to.feeds {
		if groupResource(f.of) == of && f.halfListed() {
			return true
		}
	}
	return false
}

// halfListed reports whether all feeds are half listed that cover an object for a target.
func (l *ledger) halfListed(to *target, key objectKey) (half bool) {
	for f := range l.feedsOver(key) {
		if f.reach[to].has(key.name.Namespace) {
			if half = f.halfListed(); !half {
				return false
			}
		}
	}
	return half
}

// sync sends the SeedSync of a target if one is due.
func (l *ledger) sync(to *target) {
	if to.gone || !to.syncDue() {
		return
	}
	at := l.tick()
	err := l.offer(event.Event{
		Destination: to.destination,
		Operation:   event.SeedSync,
		Listed:      true,
		Inventory:   l.inventory(to, at),
		Time:        l.now(),
	})
	if err == nil {
		to.whole = to.ready() && !to.behind()
		to.offered, to.sweepDue, to.hurry = at, false, false
		to.seeds++
		l.counts.add(event.SeedSync)
		to.sent.clear()
	}
}

// differs takes note that the file of an object is not what it should be. It is sent again, unless
// that has been done since the SeedSync was.
func (l *ledger) differs(to *target, id event.ID) {
	tl := l.types[groupResourceOf(id)]
	if tl == nil || to.gone || to.asked <= to.compared {
		return
	}
	key := objectKey{tl, id.NamespacedName()}
	own, ok := key.entry().owners.find(to)
	if !ok || !own.writes || to.sent.has(key) {
		return
	}
	to.whole = false
	to.backlog.add(key, false)
	l.wake(to)
}

// landed takes note that the plan of a SeedSync that was sent at a moment is on the branch, and
// whether it swept. What was asked for after that moment needs another SeedSync, even if the plan
// ran later: an older delete of an object that lives again may have stood behind it.
func (l *ledger) landed(to *target, at uint64, swept bool) {
	to.compared = max(to.compared, at)
	to.sweepDue = to.sweepDue || !swept
	l.wake(to)
	l.forgetKept()
	l.tell(to)
}

// sent are the objects of which the queue accepted an event since the last SeedSync, by slot. A
// slot that gets another object does no harm: that is sent, or a listing has found it, which asks
// for another SeedSync.
type sent map[*typeLedger]*bitset

func (s *sent) add(key objectKey) {
	slot, ok := key.of.slotOf(key.name)
	if !ok {
		return // a delete of what nobody knows any more
	}
	if *s == nil {
		*s = sent{}
	}
	if (*s)[key.of] == nil {
		(*s)[key.of] = &bitset{}
	}
	(*s)[key.of].set(slot)
}

func (s sent) has(key objectKey) bool {
	slot, ok := key.of.slotOf(key.name)
	return ok && s[key.of] != nil && s[key.of].has(slot)
}

func (s *sent) clear() { *s = nil }
