package gogit

import (
	"strings"
	"sync"
	"time"
)

// RateLimit says how often a repository may be pushed to. The zero value is what GitHub
// recommends, 6 pushes a minute
// (https://docs.github.com/repositories/creating-and-managing-repositories/repository-limits).
// File URLs and paths are never limited.
type RateLimit struct {
	// Interval is the time after which one more push may be made. Negative: no limit. Default: 10
	// s.
	Interval time.Duration

	// Burst is how many pushes may follow one another without waiting, after a quiet time of as
	// many Intervals. Default: 6.
	Burst int

	// MaxCommits is how many commits go into one push at most; a plan that makes more goes alone.
	// Default: no limit.
	MaxCommits int
}

func (p RateLimit) withDefaults(repository string) RateLimit {
	switch {
	case strings.HasPrefix(repository, "file:"), !strings.Contains(repository, "://"):
		p.Interval = 0
	case p.Interval == 0:
		p.Interval = 10 * time.Second
	}
	p.Interval = max(p.Interval, 0)
	p.Burst = positive(p.Burst, 6)
	p.MaxCommits = max(p.MaxCommits, 0)
	return p
}

// account is what pushes are limited by, and what a server wants to be left alone by: nobody waits
// for what others have done.
type account struct {
	repository string // canonical
	who        identity
	limit      RateLimit // zero for what a server wants
}

// rateLimits knows how much was pushed lately under each account, and which one a server wants to
// be left alone by. It may be used concurrently. What is no longer of interest is forgotten with
// the next reservation.
type rateLimits struct {
	mu       sync.Mutex // guards what follows
	accounts map[account]*bucket
}

// bucket is a token bucket of one account, kept as a time: each push moves it an Interval ahead,
// from now at least, and as long as it is no more than Burst-1 Intervals ahead, the next push
// need not wait. So it holds whatever the RateLimit is.
type bucket struct {
	ahead        time.Time
	blockedUntil time.Time // the server wants no request before
}

func newRateLimits() *rateLimits { return &rateLimits{accounts: map[account]*bucket{}} }

func (ps *rateLimits) bucket(of account, now time.Time) *bucket {
	b := ps.accounts[of]
	if b == nil {
		for name, old := range ps.accounts {
			if old.ahead.Before(now) && old.blockedUntil.Before(now) {
				delete(ps.accounts, name)
			}
		}
		b = &bucket{}
		ps.accounts[of] = b
	}
	return b
}

// reserve takes a token for a push and says how long to wait before it may be made. Who comes
// later waits longer.
func (ps *rateLimits) reserve(of account, now time.Time) time.Duration {
	p := of.limit
	if p.Interval == 0 {
		return 0
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	b := ps.bucket(of, now)
	if b.ahead.Before(now) {
		b.ahead = now
	}
	wait := b.ahead.Sub(now) - time.Duration(p.Burst-1)*p.Interval
	b.ahead = b.ahead.Add(p.Interval)
	return max(wait, 0)
}

// cancel gives a token back: nothing was pushed.
func (ps *rateLimits) cancel(of account) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if b := ps.accounts[of]; b != nil {
		b.ahead = b.ahead.Add(-of.limit.Interval)
	}
}

// charge takes a token for a push that does not wait, since it is made in place of one that was
// lost. The debt is bounded, or a branch that keeps moving would lock the account for long.
func (ps *rateLimits) charge(of account, now time.Time) {
	p := of.limit
	if p.Interval == 0 {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	b := ps.bucket(of, now)
	if limit := now.Add(2 * time.Duration(p.Burst) * p.Interval); b.ahead.Add(p.Interval).Before(limit) {
		b.ahead = b.ahead.Add(p.Interval)
	}
}

// blockUntil remembers that the server wants no request for a while.
func (ps *rateLimits) blockUntil(of account, until, now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	of.limit = RateLimit{} // whatever it is by then
	ps.bucket(of, now).blockedUntil = until
}

// blockedFor says for how long the server still wants no request.
func (ps *rateLimits) blockedFor(of account, now time.Time) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	of.limit = RateLimit{}
	if b := ps.accounts[of]; b != nil {
		return max(b.blockedUntil.Sub(now), 0)
	}
	return 0
}

func positive[T int | int64 | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}
