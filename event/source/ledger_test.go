package source

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// texts returns the events that wait, and takes them.
func (l *lines) texts() (got []string) {
	for _, e := range l.waiting {
		got = append(got, e.String())
	}
	l.waiting = nil
	return got
}

func TestAnEventSaysAllThatItsSinkNeeds(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "deployments")
	r.Resources[0].APIGroups = []string{"apps"}
	d, to, s := newRig(t, out, r)
	s.of = ruleset.Type{Group: "apps", Version: "v1", Resource: "deployments", Kind: "Deployment", Namespaced: true}
	obj := newObject("apps/v1", "Deployment", "default", "a", map[string]any{"spec": map[string]any{"replicas": int64(1)}})
	d.object(t.Context(), s, obj, added)
	d.deleted(t.Context(), s, obj, removed)
	d.object(t.Context(), s, obj, added)
	d.begin(s)
	d.completed(t.Context(), s)
	d.ledger.sync(to)
	require.Len(t, out.waiting, 5)
	for _, e := range out.waiting {
		require.False(t, e.Time.IsZero(), e.String())
		require.Equal(t, to.destination, e.Destination)
		if e.Operation != event.SeedSync {
			want := event.ID{Group: "apps", Resource: "deployments", Namespace: "default", Name: "a"}
			require.Equal(t, event.Resource{ID: want, Version: "v1", Kind: "Deployment"}, e.Resource)
		}
	}
	require.True(t, out.waiting[4].Listed)
	require.Equal(t, []string{
		"CREATE deployments.apps/default/a for default/prod", "DELETE deployments.apps/default/a for default/prod",
		"CREATE deployments.apps/default/a for default/prod", "DELETE deployments.apps/default/a for default/prod", "SEED_SYNC for default/prod",
	}, out.texts())
}

func TestAListingOfOneNamespaceSaysNothingOfOthers(t *testing.T) {
	out := newLines(-1)
	d, to, _ := newRig(t, out, rule("prod", "prod", "configmaps"))
	one, two := d.feed("configmaps", "one", to), d.feed("configmaps", "two", to)
	d.object(t.Context(), one, configMap("one", "a", "1"), added)
	d.object(t.Context(), two, configMap("two", "a", "1"), added)
	out.texts()
	d.begin(one)
	d.completed(t.Context(), one)
	require.Equal(t, []string{"DELETE configmaps/one/a for default/prod"}, out.texts())
}

func TestOnlyWhatIsCompleteAndAllowsItMayBeSwept(t *testing.T) {
	d, to, _ := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	one, two := d.feed("configmaps", "one", to), d.feed("configmaps", "two", to)
	d.ledger.cover(two, map[*target]reach{to: {"two": false}})
	inOne := []event.Collection{{Resource: "configmaps", Namespace: "one"}}
	require.Empty(t, d.sweepable(t, to))
	for _, s := range []*feed{one, two} {
		d.begin(s)
		d.completed(t.Context(), s)
	}
	require.Equal(t, inOne, d.sweepable(t, to), "a rule without DELETE takes no file away")
	d.ledger.outdate(one, "one")
	require.Empty(t, d.sweepable(t, to))
	d.begin(one)
	require.Empty(t, d.sweepable(t, to), "it is being listed again")
	d.completed(t.Context(), one)
	require.Equal(t, inOne, d.sweepable(t, to))
	require.Empty(t, one.stale)
	to.gone = true
	require.Empty(t, d.sweepable(t, to))
	require.ErrorIs(t, inventory{d.Watcher, to, 0}.View(func(event.Snapshot) error { return errNotListed }), errNotListed)
}

func TestALeavingObjectOfARuleWithoutDeleteIsNotWaitedFor(t *testing.T) {
	out := newLines(0)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Create, event.Update}
	d, to, s := newRig(t, out, r)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Equal(t, 1, to.backlog.count)
	d.deleted(t.Context(), s, configMap("default", "a", "1"), removed)
	require.Zero(t, to.backlog.count)
	out.room = -1
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.deleted(t.Context(), s, configMap("default", "a", "1"), removed)
	require.Equal(t, []string{"CREATE configmaps/default/a for default/prod"}, out.texts())
}

