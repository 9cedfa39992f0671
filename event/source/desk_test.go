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

// keyed returns the key of a ConfigMap in the namespace default.
func (d *desk) keyed(s *stream, name string) objectKey {
	return objectKey{d.ledger.typeOf(s.watch.Resource), types.NamespacedName{Namespace: "default", Name: name}}
}

func TestAuthorsAreAskedForLiveChangesOnly(t *testing.T) {
	out := newLines(-1)
	d, _, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	d.opts.Attribute = func(_ context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author {
		if obj == nil {
			return event.Author{Name: "unseen"}
		}
		return event.Author{Name: string(op) + " " + obj.GetName()}
	}
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
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
	d, _, s := newDesk(t, out, r)
	by := func(name, manager string) *unstructured.Unstructured {
		obj := configMap("default", name, "1")
		obj.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: manager, Time: &metav1.Time{Time: time.Unix(1, 0)}}})
		return obj
	}
	d.object(t.Context(), s, by("a", "robot"), added)
	require.Empty(t, out.waiting)
	d.object(t.Context(), s, by("b", "human"), added)
	d.object(t.Context(), s, by("c", "robot"), listed)
	require.Len(t, out.waiting, 2, "a listing cannot tell who made which change")
}

func TestAnObjectThatCanBeWrittenAgainIsRefusedNoLonger(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	a := d.keyed(s, "a")
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	to.backlog.add(a, false)
	d.ledger.mu.Lock()
	d.refuse(to, a, errors.New("too large"))
	d.ledger.mu.Unlock()
	require.Zero(t, to.backlog.count, "nobody fetches what cannot be written")
	require.Len(t, to.refused, 1)
	d.object(t.Context(), s, configMap("default", "a", "2"), modified)
	require.Empty(t, to.refused)
}

func TestOnlySoManyRefusedObjectsAreRemembered(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for i := range maxRefused + 10 {
		d.refuse(to, d.keyed(s, fmt.Sprint(i)), errors.New("too large"))
	}
	require.Len(t, to.refused, maxRefused)
}

func TestADeleteGoesToThoseAloneWhoseRulesCoverTheObject(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	require.Len(t, out.waiting, 1)
	s.watch.Coverage[0].Destination.Branch = "elsewhere"
	d.deleted(t.Context(), s, obj, removed)
	require.Len(t, out.waiting, 1, "what no rule covers any more stays as it is")

	s.watch.Coverage[0].Destination = to.destination
	s.watch.Coverage[0].Collection = event.Collection{Resource: "configmaps", Namespace: "other"}
	d.object(t.Context(), s, obj, added)
	d.deleted(t.Context(), s, obj, removed)
	require.Len(t, out.waiting, 2)
}

func TestATargetThatIsGoneGetsNothing(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	to.feeding, to.syncDue, to.gone = false, true, true
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.sendSync(to)
	d.ledger.wake(to)
	require.Empty(t, out.waiting)
	require.Empty(t, d.ledger.kicked)
	require.False(t, to.hungry())
}

func TestWhatFindsNoRoomWakesAFeeder(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	to.feeding = false
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Contains(t, d.ledger.kicked, to)
	require.Len(t, d.ledger.kick, 1)
}

func TestTheSeedSyncWaitsForTheLastOfTheStreams(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	to.unsettled = 2
	d.begin(s)
	d.completed(t.Context(), s)
	d.sendSync(to)
	require.Zero(t, to.synced, "one is left")
	other := &stream{watch: s.watch, to: d, rewinds: s.rewinds}
	d.failed(other, apierrors.NewInternalError(errors.New("broken")))
	require.True(t, to.syncDue)
	d.sendSync(to)
	require.EqualValues(t, 1, to.synced, "a stream that cannot be listed holds nobody up")
	require.False(t, to.syncDue)
	d.failed(other, apierrors.NewInternalError(errors.New("broken")))
	require.Zero(t, to.unsettled, "a stream settles once")
}

func TestASeedSyncGoesBehindWhatWaitsUnlessThatIsStuck(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	out.waiting = nil
	to.syncDue = true
	to.backlog.add(d.keyed(s, "a"), false)
	d.sendSync(to)
	require.Empty(t, out.waiting)
	to.stuck = 1
	d.sendSync(to)
	require.Len(t, out.waiting, 1)
}

func TestWhatIsFetchedAndNotWantedIsSentWhenItIsHeardOfAgain(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "skip", Operator: "DoesNotExist"}}}
	d, to, s := newDesk(t, out, r)
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, listed)
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
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, listed)
	out.waiting = nil
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Empty(t, out.waiting)
	to.backlog.add(d.keyed(s, "a"), false)
	s.watch.Coverage = nil
	require.False(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Empty(t, out.waiting, "the stream does not feed it any more")
}

