package source

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The same is checked of the ledger alone, without a goroutine. Reflectors, backfills and the
// planner are values here, and each call into the ledger is a step of its own, also between the
// reading of an object and its upsert. That is many times quicker, and comes to orders that
// goroutines hardly ever run in.
func TestWhateverTheOrderOfCallsTheLedgerLosesNoFile(t *testing.T) {
	t.Parallel()
	schedules := testsize.Sizes{Short: 100, Usual: 200, Long: 2000, Soak: 200_000}.Pick()
	if testsize.Repeats() {
		schedules = 1
	}
	first := testsize.Seed(t)
	for i := range uint64(schedules) {
		c := newCore(t, first+i)
		c.run(150)
		if t.Failed() {
			return
		}
	}
}

// core is one interleaving of calls into a ledger.
type core struct {
	*schedule
	l      *ledger
	reader *reader
	wide   int // namespaces, from which on they share one watch
	time   time.Time

	reflectors map[*feed]*coreReflector
	labels     *coreReflector
	names      *namespaces
	moved      chan struct{}
	backfills  map[*target]*coreBackfill
	discovers  bool // the planner waits for discovery
}

func newCore(t *testing.T, seed uint64) *core {
	c := &core{
		schedule: newModel(t, seed), time: time.Unix(1e9, 0),
		reflectors: map[*feed]*coreReflector{}, backfills: map[*target]*coreBackfill{}, moved: make(chan struct{}, 1),
	}
	c.say("KUBESCRIBE_SEED=%d", seed)
	c.system, c.current = c, func() bool { return c.l.adopted == c.l.desired.Load() }
	c.wide = c.chance.IntN(2) + 1
	c.reader = &reader{opts: (&Options{Encryptor: sealing{}}).withDefaults()}
	c.l = newLedger(c.enqueue)
	c.l.now = func() time.Time { return c.time }
	c.l.inventory = func(to *target, at uint64) event.Inventory { return coreInventory{c.l, to, at} }
	return c
}

type coreInventory struct {
	l  *ledger
	to *target
	at uint64
}

func (i coreInventory) View(f func(event.Snapshot) error) error {
	return f(&snapshot{ledger: i.l, to: i.to, at: i.at})
}

func (i coreInventory) Landed(seen event.Snapshot) {
	i.l.landed(i.to, i.at, seen.(*snapshot).swept)
}

func (c *core) SetRules(set destination.Set, rs *ruleset.RuleSet) {
	c.l.desired.Store(&rules{set, rs})
}

func (c *core) Resync(ref destination.Ref) error {
	if to := c.l.targets[ref]; to != nil {
		c.l.resync(to)
	}
	return nil
}

func (c *core) Sweep(ref destination.Ref) error {
	if to := c.l.targets[ref]; to != nil {
		c.l.ask(to)
	}
	return nil
}

func (c *core) Status(ref destination.Ref) (DestinationStatus, bool) {
	to := c.l.targets[ref]
	if to == nil {
		return DestinationStatus{}, false
	}
	return c.l.status(to), true
}

func (c *core) run(steps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeRules()
	for range steps {
		c.check()
		c.step++
		if c.chance.IntN(3) == 0 {
			c.act()
		} else {
			c.move(true)
		}
		c.account()
	}
	c.settle()
	c.check()
}

// act does what schedule does, but for what only its Watcher has.
func (c *core) act() {
	switch n := c.chance.IntN(100); {
	case n < 30:
		c.write()
	case n < 38:
		c.label(pick(c.chance, scheduleNamespaces))
	case n < 46:
		c.changeRules()
	case n < 66:
		c.tell()
	case n < 72:
		c.expire()
	case n < 74:
		// A restore takes longer than a goroutine needs for what it has read.
		for _, r := range c.reflectors {
			r.release()
		}
		for _, b := range c.backfills {
			b.release()
		}
		c.rewind()
		c.time = c.time.Add(time.Second)
	case n < 76:
		c.say("Resync")
		c.resync(pick(c.chance, []string{"p", "q"}))
	case n < 79:
		c.disturb()
	case n < 95:
		c.take()
	default:
		c.time = c.time.Add(time.Duration(c.chance.IntN(60)) * time.Second)
		c.l.hurrySeeds()
	}
}

