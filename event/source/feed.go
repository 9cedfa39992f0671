package source

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// A feeder brings a target what found no room in the queue, and its SeedSyncs. It alone waits for room, so that neither
// streams nor other targets ever do. It is started on demand and ends when nothing is left.

const (
	fetchFew   = 100 // waiting objects fetched one by one in a round
	fetchMany  = 250 // from so many in one stream on, they are listed
	feedPause  = time.Second
	maxRefetch = time.Minute
)

func (d *desk) feed(ctx context.Context, to *target) {
	pause := feedPause
	for d.hungry(to) {
		err := d.out.Room(ctx, to.destination)
		if err == nil {
			err = d.helping(ctx, to)
		}
		d.ledger.mu.Lock()
		to.fault = err
		d.ledger.mu.Unlock()
		if err == nil {
			pause = feedPause
			continue
		}
		restAfter(ctx, pause, err)
		pause = min(2*pause, maxRefetch)
		if ctx.Err() != nil {
			return
		}
	}
}

// hungry tells whether to has work for its feeder.
func (d *desk) hungry(to *target) bool {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	return to.hungry()
}

// helping serves one round: some waiting objects, or, when there are none, the SeedSync. The SeedSync goes last, so that a
// seed ends with it.
func (d *desk) helping(ctx context.Context, to *target) error {
	s, keys, many := d.pick(to)
	switch {
	case s == nil && len(keys) == 0:
		d.sendSync(to)
		return nil
	case many:
		return d.relist(ctx, to, s)
	}
	for _, key := range keys {
		if err := d.refetch(ctx, to, s, key); err != nil {
			return err
		}
	}
	return nil
}

// pick chooses some waiting objects of one stream, and tells whether there are so many that listing is cheaper. Waiting
// objects that have died meanwhile, for this target at least, are told on the spot.
func (d *desk) pick(to *target) (of *stream, keys []objectKey, many bool) {
	l := d.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	to.stuck = 0
	for tl := range to.backlog.types {
		for key := range to.backlog.of(tl) {
			if !tl.entries[key.name].claims.have(to) {
				if l.inDoubt(to, key) {
					to.stuck++
					continue
				}
				d.send(to, key, deletion(to, key, event.Author{}))
				continue
			}
			if of == nil {
				of = d.fetchable(to, key)
			}
			if of != nil && of.covers(to.destination, key.id()) {
				keys = append(keys, key)
			}
			if len(keys) == fetchMany {
				return of, nil, true
			}
		}
		if len(keys) > 0 {
			break
		}
	}
	return of, keys[:min(len(keys), fetchFew)], false
}

// inDoubt tells whether an object has still to be matched or listed anew, which may bring it back.
// The caller holds mu.
func (l *ledger) inDoubt(to *target, key objectKey) bool {
	for _, s := range l.streams {
		if _, outdated := s.outdated[key.name.Namespace]; (outdated || s.doubted()) && s.covers(to.destination, key.id()) {
			return true
		}
	}
	return false
}

// drop takes the mark of an object away without having sent it. Whoever hears of the object next cannot know what is in the
// file, so it is sent then, however little it changed. The caller holds mu.
func (d *desk) drop(to *target, key objectKey) {
	to.backlog.remove(key)
	if e, ok := key.of.entries[key.name]; ok {
		e.hash = 0
		key.of.put(key.name, e)
	}
}

// fetchable returns the stream by which a waiting object can be fetched. An object that no stream covers waits no more,
// unless discovery has not told yet which streams there are to be; until then it is stuck, as is one whose stream stands
// still until that goes on. The caller holds mu.
func (d *desk) fetchable(to *target, key objectKey) *stream {
	var still *stream
	for _, s := range d.ledger.streams {
		if !s.covers(to.destination, key.id()) {
			continue
		}
		if !s.standsStill() {
			return s
		}
		still = s
	}
	if c := d.ledger.coverage; still == nil && c != nil && c.served != nil {
		d.drop(to, key)
	} else {
		to.stuck++
	}
	return nil
}

func (d *desk) sendSync(to *target) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	if to.gone || !to.syncDue || to.unsettled > 0 || to.backlog.count > to.stuck {
		return
	}
	err := d.out.TryAdd(event.Event{
		Destination: to.destination,
		Operation:   event.SeedSync,
		Listed:      true,
		Inventory:   live{d.ledger, to},
		Time:        time.Now(),
	})
	if err == nil {
		to.syncDue = false
		to.synced++
	}
}