func TestOfWhatWaitsTheDeadAreToldAndTheDoubtfulLeft(t *testing.T) {
	out := newLines(-1)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.streams[s.key()] = s
	to.stuck = 7
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	d.deleted(t.Context(), s, configMap("default", "a", "1"), removed)
	out.waiting = nil
	to.backlog.add(d.keyed(s, "a"), true)
	s.outdated = map[string]struct{}{"default": {}}
	of, keys, many := d.pick(to)
	require.Nil(t, of)
	require.Empty(t, keys)
	require.False(t, many)
	require.Equal(t, 1, to.stuck, "it may come back")
	require.Empty(t, out.waiting)
	s.outdated = nil
	_, keys, _ = d.pick(to)
	require.Empty(t, keys, "nobody fetches the dead")
	require.Zero(t, to.stuck)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", out.waiting[0].String())
}

func TestManyThatWaitAreListedAndFewFetched(t *testing.T) {
	for n, want := range map[int]struct {
		keys int
		many bool
	}{0: {0, false}, 1: {1, false}, fetchFew: {fetchFew, false}, fetchFew + 1: {fetchFew, false}, fetchMany - 1: {fetchFew, false}, fetchMany: {0, true}} {
		d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
		d.ledger.streams[s.key()] = s
		for i := range n {
			d.object(t.Context(), s, configMap("default", fmt.Sprint(i), "1"), listed)
		}
		_, keys, many := d.pick(to)
		require.Equal(t, want.many, many, n)
		require.Len(t, keys, want.keys)
	}
}

func TestWhatStandsStillKeepsWhatWaits(t *testing.T) {
	d, to, s := newDesk(t, newLines(0), rule("prod", "prod", "configmaps"))
	a := d.keyed(s, "a")
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	still := func() bool {
		d.ledger.mu.Lock()
		defer d.ledger.mu.Unlock()
		return d.fetchable(to, a) == nil
	}
	d.ledger.coverage = &coverage{}
	require.True(t, still(), "no stream is there yet")
	require.Equal(t, 1, to.backlog.count, "discovery has not answered under these rules")
	d.ledger.streams[s.key()] = s
	require.False(t, still(), "it is being listed")
	s.err = errors.New("broken")
	require.True(t, still())
	s.complete = true
	require.False(t, still(), "what is known is old, but its objects can be read")
	s.probing = true
	require.True(t, still())
	require.Equal(t, 1, to.backlog.count)
	delete(d.ledger.streams, s.key())
	d.ledger.coverage = &coverage{served: map[servedKey]struct{}{}}
	require.True(t, still())
	require.Zero(t, to.backlog.count, "nobody covers it any more")
}

func TestRightsAreLookedAtAgainOnlyWhenAWideStreamOfNarrowRulesIsRefused(t *testing.T) {
	forbidden := apierrors.NewForbidden(configMaps.GroupResource(), "", nil)
	single := event.Collection{Resource: "configmaps", Namespace: "default"}
	for name, c := range map[string]struct {
		err     error
		in      string
		scope   *event.Collection
		probing bool
		told    bool
	}{
		"refused":                     {err: forbidden, scope: &single, told: true},
		"broken":                      {err: errors.New("broken"), scope: &single},
		"in one namespace":            {err: forbidden, in: "default", scope: &single},
		"for rules of all namespaces": {err: forbidden},
		"asking whether it is by now": {err: forbidden, scope: &single, probing: true},
	} {
		d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
		rights := make(chan struct{}, 1)
		d.rights = rights
		s.watch.Namespace, s.probing = c.in, c.probing
		if c.scope != nil {
			s.watch.Coverage[0].Collection = *c.scope
		}
		d.failed(s, c.err)
		require.Equal(t, c.told, len(rights) == 1, name)
	}
}

func TestOneViewTellsWhatLivesInTheVersionThatItWasReadIn(t *testing.T) {
	d, to, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for _, name := range []string{"a", "b"} {
		d.object(t.Context(), s, configMap("default", name, "1"), listed)
	}
	require.NoError(t, live{d.ledger, to}.View(func(v event.Snapshot) error {
		for r := range v.Resources(s.scope()) {
			require.Equal(t, "v1", r.Version)
			require.Equal(t, "ConfigMap", r.Kind)
			break
		}
		require.Len(t, slices.Collect(v.Resources(s.scope())), 2)
		require.Empty(t, slices.Collect(v.Resources(event.Collection{Resource: "unheard-of", All: true})))
		return nil
	}))
}

func TestPlacesAreUsedAgainAndBelongToOneObject(t *testing.T) {
	tl := newLedger().typeOf(ruleset.Type{Resource: "configmaps"})
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
	require.Empty(t, tl.places.of)
	b.add(key("d"), false)
	require.Len(t, tl.places.names, 3, "places are used again")
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
		apierrors.NewInternalError(errors.New("x")):      true,
		apierrors.NewTooManyRequests("", 1):              true,
		&relist{errors.New("half a listing")}:            false,
		fmt.Errorf("x: %w", &relist{errors.New("half")}): false,
		apierrors.NewResourceExpired(""):                 false,
		apierrors.NewForbidden(gr, "", nil):              false,
		apierrors.NewUnauthorized(""):                    false,
		apierrors.NewNotFound(gr, ""):                    false,
		apierrors.NewMethodNotSupported(gr, "watch"):     false,
	} {
		require.Equal(t, want, transient(err), "%v", err)
	}
	require.ErrorIs(t, &relist{queue.ErrFull}, queue.ErrFull)
}
