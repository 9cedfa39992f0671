package kubescribe

import (
	"time"

	"github.com/go-logr/logr"
)

// seedingInterval is how often the log says how far the first seeds have come.
const seedingInterval = 10 * time.Second

// seeding is how far the first seeds of all destinations have come, for somebody who waits for
// them.
type seeding struct {
	destinations        int // that are not seeded yet
	collections, listed int // of these
	left                int // objects to be read, and changes to be written

	said time.Time // when the log said so last; zero: it has not
	was  int       // left, then
}

// reset begins a new look at all destinations.
func (s *seeding) reset() { *s = seeding{said: s.said, was: s.was} }

// count adds a destination.
func (s *seeding) count(st *DestinationStatus) {
	if _, reason, _ := st.Ready(); reason != ReasonSeeding {
		return
	}
	s.destinations++
	s.collections += st.Watch.Streams
	s.listed += st.Watch.Complete
	s.left += st.Watch.Waiting + st.Line.Waiting + st.Line.InHand
}

// say has the log tell how far it is, now and then, and at what rate it goes on.
func (s *seeding) say(log logr.Logger, now time.Time) {
	if s.destinations == 0 {
		s.said = time.Time{}
		return
	}
	elapsed := now.Sub(s.said)
	switch {
	case s.said.IsZero():
		s.said, s.was = now, s.left // a seed of seconds needs no word
	case elapsed >= seedingInterval:
		perSecond := max(s.was-s.left, 0) / max(int(elapsed.Seconds()), 1)
		log.Info("seeding", "destinations", s.destinations, "collectionsListed", s.listed, "ofCollections", s.collections,
			"left", s.left, "perSecond", perSecond)
		s.said, s.was = now, s.left
	}
}
