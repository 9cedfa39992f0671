package kubescribe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/queue"
)

func TestTheLogSaysHowFarTheFirstSeedsHaveCome(t *testing.T) {
	t.Parallel()
	var logs lines
	var s seeding
	now := time.Unix(0, 0)
	after := func(d time.Duration, waiting, inHand int) string {
		now = now.Add(d)
		s.reset()
		done := inSync()
		s.count(&done)
		s.count(&DestinationStatus{
			Rules: 1, Watch: source.DestinationStatus{Streams: 3, Complete: 1, Waiting: waiting}, Line: queue.KeyStats{InHand: inHand},
		})
		s.say(logs.logger(), now)
		return logs.take()
	}
	require.Empty(t, after(0, 1000, 0), "it may be over in a second")
	require.Empty(t, after(5*time.Second, 900, 10))
	said := after(5*time.Second, 690, 10)
	for _, words := range []string{`"seeding"`, `"destinations"=1`, `"collectionsListed"=1`, `"ofCollections"=3`, `"left"=700`, `"perSecond"=30`} {
		require.Contains(t, said, words)
	}
	require.Empty(t, after(5*time.Second, 600, 0))
	require.Contains(t, after(5*time.Second, 2000, 0), `"perSecond"=0`, "more has been found")
	s.reset()
	done := inSync()
	s.count(&done)
	s.say(logs.logger(), now.Add(time.Hour))
	require.Empty(t, logs.take(), "it is over")
}
