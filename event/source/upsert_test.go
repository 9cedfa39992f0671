package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestAuthorsAreAskedForLiveChangesOnly(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.opts.Attribute = func(_ context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author {
		if obj == nil {
			return event.Author{Name: "unseen"}
		}
		return event.Author{Name: string(op) + " " + obj.GetName()}
	}
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	d.completed(t.Context(), s)
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "2"), listed)
	d.completed(t.Context(), s)
	d.object(t.Context(), s, configMap("default", "b", "1"), added)
	d.object(t.Context(), s, configMap("default", "b", "2"), modified)
	d.deleted(t.Context(), s, configMap("default", "b", "2"), removed)
	d.begin(s) // a is gone when it is listed again
	d.completed(t.Context(), s)
	var authors []string
	var fromListing []bool
	for _, e := range out.waiting {
		authors, fromListing = append(authors, e.Author.Name), append(fromListing, e.Listed)
	}
	require.Equal(t, []string{"", "CREATE b", "UPDATE b", "DELETE b", "unseen"}, authors)
	require.Equal(t, []bool{true, false, false, false, false}, fromListing)
}

func TestIgnoredManagersAreLookedForInLiveChangesOnly(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.IgnoreManagers = []string{"robot"}
	d, to, s := newRig(t, out, r)
	by := func(name, manager string) *unstructured.Unstructured {
		obj := configMap("default", name, "1")
		obj.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: manager, Time: &metav1.Time{Time: time.Unix(1, 0)}}})
		return obj
	}
	d.object(t.Context(), s, by("a", "robot"), added)
	require.Empty(t, out.waiting)
	d.object(t.Context(), s, by("b", "human"), added)
	require.Len(t, out.waiting, 1)
	out.waiting = nil
	d.object(t.Context(), s, by("c", "robot"), listed)
	d.ledger.ask(to)
	d.snapshot(t, to, func(v event.Snapshot) {
		for o := range v.Objects() {
			v.Differs(o)
		}
	})
	require.Equal(t, 2, to.backlog.count, "a listing cannot tell who made which change")
}

func TestAnObjectThatCanBeWrittenAgainIsRefusedNoLonger(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	a := d.keyed(s, "a")
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	to.backlog.add(a, false)
	d.ledger.refuse(to, a, errors.New("too large"))
	require.Zero(t, to.backlog.count, "nobody fetches what cannot be written")
	require.Equal(t, 1, to.refused.count())
	d.object(t.Context(), s, configMap("default", "a", "2"), modified)
	require.Zero(t, to.refused.count())
}

func TestOnlySoManyRefusedObjectsAreRemembered(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for i := range maxRefused + 10 {
		d.ledger.refuse(to, d.keyed(s, fmt.Sprint(i)), errors.New("too large"))
	}
	require.Len(t, to.refused.list(), maxRefused)
	require.Equal(t, maxRefused+10, to.refused.count())
}

func TestADeleteGoesToThoseAloneWhoseRulesCoverTheObject(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	require.Len(t, out.waiting, 1)
	d.ledger.cover(s, nil)
	d.deleted(t.Context(), s, obj, removed)
	require.Len(t, out.waiting, 1, "what no rule covers any more stays as it is")

	d.ledger.cover(s, map[*target]reach{to: {"other": false}})
	d.object(t.Context(), s, obj, added)
	d.deleted(t.Context(), s, obj, removed)
	require.Len(t, out.waiting, 2)
}

func TestATargetThatIsGoneGetsNothing(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	to.asked++
	to.backfilling, to.gone = false, true
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.ledger.sync(to)
	d.ledger.wake(to)
	require.Empty(t, out.waiting)
	require.Empty(t, d.ledger.pending)
	require.False(t, to.needsBackfill())
}

func TestWhatFindsNoRoomNeedsABackfill(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	to.backfilling = false
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Contains(t, d.ledger.pending, to)
	require.Len(t, d.pending, 1)
}

