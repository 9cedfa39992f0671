package source

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// A server's clock can go back: somebody restores its etcd from a snapshot. A watch that is resumed
// then from a later resource version says nothing of what the restore undid, and nothing new before
// the clock has come so far again; the real server refuses it or not, as the kind of its storage
// has it. So a stream asks, each time it has opened a watch, for the server's clock, and compares
// it with the newest that it was told. Where the server is behind, all that is known of it is
// doubtful, also the types whose own place it has passed since: everything is listed anew.

// askedName is the name in the field selector of that question. No object has it, so the answer holds nothing but the
// resource version.
const askedName = "-kubescribe-asks-for-the-resource-version-"

// fastestRestore is less than it takes to stop API server and etcd, to put back etcd's data and to
// start both again.
const fastestRestore = time.Second

// errWentBack says that the server's clock is behind what it has told before.
var errWentBack = errors.New("the resource versions of the API server have gone back, as after a restore of etcd: everything is listed anew")

// errAgain ends a watch whose stream has to list everything once more.
var errAgain = errors.New("everything is to be listed again")

// rewinds are the times that the server's clock was found to have gone back. What a listing that
// began in an earlier era has told is in doubt. All methods may be called concurrently.
type rewinds struct {
	era  atomic.Uint64 // their number
	told chan struct{} // capacity 1: somebody found one

	mu     sync.Mutex
	owed   bool   // one was found, and the era is still the old one
	finder string // the API group in which the last one was found first
	last   time.Time
	pause  time.Duration // after last, before the next era may begin
}

// The bounds of that pause. There are aggregated servers whose listings are always older than their
// watches; they must not have everything listed all the time. What streams of two groups have found
// is no such server: an operator may restore twice, the first time from the wrong snapshot.
const (
	minEra = 10 * time.Second
	maxEra = 10 * time.Minute
)

func newRewinds() *rewinds { return &rewinds{told: make(chan struct{}, 1)} }

// found takes note that the clock is behind what a listing of an era, or the watch after it, has
// told. If that era is over, it is the rewind that ended it, of which all have heard.
func (r *rewinds) found(era uint64, group string) {
	r.mu.Lock()
	now := r.era.Load()
	switch {
	case era == now && !r.owed:
		r.owed, r.finder = true, group
	case group != r.finder && (era == now || era+1 == now):
		r.pause = min(r.pause, minEra)
	}
	r.mu.Unlock()
	r.begin()
	signal(r.told)
}

// begin begins a new era if one is owed and the pause is over. It returns when to call it again.
func (r *rewinds) begin() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Since(r.last)
	switch {
	case !r.owed:
		return maxEra
	case since < r.pause:
		return r.pause - since
	case since < 2*maxEra:
		r.pause = min(max(minEra, 2*r.pause), maxEra)
	default:
		r.pause = minEra
	}
	r.owed, r.last = false, time.Now()
	r.era.Add(1)
	return maxEra
}

// doubted reports whether what a stream has delivered is in doubt as a whole.
func (s *stream) doubted() bool { return s.era.Load() != s.rewinds.era.Load() }

// saw moves the newest version along that a stream was told.
func (s *stream) saw(version string) {
	if s.newest == "" || older(s.newest, version) {
		s.newest = version
	}
}

// wentBack ends the era of a stream that found the clock behind.
func (s *stream) wentBack() {
	s.newest = ""
	s.rewinds.found(s.era.Load(), s.watch.Resource.Group)
}

// verify asks for the server's clock while a watch is open, and returns errWentBack if it is behind
// what was told before. A restore ends the watch, so that a later one is found when that is opened
// again.
func (s *stream) verify(ctx context.Context) error {
	list, err := s.in(s.watch.Namespace).List(ctx, metav1.ListOptions{Limit: 1, FieldSelector: "metadata.name=" + askedName})
	switch {
	case unanswerable(err):
		return nil
	case err != nil:
		return err
	case older(list.GetResourceVersion(), s.newest):
		return errWentBack
	}
	s.saw(list.GetResourceVersion())
	return nil
}

