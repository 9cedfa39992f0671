package gogit

import "time"

// Pace says how often a repository may be pushed to. The zero value is what GitHub recommends, 6 pushes a minute; file URLs
// are never paced.
type Pace struct {
	// Interval is the time after which one more push may be made. Negative: no limit. Default: 10 s.
	Interval time.Duration

	// Burst is how many pushes may follow one another without waiting, after a quiet time of as many Intervals.
	// Default: 6.
	Burst int

	// MaxCommits is how many commits go into one push at most; a plan that makes more goes alone. Default: no limit.
	MaxCommits int
}