// move takes one step of one of those that call the ledger. It returns false if nobody had one.
func (c *core) move(faults bool) bool {
	var can []func() bool
	add := func(f func() bool) { can = append(can, f) }
	add(func() bool { return c.plan(faults) })
	for _, r := range c.sorted() {
		add(func() bool { return r.move(faults) })
	}
	for _, to := range slices.SortedFunc(maps.Keys(c.backfills), func(a, b *target) int { return int(a.number) - int(b.number) }) {
		add(func() bool { return c.backfills[to].move(faults) })
	}
	c.chance.Shuffle(len(can), func(i, j int) { can[i], can[j] = can[j], can[i] })
	for _, f := range can {
		if f() {
			c.l.poked = c.l.poked[:0]
			return true
		}
	}
	return false
}

func (c *core) sorted() []*coreReflector {
	var all []*coreReflector
	if c.labels != nil {
		all = append(all, c.labels)
	}
	if c.names == nil || ready(c.names.ready) {
		all = append(all, slices.SortedFunc(maps.Values(c.reflectors), func(a, b *coreReflector) int { return a.number - b.number })...)
	}
	return all
}

// plan is a step of the planner.
func (c *core) plan(faults bool) bool {
	switch {
	case c.discovers:
		if c.discovers = faults && c.chance.IntN(8) == 0; c.discovers {
			c.say("discovery fails")
			c.l.served = nil
		} else {
			c.discover()
		}
	case c.l.desired.Load() != c.l.adopted:
		c.adopt()
	case len(c.moved) > 0:
		<-c.moved
		c.say("labels have moved objects")
		c.l.relabel(c.reader.match.Load().rules, c.names.take())
	case len(c.l.pending) > 0:
		for _, to := range c.l.takePending() {
			c.backfills[to] = &coreBackfill{core: c, to: to}
		}
	case c.l.accessChanged:
		c.l.accessChanged, c.discovers = false, true
	case c.l.rewound:
		c.l.rewound = false
		c.l.nextEra()
	case len(c.l.gaps) > 0 && (!faults || c.chance.IntN(4) == 0):
		for of := range c.l.gaps {
			c.say("a probe is allowed")
			c.l.probed(of, nil)
		}
	case faults && c.chance.IntN(20) == 0:
		c.l.relistMissing()
		c.discovers = true
	default:
		return false
	}
	return true
}

func (c *core) adopt() {
	next := c.l.desired.Load()
	c.say("the rules are adopted")
	for _, b := range c.backfills {
		b.end()
	}
	stop, stale := c.l.changed(next)
	c.stop(stop)
	if !next.ruleSet.Compiled().SelectsNamespaces() {
		if c.labels != nil {
			c.labels.end()
			c.names.release()
		}
		c.labels, c.names, c.l.labels = nil, nil, nil
	} else if c.labels == nil {
		c.names = newNamespaces(dynamicCollection{presentAPI{api: c.api, core: c}}, c.moved)
		c.l.labels = c.l.newFeed(namespaceType, "")
		c.labels = &coreReflector{core: c, f: c.l.labels, labels: c.names}
	}
	c.reader.match.Store(newMatcher(next.ruleSet, c.names))
	for _, d := range c.l.adopt(next, stale) {
		c.waiting = slices.DeleteFunc(c.waiting, func(e queued) bool { return e.Destination == d })
	}
	c.discovers = true
}

func (c *core) stop(feeds []*feed) {
	for _, f := range feeds {
		c.reflectors[f].end()
		delete(c.reflectors, f)
	}
	c.l.stop(feeds...)
}

func (c *core) discover() {
	groups, lists, _ := c.api.ServerGroupsAndResources()
	watches, _ := c.l.adopted.ruleSet.Watches(ruleset.Served{Groups: groups, Resources: lists})
	p := c.l.plan(watches, servedTypes(lists, nil), func(n int) bool { return n >= c.wide })
	obsolete := c.l.obsolete(p)
	c.stop(obsolete)
	for _, f := range c.l.observe(p, len(obsolete) > 0) {
		c.reflectors[f] = &coreReflector{core: c, f: f, number: c.step}
		c.say("a reflector of %q", f.namespace)
	}
}