// unanswerable reports whether a server cannot be asked for its clock, now or ever. An aggregated one
// may not know the field selector.
func unanswerable(err error) bool {
	return apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// older reports whether a resource version is before another one; false where they cannot be compared.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}

// isFuture reports whether the server says that it was asked for a resource version which is still to come.
func isFuture(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// doubtAll has every stream list anew whose listing is of an earlier era. What it knows is not
// swept before, and no SeedSync goes out that would speak of it. It returns when to call it again.
func (p *planner) doubtAll() time.Duration {
	wait := p.rewinds.begin()
	era := p.rewinds.era.Load()
	if era == p.era {
		return wait
	}
	p.era = era
	p.opts.Logger.Info(errWentBack.Error())
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	if labels := p.ledger.labels; labels != nil && labels.doubted() {
		p.ledger.relistLabels()
	}
	for _, s := range p.ledger.streams {
		if s.doubted() {
			s.complete = false
			p.ledger.again(s)
		}
	}
	return wait
}

// relistLabels has the labels of namespaces listed once more, if rules look at them. The caller
// holds mu.
func (l *ledger) relistLabels() {
	if l.labels != nil {
		l.labels.again.Store(true)
		signal(l.labels.anew)
	}
}

// again has a stream list everything once more, and its destinations wait for that with their next SeedSync. The caller
// holds mu.
func (l *ledger) again(s *stream) {
	if s.probing {
		return
	}
	s.again.Store(true)
	if s.settled {
		s.settled = false
		for _, c := range s.watch.Coverage {
			if to := l.target(c.Destination); to != nil {
				to.unsettled++
			}
		}
	}
	signal(s.anew)
}

// resync has the labels of namespaces listed once more, and has all streams of targets list
// everything and send them all of their objects, changed or not. A stream is told when all is
// noted: one that began at once for the first target would list again for the next. The caller
// holds mu.
func (l *ledger) resync(targets ...*target) {
	l.relistLabels()
	for _, s := range l.streams {
		asked := false
		for _, to := range targets {
			if !s.feeds(to) {
				continue
			}
			if s.resend == nil {
				s.resend = map[*target]uint64{}
			}
			s.resend[to] = l.clock
			asked = true
		}
		if asked {
			l.again(s)
		}
	}
	for _, to := range targets {
		to.syncDue = true
		l.wakeIfHungry(to)
	}
}

func (s *stream) feeds(to *target) bool {
	for _, c := range s.watch.Coverage {
		if c.Destination == to.destination {
			return true
		}
	}
	return false
}

// resends reports whether the running listing sends an object to a target whether it has changed or not. The
// caller holds mu.
func (s *stream) resends(to *target) bool {
	_, ok := s.resend[to]
	return ok
}

// resent ends what was asked for before the listing that is complete now. The caller holds mu.
func (s *stream) resent() {
	for to, asked := range s.resend {
		if asked <= s.begun {
			delete(s.resend, to)
		}
	}
}

// missing are objects that the server did not find though the ledger takes them for living, each with the time and the clock
// of its entry. Most die at that moment, and their watch says so a little later. The ledger's mu guards it.
type missing map[objectKey]sighting

type sighting struct {
	at   time.Time
	seen uint64
}

const (
	maxMissing   = 1000
	missingPause = 30 * time.Second // until which a watch should have said that an object is gone
)

func (m missing) add(key objectKey, seen uint64) {
	if _, ok := m[key]; !ok && len(m) < maxMissing {
		m[key] = sighting{time.Now(), seen}
	}
}

// doubtMissing has the streams list anew whose watch has not said for long that an object is gone.
func (p *planner) doubtMissing() {
	l := p.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, s := range l.missing {
		e, lives := key.of.entries[key.name]
		if lives && e.seen == s.seen && time.Since(s.at) < missingPause {
			continue
		}
		delete(l.missing, key)
		if !lives || e.seen != s.seen {
			continue
		}
		for _, of := range l.streams {
			if of.scope().Contains(key.id()) && !of.again.Load() {
				p.opts.Logger.Info("the API server does not find an object that its watch did not say to be gone: its type is listed anew", "object", key.id().String())
				l.again(of)
			}
		}
	}
}
