package source

import (
	"errors"
	"time"
)

// A server's clock can go back: somebody restores its etcd from a snapshot. A watch that is resumed
// then from a later resource version says nothing of what the restore undid, and nothing new before
// the clock has come so far again; the real server refuses it or not, as the kind of its storage
// has it. So a reflector asks, each time it has opened a watch, for the server's clock, and
// compares it with the newest that it was told (verify). Where the server is behind, all that is
// known of it is doubtful, also the types whose own place it has passed since: everything is listed
// anew.

// errWentBack says that the server's clock is behind what it has told before.
var errWentBack = errors.New("the resource versions of the API server have gone back, as after a restore of etcd: everything is listed anew")

// wentBack reports whether an error says that the server's clock has gone back.
func wentBack(err error) bool { return isFuture(err) || errors.Is(err, errWentBack) }

// rewinds are the times that the server's clock was found to have gone back. What a listing that
// began in an earlier era has told counts only when it was listed again.
type rewinds struct {
	era    uint64 // their number
	owed   bool   // one was found, and the era is still the old one
	finder string // the API group in which the last one was found first
	last   time.Time
	pause  time.Duration // after last, before the next era may begin
}

// The bounds of that pause. There are aggregated servers whose listings are always older than their
// watches; they must not have everything listed all the time. What feeds of two groups have found
// is no such server: an operator may restore twice, the first time from the wrong snapshot.
const (
	minEra = 10 * time.Second
	maxEra = 10 * time.Minute
)

// found takes note that the clock is behind what a listing of an era, or the watch after it, has
// told. If that era is over, it is the rewind that ended it, of which all have heard.
func (r *rewinds) found(era uint64, group string) {
	switch {
	case era == r.era && !r.owed:
		r.owed, r.finder = true, group
	case group != r.finder && (era == r.era || era+1 == r.era):
		r.pause = min(r.pause, minEra)
	}
}

// begin begins a new era if one is owed and the pause is over. It returns when to call it again.
func (r *rewinds) begin(now time.Time) (began bool, wait time.Duration) {
	since := now.Sub(r.last)
	switch {
	case !r.owed:
		return false, maxEra
	case since < r.pause:
		return false, r.pause - since
	case since < 2*maxEra:
		r.pause = min(max(minEra, 2*r.pause), maxEra)
	default:
		r.pause = minEra
	}
	r.owed, r.last = false, now
	r.era++
	return true, maxEra
}

// predatesRewind reports whether the last listing of a feed began before a rewind was found: what
// it told counts only when it was listed again.
func (l *ledger) predatesRewind(f *feed) bool { return f.era != l.rewinds.era }

// foundRewind takes note that the reflector of a feed found the clock behind.
func (l *ledger) foundRewind(f *feed) {
	l.rewinds.found(f.era, f.of.Group)
	l.nextEra()
	l.rewound = true
}

// nextEra begins a new era if it is time for one: everything is listed again. What is known is not
// swept before, and no SeedSync goes out that would speak of it. It returns when to call it again.
func (l *ledger) nextEra() time.Duration {
	began, wait := l.rewinds.begin(l.now())
	if !began {
		return wait
	}
	l.note(0, errWentBack.Error())
	l.relistLabels()
	for _, f := range l.feeds {
		f.complete = false
		l.relist(f)
	}
	return wait
}