func TestTheSeedSyncWaitsForTheLastOfTheReflectors(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	other := d.feed("services", "", to)
	d.ledger.relist(s)
	d.ledger.relist(other)
	d.begin(s)
	d.completed(t.Context(), s)
	d.ledger.sync(to)
	require.Zero(t, to.seeds, "one is left")
	d.begin(other)
	d.failed(other, apierrors.NewInternalError(errors.New("broken")))
	require.True(t, to.syncDue())
	d.ledger.sync(to)
	require.EqualValues(t, 1, to.seeds, "a reflector that cannot list holds nobody up")
	require.False(t, to.syncDue())
	d.failed(other, apierrors.NewInternalError(errors.New("broken")))
	require.False(t, to.syncDue(), "its first listing ends once")
}

func TestASeedSyncGoesBehindWhatWaitsUnlessThatIsBlocked(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	out.waiting = nil
	to.sweepDue = true // nothing has to be compared
	to.backlog.add(d.keyed(s, "a"), false)
	d.ledger.sync(to)
	require.Empty(t, out.waiting)
	to.blocked = 1
	d.ledger.sync(to)
	require.Len(t, out.waiting, 1)
}

func TestWhatIsFetchedAndNotWantedIsSentWhenItIsHeardOfAgain(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "skip", Operator: "DoesNotExist"}}}
	d, to, s := newRig(t, out, r)
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	for name, fetched := range map[string]func(*unstructured.Unstructured){
		"not selected": func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"skip": ""}) },
		"dying":        func(u *unstructured.Unstructured) { now := metav1.Now(); u.SetDeletionTimestamp(&now) },
	} {
		out.waiting = nil
		to.backlog.add(d.keyed(s, "a"), false)
		other := obj.DeepCopy()
		fetched(other)
		require.True(t, d.offer(t.Context(), to, s, other, d.now()), name)
		require.Zero(t, to.backlog.count, name)
		require.Empty(t, out.waiting, name)
		d.object(t.Context(), s, obj, modified)
		require.Len(t, out.waiting, 1, "%s: nobody knows what is in the file", name)
		out.waiting = nil
		d.object(t.Context(), s, obj, modified)
		require.Empty(t, out.waiting, name)
	}
}

func TestWhatWaitsForAnotherTargetIsNotSentTwiceAndNotToThoseWhoDoNotWait(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	out.waiting = nil
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Empty(t, out.waiting)
	to.backlog.add(d.keyed(s, "a"), false)
	d.ledger.cover(s, nil)
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Empty(t, out.waiting, "the reflector does not feed it any more")
}

func TestOfWhatWaitsTheDeadAreToldAndTheOthersLeft(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	to.blocked = 7
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.deleted(t.Context(), s, configMap("default", "a", "1"), removed)
	out.waiting = nil
	to.backlog.add(d.keyed(s, "a"), true)
	s.stale = map[string]uint64{"default": 1}
	require.Equal(t, round{waiting: 1}, d.ledger.choose(to))
	require.Equal(t, 1, to.blocked, "it may come back")
	require.Empty(t, out.waiting)
	clear(s.stale)
	require.Zero(t, d.ledger.choose(to), "nobody fetches the dead")
	require.Zero(t, to.blocked)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", out.waiting[0].String())
}

func TestManyThatWaitAreListedAndFewFetched(t *testing.T) {
	for _, c := range []struct {
		of, waiting, keys int
		many              bool
	}{
		{0, 0, 0, false},
		{1, 1, 1, false},
		{fetchEach, fetchEach, fetchEach, false},
		{fetchEach + 1, fetchEach + 1, fetchEach + 1, true},
		{1000, 99, 99, false},
		{1000, 100, fetchFew, true},
		{10000, fetchMany - 1, fetchFew, false},
		{10000, fetchMany, fetchFew, true},
	} {
		out := newLines(c.of - c.waiting)
		d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
		for i := range c.of {
			d.object(t.Context(), s, configMap("default", fmt.Sprint(i), "1"), added)
		}
		r := d.ledger.choose(to)
		require.Equal(t, c.many, r.many, c)
		require.Len(t, r.keys, c.keys)
	}
}