// presentAPI answers at once, or not at all.
type presentAPI struct {
	dynamic.ResourceInterface
	api  *gatedAPI
	core *core
}

func (p presentAPI) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	for _, ns := range p.api.state("namespaces", "", p.api.version) {
		if ns.GetName() == name && p.core.chance.IntN(4) > 0 {
			return &ns, nil
		}
	}
	return nil, errBroken
}

// coreReflector is a reflector without a goroutine: what it does next is a value.
type coreReflector struct {
	*core
	f      *feed
	labels *namespaces // if it is their reflector
	number int

	q        *gatedRequest
	then     func(*gatedRequest)
	held     []func() // what was read and is not in the ledger yet
	w        *gatedWatch
	version  string
	newest   string
	listedAt map[string]string
}

func (r *coreReflector) ask(verb, ns string, opts metav1.ListOptions, then func(*gatedRequest)) {
	r.q = &gatedRequest{ctx: context.Background(), verb: verb, resource: r.f.of.Resource, ns: ns, options: opts, done: make(chan struct{})}
	r.then = then
}

// end has the reflector end as its goroutine would: what it has read goes to the ledger.
func (r *coreReflector) end() {
	r.release()
	if r.w != nil {
		r.w.over.Store(true)
	}
}

func (r *coreReflector) release() {
	for _, f := range r.held {
		f()
	}
	r.held = nil
}

func (r *coreReflector) move(faults bool) bool {
	switch {
	case len(r.held) > 0:
		r.release()
	case r.q != nil:
		q := r.q
		r.q = nil
		var err error
		if faults && r.chance.IntN(12) == 0 {
			err = pick(r.chance, []error{
				apierrors.NewForbidden(schema.GroupResource{Resource: q.resource}, "", nil), errBroken, apierrors.NewResourceExpired("too old"),
			})
		}
		r.say("reflector %q %s %s/%s %s: %v", r.f.namespace, q.verb, q.resource, q.ns, q.options.Continue, err)
		r.api.answer(q, err)
		if q.err != nil {
			r.failed(q.err)
			return true
		}
		r.then(q)
	case r.w == nil:
		r.list()
	case r.chance.IntN(2) == 0 && r.relist():
	default:
		return r.hear() || r.relist()
	}
	return true
}

// list lists everything, and then opens a watch.
func (r *coreReflector) list() {
	r.w, r.listedAt = nil, map[string]string{}
	li := r.l.began(r.f)
	r.page(r.f.namespace, "", func(version string) {
		if r.compare(version) {
			r.listed(li)
			r.version = version
			r.open()
		}
	})
}

func (r *coreReflector) page(ns, token string, then func(version string)) {
	r.ask("list", ns, metav1.ListOptions{Limit: 1, Continue: token}, func(q *gatedRequest) {
		for i := range q.list.Items {
			r.upsert(&q.list.Items[i], listed)
		}
		done := func() {
			if next := q.list.GetContinue(); next != "" {
				r.page(ns, next, then)
			} else {
				then(q.list.GetResourceVersion())
			}
		}
		if len(r.held) == 0 {
			done()
		} else {
			r.held = append(r.held, done)
		}
	})
}

// compare reports whether the server's clock has not gone back.
func (r *coreReflector) compare(version string) bool {
	if older(version, r.newest) {
		r.failed(errWentBack)
		return false
	}
	if r.newest == "" || older(r.newest, version) {
		r.newest = version
	}
	return true
}

// open opens a watch, and asks for the server's clock then.
func (r *coreReflector) open() {
	if everything, _ := r.l.due(r.f); everything {
		r.w = nil
		return
	}
	r.ask("watch", r.f.namespace, metav1.ListOptions{ResourceVersion: r.version}, func(q *gatedRequest) {
		r.w = q.watch
		r.ask("list", r.f.namespace, metav1.ListOptions{Limit: 1, FieldSelector: "x"}, func(q *gatedRequest) {
			r.compare(q.list.GetResourceVersion())
		})
	})
}