// refetch gets one object and offers it.
func (d *desk) refetch(ctx context.Context, to *target, s *stream, key objectKey) error {
	asked := d.now()
	obj, err := s.in(key.name.Namespace).Get(ctx, key.name.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		d.ledger.mu.Lock()
		d.ledger.missing.add(key, key.of.entries[key.name].seen)
		d.drop(to, key) // its stream will say so
		d.ledger.mu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	d.offer(ctx, to, s, obj, asked)
	return nil
}

// relist lists the stream's scope and offers what waits. When the room is used up it drops the page and asks for it
// again later: a page that waits is memory for every destination whose remote hangs.
func (d *desk) relist(ctx context.Context, to *target, s *stream) error {
	opts := metav1.ListOptions{Limit: s.page}
	before := d.waiting(to)
	asked := d.now() // for all pages: each shows the moment of the first one, however late it is asked for
	for {
		full, next, err := d.relistPage(ctx, to, s, opts, asked)
		if gone(err) {
			return nil // the next round begins anew; what was offered waits no more
		}
		if err != nil {
			return err
		}
		switch {
		case full:
			if err := d.out.Room(ctx, to.destination); err != nil {
				return err
			}
		case next != "":
			opts.Continue = next
		case d.waiting(to) >= before:
			d.miss(to, s, asked)
			return errNotListed
		default:
			return nil
		}
	}
}

// relistPage lists a page and offers what waits, when it has its turn: a page is memory, and many destinations may have a
// feeder each.
func (d *desk) relistPage(
	ctx context.Context, to *target, s *stream, opts metav1.ListOptions, asked uint64,
) (full bool, next string, err error) {
	leave, err := enter(ctx, s.lists)
	if err != nil {
		return false, "", err
	}
	defer leave()
	list, err := s.in(s.watch.Namespace).List(ctx, opts)
	if err != nil {
		return false, "", err
	}
	for i := range list.Items {
		full = !d.offer(ctx, to, s, &list.Items[i], asked) || full
	}
	return full, list.GetContinue(), nil
}

// errNotListed keeps a feeder from listing in a tight loop while a stream is behind.
var errNotListed = errors.New("objects to be sent are gone, and their watch has not said so yet")

// miss takes note of the objects that wait and were not listed.
func (d *desk) miss(to *target, s *stream, asked uint64) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	tl := d.ledger.typeOf(s.watch.Resource)
	for key := range to.backlog.of(tl) {
		if e, lives := tl.entries[key.name]; lives && e.seen <= asked && s.covers(to.destination, key.id()) {
			d.ledger.missing.add(key, e.seen)
		}
	}
}

func (d *desk) waiting(to *target) int {
	d.ledger.mu.RLock()
	defer d.ledger.mu.RUnlock()
	return to.backlog.count
}

func (d *desk) now() uint64 {
	d.ledger.mu.RLock()
	defer d.ledger.mu.RUnlock()
	return d.ledger.clock
}

// offer sends a waiting object that was asked for at a time of the ledger's clock: to one target,
// and to all others that wait for it and have room by now, which spares them the asking. If its
// stream has spoken of it since, that is newer, and what was asked for is dropped: sent now, it
// would stand behind the newer one and win. It returns false if the one had no room.
//
// What was fetched may be newer than what the stream has delivered, but only to these targets.
// Taking its hash over would hide the change from the others. Leaving the old one would hide from
// these that the object has become again what it was, where the stream does not hear of both, as
// after 410 or a rewind. So whatever the stream says next is sent.
func (d *desk) offer(ctx context.Context, to *target, s *stream, obj *unstructured.Unstructured, asked uint64) bool {
	if !d.wanted(s, obj) {
		return true
	}
	c := d.read(ctx, s.watch.Resource, obj, listed)
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	key := objectKey{d.ledger.typeOf(s.watch.Resource), c.resource.NamespacedName()}
	e := key.of.entries[key.name]
	if e.seen > asked || !e.claims.have(to) {
		return true
	}
	for _, claim := range e.claims.list {
		if waits, _ := claim.to.backlog.has(key); waits && s.covers(claim.to.destination, key.id()) {
			d.deliver(claim.to, key, c, obj.GetDeletionTimestamp() != nil)
		}
	}
	if e = key.of.entries[key.name]; e.hash != d.ledger.hash(c.content) {
		e.hash = 0
		key.of.put(key.name, e)
	}
	waits, _ := to.backlog.has(key)
	return !waits
}

// deliver sends what was fetched to a target that waits for it. The caller holds mu.
func (d *desk) deliver(to *target, key objectKey, c change, dying bool) {
	i := slices.IndexFunc(c.matches, func(m ruleset.Match) bool { return m.Destination == to.destination })
	if i < 0 || !c.matches[i].Writes || dying {
		d.drop(to, key)
		return
	}
	d.write(to, key, c, c.matches[i])
}

// wanted spares the work of encoding what nobody waits for.
func (d *desk) wanted(s *stream, obj *unstructured.Unstructured) bool {
	d.ledger.mu.RLock()
	defer d.ledger.mu.RUnlock()
	tl := d.ledger.types[s.groupResource()]
	if tl == nil {
		return false
	}
	place, ok := tl.placeOf(types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()})
	return ok && tl.places.marks[place] > 0
}