func TestWhatStandsStillKeepsWhatWaits(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	a := d.keyed(s, "a")
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	still := func() bool { return d.ledger.fetchable(to, a) == nil }
	delete(d.ledger.feeds, s.key())
	require.True(t, still(), "no reflector is there yet")
	require.Equal(t, 1, to.backlog.count, "discovery has not answered under these rules")
	d.ledger.feeds[s.key()] = s
	require.False(t, still(), "it is being listed")
	s.err = errors.New("broken")
	require.True(t, still())
	s.complete = true
	require.False(t, still(), "what is known is old, but its objects can be read")
	delete(d.ledger.feeds, s.key())
	d.ledger.served = &served{}
	d.ledger.gaps[s.key().of] = &gap{of: s.of, reach: s.reach, err: errRefused}
	require.True(t, still())
	require.Equal(t, 1, to.backlog.count)
	clear(d.ledger.gaps)
	require.True(t, still())
	require.Zero(t, to.backlog.count, "nobody covers it any more")
}

func TestAccessIsLookedAtAgainOnlyWhenAWideReflectorOfNarrowRulesIsRefused(t *testing.T) {
	forbidden := apierrors.NewForbidden(configMaps.GroupResource(), "", nil)
	for name, c := range map[string]struct {
		err   error
		in    string
		reach string
		told  bool
	}{
		"refused":                     {err: forbidden, reach: "default", told: true},
		"broken":                      {err: errors.New("broken"), reach: "default"},
		"in one namespace":            {err: forbidden, in: "default", reach: "default"},
		"for rules of all namespaces": {err: forbidden, reach: everywhere},
		"of a cluster-scoped type":    {err: forbidden, reach: ""},
	} {
		d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
		s.namespace = c.in
		d.ledger.cover(s, map[*target]reach{to: {c.reach: false}})
		d.failed(s, c.err)
		require.Equal(t, c.told, len(d.access) == 1, name)
	}
}

func TestOneViewTellsWhatLivesInTheVersionThatItWasReadIn(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for _, name := range []string{"a", "b"} {
		d.object(t.Context(), s, configMap("default", name, "1"), added)
	}
	d.snapshot(t, to, func(v event.Snapshot) {
		for o := range v.Objects() {
			require.Equal(t, "v1", o.Version)
			require.Equal(t, "ConfigMap", o.Kind)
			break
		}
		require.Len(t, slices.Collect(v.Objects()), 2)
	})
}

func TestPlacesAreUsedAgainAndBelongToOneObject(t *testing.T) {
	tl := newLedger(nil).typeOf(ruleset.Type{Resource: "configmaps"})
	var b backlog
	key := func(name string) objectKey { return objectKey{tl, types.NamespacedName{Name: name}} }
	for _, name := range []string{"a", "b", "c"} {
		b.add(key(name), name == "b")
		b.add(key(name), false)
	}
	require.Equal(t, 3, b.count)
	waits, deleted := b.has(key("b"))
	require.Equal(t, [2]bool{true, true}, [2]bool{waits, deleted})
	var seen []string
	for k := range b.of(tl) {
		seen = append(seen, k.name.Name)
		b.remove(key("c")) // while it is being walked
	}
	require.Equal(t, []string{"a", "b"}, seen)
	b.remove(key("a"))
	b.remove(key("a"))
	require.Equal(t, 1, b.count)
	b.remove(key("b"))
	require.Empty(t, b.types)
	require.Empty(t, tl.slots.of)
	b.add(key("d"), false)
	require.Len(t, tl.slots.names, 3, "places are used again")
	waits, deleted = b.has(key("d"))
	require.Equal(t, [2]bool{true, false}, [2]bool{waits, deleted})
	for _, name := range []string{"a", "b", "c"} {
		waits, _ = b.has(key(name))
		require.False(t, waits, name)
	}
}

func TestAnErrorOfAWatchThatHelpsOrNot(t *testing.T) {
	gr := configMaps.GroupResource()
	for err, want := range map[error]bool{
		errors.New("cut"): true,
		apierrors.NewInternalError(errors.New("x")):         true,
		apierrors.NewTooManyRequests("", 1):                 true,
		&startOver{errors.New("half a listing")}:            false,
		fmt.Errorf("x: %w", &startOver{errors.New("half")}): false,
		apierrors.NewResourceExpired(""):                    false,
		apierrors.NewForbidden(gr, "", nil):                 false,
		apierrors.NewUnauthorized(""):                       false,
		apierrors.NewNotFound(gr, ""):                       false,
		apierrors.NewMethodNotSupported(gr, "watch"):        false,
	} {
		require.Equal(t, want, transient(err), "%v", err)
	}
	require.ErrorIs(t, &startOver{queue.ErrFull}, queue.ErrFull)
}