// relist lists what is due while the watch is open. It reports whether something was.
func (r *coreReflector) relist() bool {
	everything, single := r.l.due(r.f)
	if everything {
		r.failed(&startOver{errRelist})
		return true
	}
	if len(single) == 0 {
		return false
	}
	li := single[0]
	r.page(li.namespace, "", func(version string) {
		if r.compare(version) {
			r.listed(li)
			r.listedAt[li.namespace] = version
		}
	})
	return true
}

// hear takes what the watch says next.
func (r *coreReflector) hear() bool {
	var e apiwatch.Event
	select {
	case next, ok := <-r.w.events:
		if !ok {
			r.open()
			return true
		}
		e = next
	default:
		return false
	}
	obj, ok := e.Object.(*unstructured.Unstructured)
	if !ok {
		r.failed(apierrors.FromObject(e.Object))
		return true
	}
	r.api.hear()
	// Also if the watch is over.
	r.api.told[r.f.of.Resource+"/"+obj.GetNamespace()+"/"+obj.GetName()] = stateOf(obj)
	if older(obj.GetResourceVersion(), r.version) {
		r.failed(errWentBack)
		return true
	}
	how := map[apiwatch.EventType]arrival{apiwatch.Added: added, apiwatch.Modified: modified, apiwatch.Deleted: removed}[e.Type]
	if at, ok := r.listedAt[obj.GetNamespace()]; !ok || older(at, obj.GetResourceVersion()) {
		delete(r.listedAt, obj.GetNamespace())
		r.upsert(obj, how)
	}
	r.version = obj.GetResourceVersion()
	if r.newest == "" || older(r.newest, r.version) {
		r.newest = r.version
	}
	return true
}

// upsert reads an object, and takes it to the ledger at once or later.
func (r *coreReflector) upsert(obj *unstructured.Unstructured, how arrival) {
	var tell func()
	switch {
	case r.labels != nil && how == removed:
		loaded(obj, r.labels.delete)
		return
	case r.labels != nil:
		loaded(obj, func(o *object) { r.labels.upsert(o, how) })
		return
	case how == removed:
		tell = func() { r.l.delete(r.f, nameOf(obj), event.Author{}) }
	default:
		o := lasting(obj)
		c := r.reader.read(context.Background(), r.f.of, o, how)
		tell = func() {
			r.reader.deliver(context.Background(), c, o, how, r.f, func(f func(*ledger)) { f(r.l) })
		}
	}
	if r.chance.IntN(2) == 0 {
		tell()
		return
	}
	told := "configmaps/" + obj.GetNamespace() + "/" + obj.GetName()
	r.api.told[told] = 0 // until it is in the ledger, nobody has been told
	r.held = append(r.held, func() {
		tell()
		r.api.told[told] = stateOf(obj)
	})
}

func (r *coreReflector) listed(li listing) {
	if r.labels != nil {
		r.labels.release()
		return
	}
	r.l.listed(r.f, li, event.Author{})
}

// failed does what a reflector does after an error.
func (r *coreReflector) failed(err error) {
	r.say("reflector %q fails: %v", r.f.namespace, err)
	watching := r.w != nil
	switch {
	case wentBack(err):
		r.newest = ""
		r.l.failed(r.f, err)
	case !gone(err):
		r.l.failed(r.f, err)
	}
	if watching && transient(err) {
		r.open()
		return
	}
	if r.w != nil {
		r.w.over.Store(true)
	}
	r.w = nil
}

// coreBackfill is a backfill without a goroutine.
type coreBackfill struct {
	*core
	to    *target
	r     round
	asked uint64
	q     *gatedRequest
	held  []func()
}

func (b *coreBackfill) release() {
	for _, f := range b.held {
		f()
	}
	b.held = nil
}

func (b *coreBackfill) end() {
	b.release()
	delete(b.backfills, b.to)
	b.l.backfilled(b.to)
}

