package source

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// rig is a Watcher that nobody has started. The test says what its reflectors and backfills would.
type rig struct{ *Watcher }

// newRig returns a rig for the ConfigMaps of one destination, prod, and their feed. A backfill
// seems to run, so nothing is pending.
func newRig(t *testing.T, out *lines, r ruleset.Rule) (rig, *target, *feed) {
	t.Helper()
	return newRigWith(t, out, nil, r)
}

func newRigWith(t *testing.T, out *lines, opts *Options, r ruleset.Rule) (rig, *target, *feed) {
	t.Helper()
	rules := compiledRules(t, []destination.Spec{spec("prod", "main")}, r)
	d := rig{New(FromDynamic(newGatedAPI()), nil, out, opts)}
	d.reader.match.Store(newMatcher(rules.ruleSet, nil))
	d.ledger.adopted = rules
	d.ledger.desired.Store(rules)
	to := d.target(t, rules, "prod")
	s := d.feed("configmaps", "")
	d.ledger.cover(s, map[*target]reach{to: {everywhere: false}})
	to.settled()
	return d, to, s
}

// loaded has f read an object.
func loaded(obj *unstructured.Unstructured, f func(*object)) {
	if err := withLoaded(obj.Object, func(o *object) error { f(o); return nil }); err != nil {
		panic(err) // tests make objects of JSON
	}
}

// read returns an object that stays.
func read(t *testing.T, obj *unstructured.Unstructured) *object {
	t.Helper()
	return lasting(obj)
}

func lasting(obj *unstructured.Unstructured) *object {
	o := &object{}
	if err := o.doc.Load(obj.Object); err != nil {
		panic(err) // tests make objects of JSON
	}
	o.identify()
	return o
}

func nameOf(obj *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// target adds a target of some rules.
func (d rig) target(t *testing.T, of *rules, name string) *target {
	t.Helper()
	prod, ok := of.set.Get(ref(name))
	require.True(t, ok)
	to := d.ledger.newTarget(prod)
	to.backfilling = true
	to.settled()
	return to
}

// feed adds a feed that nobody waits for.
func (d rig) feed(resource, namespace string, targets ...*target) *feed {
	of := ruleset.Type{Version: "v1", Resource: resource, Kind: map[string]string{"configmaps": "ConfigMap", "services": "Service"}[resource], Namespaced: true}
	s := d.ledger.newFeed(of, namespace)
	s.asked = 0
	d.ledger.feeds[s.key()] = s
	reaches := map[*target]reach{}
	for _, to := range targets {
		if namespace == "" {
			namespace = everywhere
		}
		reaches[to] = reach{namespace: true}
	}
	d.ledger.cover(s, reaches)
	for _, to := range targets {
		to.settled()
	}
	return s
}

// keyed returns the key of a ConfigMap in the namespace default.
func (d rig) keyed(s *feed, name string) objectKey {
	return objectKey{d.ledger.typeOf(s.of), types.NamespacedName{Namespace: "default", Name: name}}
}

func (d rig) object(ctx context.Context, s *feed, obj *unstructured.Unstructured, how arrival) {
	loaded(obj, func(o *object) { feedHandler{d.Watcher, s}.upsert(ctx, o, how) })
}

func (d rig) deleted(ctx context.Context, s *feed, obj *unstructured.Unstructured, how arrival) {
	loaded(obj, func(o *object) { feedHandler{d.Watcher, s}.delete(ctx, o, how) })
}

func (d rig) begin(s *feed) listing { return feedHandler{d.Watcher, s}.began() }

// completed completes the listing of everything that began last.
func (d rig) completed(ctx context.Context, s *feed) {
	d.listed(ctx, s, listing{everywhere, s.begun})
}

func (d rig) listed(ctx context.Context, s *feed, li listing) {
	feedHandler{d.Watcher, s}.listed(ctx, li)
}

// relists reports whether everything is to be listed again.
func (d rig) relists(s *feed) bool {
	everything, _ := feedHandler{d.Watcher, s}.due()
	return everything
}

func (d rig) failed(s *feed, err error) { feedHandler{d.Watcher, s}.failed(err) }

func (d rig) now() uint64 { return d.moment() }

// offer does what a backfill does that has fetched an object, and reports whether the target had
// room for it.
func (d rig) offer(ctx context.Context, to *target, s *feed, obj *unstructured.Unstructured, asked uint64) bool {
	var f fetched
	var wanted bool
	loaded(obj, func(o *object) { f, wanted = d.readWanted(ctx, s, o) })
	return !wanted || !slices.Contains(d.ledger.fetched(s, f, asked), to)
}

// backfills has a walk serve a target.
func (d rig) backfills(ctx context.Context, to *target, s *feed) error {
	var group sync.WaitGroup
	defer group.Wait()
	return backfill{d.Watcher, to, &group}.join(ctx, round{from: s, waiting: to.backlog.count})
}

// settled says that the seed of a target is over.
func (to *target) settled() { to.offered, to.compared, to.sweepDue = to.asked, to.asked, false }

func (d rig) snapshot(t *testing.T, to *target, f func(event.Snapshot)) {
	t.Helper()
	require.NoError(t, inventory{d.Watcher, to, d.ledger.clock}.View(func(s event.Snapshot) error { f(s); return nil }))
}

// sweepable returns the collections of a target that may be swept.
func (d rig) sweepable(t *testing.T, to *target) (collections []event.Collection) {
	t.Helper()
	d.snapshot(t, to, func(s event.Snapshot) { collections = s.Collections() })
	return collections
}

func (d rig) setRules(rs *ruleset.RuleSet) { d.reader.match.Store(newMatcher(rs, nil)) }