// Of two objects of one type and one destination, a rule asks for the deletes of one.
func TestADeleteIsSentForThoseObjectsAloneWhoseRuleAsksForIt(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	keeps, deletes := rule("keeps", "prod", "configmaps"), rule("deletes", "prod", "configmaps")
	keeps.Resources[0].Operations = []event.Operation{event.Create, event.Update}
	deletes.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mine": "yes"}}
	rules, err := ruleset.Compile(setOf(t, "prod"), keeps, deletes)
	require.NoError(t, err)
	d.reader.match.Store(newMatcher(rules, nil))
	mine := configMap("default", "mine", "1")
	mine.SetLabels(map[string]string{"mine": "yes"})
	others := []*unstructured.Unstructured{configMap("default", "a", "1"), configMap("default", "b", "1")}
	for _, obj := range append(others, mine) {
		d.object(t.Context(), s, obj, added)
	}
	tl := d.ledger.typeOf(s.of)
	require.Same(t, tl.entries[d.keyed(s, "a").name].owners, tl.entries[d.keyed(s, "b").name].owners, "it is memory for each object otherwise")
	out.texts()
	for _, obj := range append(others, mine) {
		d.deleted(t.Context(), s, obj, removed)
	}
	require.Equal(t, []string{"DELETE configmaps/default/mine for default/prod"}, out.texts())
	require.Zero(t, to.backlog.count)
}

func TestWhatNobodyWantsCostsNeitherMemoryNorWork(t *testing.T) {
	d, _, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.opts.Attribute = func(context.Context, *unstructured.Unstructured, event.Operation) event.Author {
		require.Fail(t, "nobody wants to know")
		return event.Author{}
	}
	r := rule("prod", "prod", "configmaps")
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mine": "yes"}}
	rules, err := ruleset.Compile(setOf(t, "prod"), r)
	require.NoError(t, err)
	d.reader.match.Store(newMatcher(rules, nil))
	d.object(t.Context(), s, configMap("default", "a", "1"), modified)
	require.Empty(t, d.ledger.typeOf(s.of).entries)

	dying := configMap("default", "a", "1")
	now := metav1.Now()
	dying.SetDeletionTimestamp(&now)
	d.object(t.Context(), s, dying, listed) // who deletes it cannot be told from a listing
}

func TestAnEventThatCanNeverBeQueuedIsRefusedAndNotTriedAgain(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.out = refusingLines{out, errors.New("too large")}
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.Equal(t, 1, to.refused.count())
	require.Zero(t, to.backlog.count)
	for _, err := range []error{queue.ErrFull, queue.ErrShutdown} {
		d.out = refusingLines{out, err}
		d.object(t.Context(), s, configMap("default", fmt.Sprint(err), "1"), added)
	}
	require.Equal(t, 2, to.backlog.count)
	require.Equal(t, 1, to.refused.count())
	to.backlog = backlog{}
	d.ledger.ask(to)
	d.ledger.sync(to)
	require.True(t, to.syncDue(), "it found no room either")
	require.Zero(t, to.seeds)
}

type refusingLines struct {
	*lines
	err error
}

func (l refusingLines) TryAdd(event.Event) error { return l.err }

func TestTheLastReflectorThatEndsItsListingAsksForTheSeedSync(t *testing.T) {
	d, to, _ := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	one, two := d.feed("configmaps", "one", to), d.feed("configmaps", "two", to)
	d.ledger.relist(one)
	d.ledger.relist(two)
	to.backfilling = false
	d.begin(one)
	d.failed(one, errBroken)
	require.False(t, to.syncDue())
	require.Empty(t, d.ledger.pending)
	d.begin(two)
	d.failed(two, errBroken)
	require.True(t, to.syncDue())
	require.Contains(t, d.ledger.pending, to)
}

// A destination is taken out of the rules while a reflector that feeds it still runs.
func TestAReflectorOutlivesADestination(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.drop(to)
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.ledger.outdate(s, "default")
	d.listed(t.Context(), s, listing{"default", d.now()})
	d.completed(t.Context(), s)
	d.ledger.resync(to)
	d.failed(s, errBroken)
	d.ledger.cover(s, nil)
	d.ledger.disownUncovered()
	require.Empty(t, out.waiting)
	require.Empty(t, d.ledger.pending)
}

func TestOfTwoStaleNamespacesOneMayBecomeSoAgainWhileBothAreListed(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.outdate(s, "one")
	d.ledger.outdate(s, "two")
	require.False(t, to.ready())
	_, due := d.ledger.due(s)
	require.Equal(t, []listing{{"one", d.now()}, {"two", d.now()}}, due)
	d.ledger.outdate(s, "one")
	d.listed(t.Context(), s, due[0])
	d.listed(t.Context(), s, due[1])
	require.Contains(t, s.stale, "one")
	require.NotContains(t, s.stale, "two")
	require.False(t, to.ready())
	d.failed(s, apierrors.NewServiceUnavailable("before it was complete"))
	require.True(t, to.ready(), "nothing of it is swept before it is complete, so nobody waits for one namespace")
	s.complete = true
	d.ledger.outdate(s, "one")
	d.failed(s, apierrors.NewServiceUnavailable("for a moment"))
	require.False(t, to.ready(), "what is complete but for one namespace waits for that")
}

