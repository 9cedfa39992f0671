package source

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/event"
)

func TestAStreamWhoseEraIsOverListsEverything(t *testing.T) {
	_, _, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	require.NoError(t, s.listAnew(t.Context()), "nothing is outdated")
	s.again.Store(true)
	require.ErrorIs(t, s.listAnew(t.Context()), errAgain)
	require.ErrorIs(t, s.follow(t.Context(), place{}), errAgain)
	s.again.Store(false)
	s.rewinds.era.Add(1)
	require.ErrorIs(t, s.listAnew(t.Context()), errAgain)
	require.ErrorIs(t, s.follow(t.Context(), place{}), errAgain)
}

func TestAListingOfThePastIsNotComplete(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.api.rewind(2, false)
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("").ErrStatus}
		f.answer("list", nil)
		require.NotContains(t, f.delivered(), "completed")
		require.EqualValues(t, 1, f.stream.rewinds.era.Load(), "all streams are to hear of it")
		require.Len(t, f.stream.rewinds.told, 1)
		f.asked("list")
	})
}

// What helps one stream is no matter of the others.
func TestOnlyAClockThatWentBackEndsAnEra(t *testing.T) {
	for name, c := range map[string]struct {
		err error
		era uint64
	}{
		"expired":    {err: apierrors.NewResourceExpired("")},
		"broken":     {err: errBroken},
		"the future": {err: tooLarge(9), era: 1},
	} {
		watching(t, func(t *testing.T, f *solo) {
			time.Sleep(time.Minute)
			f.cut()
			f.answer("watch", c.err)
			f.delivered()
			require.Equal(t, c.era, f.stream.rewinds.era.Load(), name)
		})
	}
}

// It is no server that cannot do it: the listing is begun anew, in the same way.
func TestInitialEventsThatHaveExpiredAreAskedForAgain(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("").ErrStatus}
		_, took := f.asked("watch")
		require.Zero(t, took)
		require.NotContains(t, f.delivered(), "failed")
	})
}

func TestOfTwoGroupsThatFindTheClockBehindBothAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRewinds()
		r.found(0, "") // the first
		require.Len(t, r.told, 1)
		r.pause = maxEra
		r.found(1, "") // the second is owed
		time.Sleep(time.Minute)
		require.Equal(t, maxEra-time.Minute, r.begin())
		r.found(7, "apps")
		require.Equal(t, maxEra, r.pause, "it speaks of another time")
		r.found(1, "apps") // it is no whim of one server
		require.EqualValues(t, 2, r.era.Load())
		require.Equal(t, 2*minEra, r.pause, "it doubles")
	})
}

func TestAProbeIsNotWaitedForAfterARewind(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	s.probing, s.settled = true, true
	d.ledger.again(s)
	require.Zero(t, to.unsettled)
	require.False(t, s.again.Load())
}

func TestARewindIsToldOnceAndNothingIsCompleteAfterIt(t *testing.T) {
	log := &logged{}
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.opts = log.options().withDefaults()
	p := plannerOf(d)
	p.rewinds = s.rewinds
	p.stands(s)
	s.complete, s.settled = true, true
	other := otherStream(d, "services", "")
	other.rewinds = s.rewinds
	other.era.Store(1) // its listing began when the era did
	labels := &stream{rewinds: s.rewinds, anew: make(chan struct{}, 1)}
	d.ledger.follow(labels)
	s.rewinds.found(0, "")
	p.doubtAll()
	require.True(t, labels.again.Load())
	require.False(t, other.again.Load())
	labels.again.Store(false)
	labels.era.Store(1)
	s.rewinds.pause = 0
	s.rewinds.found(1, "")
	labels.era.Store(2) // it has been listed meanwhile
	p.doubtAll()
	require.False(t, labels.again.Load())
	p.doubtAll()
	require.Equal(t, 2, log.count("gone back"))
	require.False(t, s.complete)
	require.Equal(t, 1, to.unsettled)
}

// Its delete was heard of while it was asked for.
func TestWhatWasDeadWhenItWasNotFoundIsNoReasonToListAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
		p := plannerOf(d)
		p.stands(s)
		d.ledger.missing.add(d.keyed(s, "a"), 0)
		time.Sleep(missingPause)
		p.doubtMissing()
		require.False(t, s.again.Load())
		require.Empty(t, d.ledger.missing)
	})
}

func TestWhenAnObjectWasMissedFirstIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
		first := time.Now()
		d.ledger.missing.add(d.keyed(s, "a"), 1)
		time.Sleep(time.Second)
		d.ledger.missing.add(d.keyed(s, "a"), 1)
		require.Equal(t, first, d.ledger.missing[d.keyed(s, "a")].at)
	})
}

func TestTheNewestVersionNeverGoesBack(t *testing.T) {
	var s stream
	for _, version := range []string{"5", "3", "opaque"} {
		s.saw(version)
		require.Equal(t, "5", s.newest)
	}
}

func TestBothWordsForWhatIsGoneAreKnown(t *testing.T) {
	require.True(t, gone(&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonGone}}))
	require.True(t, gone(apierrors.NewResourceExpired("too old")))
	require.False(t, gone(errBroken))
}

func TestAnEventOfThePastHasEverythingListed(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.send(apiwatch.Modified, "1")
		require.Equal(t, []string{"begin"}, f.delivered())
		f.asked("list")
		require.EqualValues(t, 1, f.stream.rewinds.era.Load())
	})
}

func TestWhatIsOutdatedInOneNamespaceIsSoForAllOfThem(t *testing.T) {
	_, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	all := s.watch.Coverage[0]
	one, other := all, all
	one.Collection = event.Collection{Resource: "configmaps", Namespace: "one"}
	other.Collection = event.Collection{Resource: "configmaps", Namespace: "other"}
	require.False(t, s.outdates(all) || s.outdates(one))
	s.outdated = map[string]struct{}{"one": {}}
	require.True(t, s.outdates(all) && s.outdates(one))
	require.False(t, s.outdates(other))
}

func TestAListingOfANamespaceTellsTheClock(t *testing.T) {
	d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	api := newGatedAPI()
	api.write("configmaps", apiwatch.Added, configMap("default", "a", "1"))
	s.client, s.page, s.ahead, s.newest = clientFor(api, s.watch.Resource), 1, map[string]string{}, ""
	d.ledger.outdate(s, "default")
	ended := make(chan error)
	go func() { ended <- s.listAnew(t.Context()) }()
	api.answer(<-api.requests, nil)
	require.NoError(t, <-ended)
	require.Equal(t, "1", s.newest)
}

func TestMissedObjectsHaveABound(t *testing.T) {
	d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for i := range maxMissing + 1 {
		d.ledger.missing.add(d.keyed(s, fmt.Sprint(i)), 1)
	}
	require.Len(t, d.ledger.missing, maxMissing)
}

func TestAWatchIsLeftWhenItsServerShouldHaveEndedIt(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.answer("list", nil)
		f.answer("list", nil)
		q := f.answer("watch", nil)
		end, ok := q.ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Duration(*q.options.TimeoutSeconds)*time.Second+watchGrace, time.Until(end))
	})
}

func TestAWatchThatDeliversEndsTheRowOfPauses(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.cut()
		for range 5 {
			f.answer("watch", errBroken)
		}
		f.answer("watch", nil)
		f.answer("list", nil)
		f.send(apiwatch.Bookmark, "9")
		f.cut()
		_, took := f.asked("watch")
		require.LessOrEqual(t, took, minPause*5/4)
	})
}