func (b *coreBackfill) move(faults bool) bool {
	full := b.room >= 0 && len(b.waiting) >= b.room
	switch {
	case len(b.held) > 0:
		b.release()
	case b.q != nil:
		b.answered(faults)
	case full:
		return false
	case !b.to.needsBackfill():
		b.end()
	default:
		b.r = b.l.next(b.to)
		b.asked = b.l.clock
		switch {
		case b.r.from == nil:
		case b.chance.IntN(2) == 0:
			b.ask("list", b.r.from.namespace, "", metav1.ListOptions{Limit: 1})
		default:
			b.ask("get", b.r.keys[0].name.Namespace, b.r.keys[0].name.Name, metav1.ListOptions{})
		}
	}
	return true
}

func (b *coreBackfill) ask(verb, ns, name string, opts metav1.ListOptions) {
	b.q = &gatedRequest{ctx: context.Background(), verb: verb, resource: "configmaps", ns: ns, name: name, options: opts, done: make(chan struct{})}
}

func (b *coreBackfill) answered(faults bool) {
	q := b.q
	b.q = nil
	var err error
	if faults && b.chance.IntN(12) == 0 {
		err = errBroken
	}
	told := maps.Clone(b.api.told) // only this target hears of it
	b.api.answer(q, err)
	b.api.told = told
	b.say("backfill of %s %s %s/%s: %v", b.to.destination.Ref.Name, q.verb, q.ns, q.name, q.err)
	switch {
	case apierrors.IsNotFound(q.err):
		b.l.notFound(b.to, b.r.keys[0])
	case q.err != nil:
	case q.verb == "get":
		b.fetched(q.object)
	default:
		for i := range q.list.Items {
			b.fetched(&q.list.Items[i])
		}
		if next := q.list.GetContinue(); next != "" {
			b.ask("list", q.ns, "", metav1.ListOptions{Limit: 1, Continue: next})
			return
		}
		b.held = append(b.held, func() { _ = b.l.fetchedAll(b.to, b.r.from, b.r.waiting, b.asked) })
	}
}

func (b *coreBackfill) fetched(obj *unstructured.Unstructured) {
	if !b.l.waits(objectKey{b.l.typeOf(b.r.from.of), nameOf(obj)}) {
		return
	}
	f := fetched{dying: obj.GetDeletionTimestamp() != nil}
	loaded(obj, func(o *object) { f.change = b.reader.read(context.Background(), b.r.from.of, o, listed) })
	b.held = append(b.held, func() { b.l.fetched(b.r.from, f, b.asked) })
}

// settle lets everything come to an end, and compares.
func (c *core) settle() {
	c.room = -1
	for _, w := range c.watches() {
		if w.outlived { // its time is up
			w.over.Store(true)
			close(w.events)
		}
	}
	if !c.exhaust() {
		return
	}
	if c.rewound {
		// A rewind of which nobody could be told, since the versions had come as far again, is for
		// Resync to heal.
		c.say("Resync")
		c.resync("p", "q")
	}
	for c.exhaust() {
		if !c.idle("p") || !c.idle("q") {
			c.fault("it does not come to rest: %+v %+v", c.statusOf("p"), c.statusOf("q"))
			return
		}
		if c.compare(); c.rests == restDisturbed || len(c.faults) > 0 {
			return
		}
		c.rests++
		c.disturbRest()
	}
}

func (c *core) statusOf(to string) DestinationStatus {
	st, _ := c.Status(ref(to))
	return st
}

// exhaust moves until nobody has anything to do.
func (c *core) exhaust() bool {
	for range 100_000 {
		c.step++
		moved := c.move(false)
		for _, w := range c.watches() {
			for _, more := c.api.next(w); more; _, more = c.api.next(w) {
				c.api.deliver(w)
				moved = true
			}
		}
		for len(c.waiting) > 0 {
			c.take()
			moved = true
		}
		c.account()
		if moved {
			continue
		}
		if era := c.l.rewinds.era; c.l.rewinds.owed {
			c.time = c.time.Add(maxEra)
			if c.l.nextEra(); c.l.rewinds.era > era {
				continue
			}
		}
		missing := len(c.l.missing)
		c.time = c.time.Add(missingPause)
		if c.l.relistMissing(); missing > 0 {
			continue
		}
		return true
	}
	c.fault("it goes on for ever: %s", strconv.Quote(c.said[len(c.said)-1]))
	return false
}