func TestAReflectorOfOneNamespaceIsNotWaitedForByThoseOfOthers(t *testing.T) {
	d, to, s := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	d.ledger.cover(s, map[*target]reach{to: {"one": false}})
	d.ledger.outdate(s, "two")
	require.True(t, to.ready())
	d.ledger.outdate(s, "one")
	require.False(t, to.ready())
}

// Rules are taken back for one of three namespaces: what was in it is neither alive nor dead.
func TestWhatNoReflectorCoversAnyMoreIsForgottenAndTheRestIsKept(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps"))
	d.ledger.adopted = &rules{ruleSet: &ruleset.RuleSet{}}
	for _, ns := range []string{"one", "two", "three"} {
		d.object(t.Context(), d.feed("configmaps", ns, to), configMap(ns, "a", "1"), added)
	}
	d.ledger.stop(s)
	d.ledger.stop(d.ledger.feeds[feedKey{s.key().of, "three"}])
	require.Equal(t, 3, to.backlog.count)
	d.ledger.disownUncovered()
	require.Equal(t, 2, to.backlog.count)
	tl := d.ledger.typeOf(s.of)
	require.Len(t, tl.entries, 2)
	for name := range tl.entries {
		require.NotEqual(t, "three", name.Namespace)
	}
	clear(d.ledger.feeds)
	d.ledger.disownUncovered()
	require.Zero(t, to.backlog.count)
	require.Empty(t, d.ledger.types, "a type that nobody reads any more costs nothing")
}

func TestARoundOfABackfillIsAboutObjectsOfOneReflector(t *testing.T) {
	d, to, s := newRig(t, newLines(0), rule("prod", "prod", "configmaps", "services"))
	d.ledger.stop(s)
	for _, of := range []*feed{d.feed("configmaps", "one", to), d.feed("configmaps", "two", to), d.feed("services", "one", to)} {
		for i := range 3 {
			obj := configMap(of.namespace, fmt.Sprint(i), "1")
			if of.of.Kind == "Service" {
				obj = service(of.namespace, fmt.Sprint(i))
			}
			d.object(t.Context(), of, obj, added)
		}
	}
	require.Equal(t, 9, to.backlog.count)
	for range 20 { // maps have no order
		r := d.ledger.choose(to)
		require.Len(t, r.keys, 3)
		for _, key := range r.keys {
			require.Equal(t, r.from.namespace, key.name.Namespace)
			require.Equal(t, r.from.of, key.of.resource)
		}
	}
}

func TestWhatIsFetchedGoesToThoseAloneWhoseRulesWriteIt(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Delete}
	d, to, s := newRig(t, out, r)
	obj := configMap("default", "a", "1")
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()), "nothing is known of its type")
	d.object(t.Context(), s, obj, added)
	to.backlog.add(d.keyed(s, "a"), false)
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Zero(t, to.backlog.count)
	require.Empty(t, out.waiting)

	d, to, s = newRig(t, out, rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, obj, added)
	out.texts()
	to.backlog.add(d.keyed(s, "a"), false)
	rules, err := ruleset.Compile(setOf(t, "dev"), rule("dev", "dev", "configmaps"))
	require.NoError(t, err)
	d.reader.match.Store(newMatcher(rules, nil))
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()))
	require.Empty(t, out.texts(), "another one wants it now")
}

// noDeletes is a queue that makes room just after a delete found none.
type noDeletes struct{ *lines }

func (l noDeletes) TryAdd(e event.Event) error {
	if e.Operation == event.Delete {
		return queue.ErrFull
	}
	return l.lines.TryAdd(e)
}

// A rule with only CREATE would find the old file and leave it.
func TestACreateNeverOvertakesTheDeleteBeforeIt(t *testing.T) {
	out := newLines(-1)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Create, event.Delete}
	d, to, s := newRig(t, out, r)
	d.out = noDeletes{out}
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.deleted(t.Context(), s, configMap("default", "a", "1"), removed)
	out.texts()
	d.object(t.Context(), s, configMap("default", "a", "2"), added)
	require.Empty(t, out.texts())
	require.Equal(t, 1, to.backlog.count)
	d.out = out
	d.object(t.Context(), s, configMap("default", "a", "3"), modified)
	require.Equal(t, []string{"DELETE configmaps/default/a for default/prod", "UPDATE configmaps/default/a for default/prod"}, out.texts())
}
