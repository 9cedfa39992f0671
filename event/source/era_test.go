package source

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestAReflectorWhoseEraIsOverListsEverything(t *testing.T) {
	d, _, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	r := newPlanner(d.Watcher).reflector(s, feedHandler{d.Watcher, s})
	require.NoError(t, r.relist(t.Context()), "nothing is stale")
	d.ledger.relist(s)
	require.ErrorIs(t, r.relist(t.Context()), errRelist)
	require.ErrorIs(t, r.follow(t.Context(), resumePoint{}), errRelist)
	d.begin(s)
	require.NoError(t, r.relist(t.Context()))
	d.ledger.rewinds.era++
	require.ErrorIs(t, r.relist(t.Context()), errRelist)
	require.ErrorIs(t, r.follow(t.Context(), resumePoint{}), errRelist)
}

func TestAListingOfThePastIsNotComplete(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.api.rewind(2, false)
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("").ErrStatus}
		f.answer("list", nil)
		got := f.delivered()
		require.NotContains(t, got, "completed")
		require.Contains(t, got, "went back", "all reflectors are to hear of it")
		f.asked("list")
	})
}

// What helps one reflector is no matter of the others.
func TestOnlyAClockThatWentBackEndsAnEra(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		ends bool
	}{
		"expired":    {err: apierrors.NewResourceExpired("")},
		"broken":     {err: errBroken},
		"the future": {err: tooLarge(9), ends: true},
	} {
		watching(t, func(t *testing.T, f *solo) {
			time.Sleep(time.Minute)
			f.cut()
			f.answer("watch", c.err)
			require.Equal(t, c.ends, slices.Contains(f.delivered(), "went back"), name)
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
		var r rewinds
		begin := func() time.Duration {
			_, wait := r.begin(time.Now())
			return wait
		}
		r.found(0, "") // the first
		require.Equal(t, maxEra, begin())
		r.pause = maxEra
		r.found(1, "") // the second is owed
		time.Sleep(time.Minute)
		require.Equal(t, maxEra-time.Minute, begin())
		r.found(7, "apps")
		require.Equal(t, maxEra, r.pause, "it speaks of another time")
		r.found(1, "apps") // it is no whim of one server
		require.Equal(t, minEra, r.pause)
		begin()
		require.EqualValues(t, 2, r.era)
		require.Equal(t, 2*minEra, r.pause, "it doubles")
	})
}

func TestAProbeIsNotWaitedFor(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.ledger.stop(s)
	d.ledger.setGaps(plan{found: &served{}, gaps: map[schema.GroupResource]ruleset.Watch{s.key().of: {Resource: s.of, Coverage: []ruleset.Coverage{
		{Destination: to.destination, Collection: event.Collection{Resource: "configmaps", All: true}},
	}}}})
	d.failed(d.feed("services", ""), errWentBack)
	d.ledger.resync(to)
	require.True(t, to.ready())
	require.True(t, d.ledger.covered(to, d.keyed(s, "a")))
	st, _ := d.Status(ref("prod"))
	require.Equal(t, []Incomplete{{event.Collection{Resource: "configmaps", All: true}, errRefused}}, st.Incomplete)
	d.ledger.probed(s.key().of, errBroken)
	require.False(t, d.ledger.accessChanged)
	d.ledger.probed(s.key().of, nil)
	require.True(t, d.ledger.accessChanged)
	d.ledger.probed(schema.GroupResource{Resource: "unheard-of"}, nil)
}

func TestARewindIsToldOnceAndNothingIsCompleteAfterIt(t *testing.T) {
	log := &logged{}
	d, to, s := newRigWith(t, newLines(0), log.options(), rule("prod", "prod", "configmaps"))
	d.begin(s)
	d.completed(t.Context(), s)
	labels := d.ledger.newFeed(namespaceType, "")
	d.ledger.labels = labels
	d.begin(labels)
	d.failed(s, errWentBack)
	require.Len(t, d.rewound, 1)
	require.True(t, d.relists(labels))
	require.False(t, s.complete)
	require.False(t, to.ready())
	require.Len(t, s.wake, 1)
	d.begin(labels)
	d.begin(s)
	d.failed(s, errWentBack)
	require.False(t, d.relists(labels), "the next era is owed")
	d.ledger.rewinds.pause = 0
	newPlanner(d.Watcher).nextEra()
	require.True(t, d.relists(labels))
	newPlanner(d.Watcher).nextEra()
	require.Equal(t, 2, log.count("gone back"))
}

// Its delete was heard of while it was asked for.
func TestWhatWasDeadWhenItWasNotFoundIsNoReasonToListAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
		d.ledger.missing.add(d.keyed(s, "a"), 0, time.Now())
		time.Sleep(missingPause)
		d.ledger.relistMissing()
		require.False(t, d.relists(s))
		require.Empty(t, d.ledger.missing)
	})
}

func TestWhenAnObjectWasMissedFirstIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
		first := time.Now()
		d.ledger.missing.add(d.keyed(s, "a"), 1, time.Now())
		time.Sleep(time.Second)
		d.ledger.missing.add(d.keyed(s, "a"), 1, time.Now())
		require.Equal(t, first, d.ledger.missing[d.keyed(s, "a")].at)
	})
}

func TestTheNewestVersionNeverGoesBack(t *testing.T) {
	var s reflector
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
		require.Equal(t, []string{"went back", "begin"}, f.delivered())
		f.asked("list")
	})
}

func TestWhatIsStaleInOneNamespaceIsSoForAllOfThem(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	s.complete = true
	require.True(t, d.ledger.listedWhole(s, everywhere) && d.ledger.listedWhole(s, "one"))
	d.ledger.outdate(s, "one")
	require.False(t, d.ledger.listedWhole(s, everywhere) || d.ledger.listedWhole(s, "one"))
	require.True(t, d.ledger.listedWhole(s, "other"))
}

func TestAListingOfANamespaceTellsTheClock(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	require.NoError(t, d.relist(t, s, configMap("default", "a", "1"), ""))
}

func TestMissedObjectsHaveABound(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for i := range maxMissing + 1 {
		d.ledger.missing.add(d.keyed(s, fmt.Sprint(i)), 1, time.Now())
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
