package gogit

import (
	"strings"
	"sync"
	"time"
)

// Pace says how often a repository may be pushed to. The zero value is what GitHub recommends, 6 pushes a minute
// (https://docs.github.com/repositories/creating-and-managing-repositories/repository-limits). File URLs and paths are
// never paced.
type Pace struct {
	// Interval is the time after which one more push may be made. Negative: no limit. Default: 10 s.
	Interval time.Duration

	// Burst is how many pushes may follow one another without waiting, after a quiet time of as many Intervals.
	// Default: 6.
	Burst int

	// MaxCommits is how many commits go into one push at most; a plan that makes more goes alone. Default: no limit.
	MaxCommits int
}

func (p Pace) withDefaults(repository string) Pace {
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

// paces knows how much was pushed to each repository lately, and which one has asked to be left alone. It may be used
// concurrently. What is no longer of interest is forgotten with the next turn.
type paces struct {
	mu           sync.Mutex // guards what follows
	repositories map[string]*bucket
}

// bucket is a token bucket of one repository, kept as a time: each push moves it an Interval ahead, from now at least, and
// as long as it is no more than Burst-1 Intervals ahead, the next push need not wait. So it holds whatever the Pace is.
type bucket struct {
	ahead time.Time
	again time.Time // the server wants no request before
}

func newPaces() *paces { return &paces{repositories: map[string]*bucket{}} }

func (ps *paces) of(repository string, now time.Time) *bucket {
	b := ps.repositories[repository]
	if b == nil {
		for name, old := range ps.repositories {
			if old.ahead.Before(now) && old.again.Before(now) {
				delete(ps.repositories, name)
			}
		}
		b = &bucket{}
		ps.repositories[repository] = b
	}
	return b
}

// turn takes a token for a push and says how long to wait before it may be made. Who comes later waits longer.
func (ps *paces) turn(repository string, p Pace, now time.Time) time.Duration {
	if p.Interval == 0 {
		return 0
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	b := ps.of(repository, now)
	if b.ahead.Before(now) {
		b.ahead = now
	}
	wait := b.ahead.Sub(now) - time.Duration(p.Burst-1)*p.Interval
	b.ahead = b.ahead.Add(p.Interval)
	return max(wait, 0)
}

// back gives a token back: nothing was pushed.
func (ps *paces) back(repository string, p Pace) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if b := ps.repositories[repository]; b != nil {
		b.ahead = b.ahead.Add(-p.Interval)
	}
}

// extra takes a token for a push that does not wait, since it is made in place of one that was lost. The debt is
// bounded, or a branch that keeps moving would lock the repository for long.
func (ps *paces) extra(repository string, p Pace, now time.Time) {
	if p.Interval == 0 {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	b := ps.of(repository, now)
	if limit := now.Add(2 * time.Duration(p.Burst) * p.Interval); b.ahead.Add(p.Interval).Before(limit) {
		b.ahead = b.ahead.Add(p.Interval)
	}
}

// refuse remembers that the server wants no request for a while.
func (ps *paces) refuse(repository string, until, now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.of(repository, now).again = until
}

// refused says for how long the server still wants no request.
func (ps *paces) refused(repository string, now time.Time) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if b := ps.repositories[repository]; b != nil {
		return max(b.again.Sub(now), 0)
	}
	return 0
}
