package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// desk turns what streams deliver into ledger entries and events.
type desk struct {
	ledger *ledger
	match  atomic.Pointer[matcher]
	out    queue.Producer
	opts   *Options
	rights chan<- struct{} // told when a stream is refused, or allowed what it was refused
}

// matcher is what objects are matched by. It is replaced, never changed, while the ledger's mu is held. Objects of which the
// old and the new one say different things (RuleSet.Changed) are matched again, all by a stream that starts after that, or
// those of single namespaces by one that goes on; until then, what the stream knows of them is outdated.
type matcher struct {
	rules      *ruleset.RuleSet
	namespaces *namespaces // nil if no rule looks at the labels of namespaces
}

// change is one object on its way to the destinations that want it.
type change struct {
	resource  event.Resource
	content   []byte // nil if refused
	refused   error
	operation event.Operation
	matches   []ruleset.Match // whose object it is; one without Writes does not want this change of it
	author    event.Author
	listed    bool
}

func (d *desk) begin(s *stream) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	s.complete = false
	s.begun = d.ledger.clock
	s.updating = slices.Collect(maps.Keys(s.outdated))
}

func (d *desk) object(ctx context.Context, s *stream, obj *unstructured.Unstructured, how arrival) {
	if obj.GetDeletionTimestamp() != nil {
		d.deleted(ctx, s, obj, how)
		return
	}
	c := d.read(ctx, s.watch.Resource, obj, how)
	l := d.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	tl := l.typeOf(s.watch.Resource)
	name := c.resource.NamespacedName()
	key := objectKey{tl, name}
	old := tl.entries[name]
	e := entry{hash: l.hash(c.content), seen: l.clock, claims: l.claim(tl, c.matches)}
	if slices.ContainsFunc(c.matches, func(m ruleset.Match) bool { return m.Err != nil }) {
		e.hash = 0 // what a Condition could not decide, an update may decide that leaves the content as it is
	}
	if len(e.claims.list) > 0 {
		tl.put(name, e)
	} else {
		tl.remove(name)
	}
	d.leave(s, key, old.claims, e.claims, c.author)
	for _, m := range c.matches {
		to := l.target(m.Destination)
		if old.claims.have(to) && old.hash == e.hash && m.Err == nil && !(how == listed && s.resends(to)) {
			continue
		}
		d.write(to, key, c, m)
	}
}

// read does all the work on an object that needs no lock: it is matched, sanitised and encoded once for all destinations.
func (d *desk) read(ctx context.Context, t ruleset.Type, obj *unstructured.Unstructured, how arrival) change {
	c := change{
		resource:  resource(t, obj.GetNamespace(), obj.GetName()),
		operation: event.Update,
		listed:    how == listed,
	}
	if how == added {
		c.operation = event.Create
	}
	by := d.match.Load()
	input := ruleset.NewInput(t, obj, by.namespaces.labels(ctx, obj.GetNamespace()))
	if how != listed { // a listing cannot tell who made which change
		input.Managers, _ = ruleset.LastManagers(obj)
	}
	if c.matches = by.rules.Match(input); len(c.matches) == 0 {
		return c
	}
	if d.opts.Attribute != nil && how != listed {
		c.author = d.opts.Attribute(ctx, obj, c.operation)
	}
	if c.refused = mismatch(t, obj); c.refused == nil {
		c.content, c.refused = event.Content(obj, d.opts.eventOptions())
	}
	return c
}

// ErrMismatch is matched by the error for an object that is of another kind or version than the type that the server
// was asked for. An aggregated API server may show a Secret as something else: what it is called decides
// whether it is encrypted, so it is refused.
var ErrMismatch = errors.New("source: the object is not of the type that was asked for")

func mismatch(t ruleset.Type, obj *unstructured.Unstructured) error {
	want := schema.GroupVersionKind{Group: t.Group, Version: t.Version, Kind: t.Kind}
	if got := obj.GroupVersionKind(); got != want {
		return fmt.Errorf("%w: it says %s, the type is %s", ErrMismatch, quote.Name(got.Kind+"."+got.GroupVersion().String()), want.Kind+"."+want.GroupVersion().String())
	}
	return nil
}

func resource(t ruleset.Type, namespace, name string) event.Resource {
	return event.Resource{
		ID:      event.ID{Group: t.Group, Resource: t.Resource, Namespace: namespace, Name: name},
		Version: t.Version,
		Kind:    t.Kind,
	}
}

// write offers one event to the line of a target. The caller holds mu.
func (d *desk) write(to *target, key objectKey, c change, m ruleset.Match) {
	if to == nil {
		return
	}
	if !m.Writes {
		if m.Err != nil {
			d.refuse(to, key, m.Err)
		}
		return
	}
	if c.refused != nil {
		d.refuse(to, key, c.refused)
		return
	}
	delete(to.refused, c.resource.ID)
	// A delete that found no room, and a create after it: written with Always, the content is right all the same. A rule
	// with only CREATE would find the old file and leave it, so the delete has to go first.
	if _, deleted := to.backlog.has(key); m.Precondition != event.Always && deleted {
		d.send(to, key, deletion(to, key, c.author))
		if waits, _ := to.backlog.has(key); waits {
			return
		}
	}
	d.send(to, key, event.Event{
		Destination:  to.destination,
		Operation:    c.operation,
		Resource:     c.resource,
		Content:      c.content,
		Precondition: m.Precondition,
		Listed:       c.listed,
		Author:       c.author,
		Time:         time.Now(),
	})
}

// maxRefused bounds what is remembered of refused objects for each destination.
const maxRefused = 100

func (d *desk) refuse(to *target, key objectKey, err error) {
	to.backlog.remove(key)
	if to.refused == nil {
		to.refused = map[event.ID]error{}
	}
	if id := key.id(); len(to.refused) < maxRefused {
		to.refused[id] = err
		d.opts.Logger.V(1).Info("object refused", "destination", to.destination.Ref, "object", id.String(), "reason", err.Error())
	}
}

// send offers an event; one that finds no room is marked, and its object is fetched again when there is room. The caller
// holds mu.
func (d *desk) send(to *target, key objectKey, e event.Event) {
	if to.gone {
		return
	}
	err := d.out.TryAdd(e)
	switch {
	case err == nil:
		to.backlog.remove(key)
	case errors.Is(err, queue.ErrFull), errors.Is(err, queue.ErrShutdown):
		to.backlog.add(key, e.Operation == event.Delete)
		d.ledger.wake(to)
	default:
		d.refuse(to, key, err)
	}
}

func (d *desk) deleted(ctx context.Context, s *stream, obj *unstructured.Unstructured, how arrival) {
	var author event.Author
	if d.opts.Attribute != nil && how != listed {
		author = d.opts.Attribute(ctx, obj, event.Delete)
	}
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	d.ledger.clock++
	tl := d.ledger.typeOf(s.watch.Resource)
	d.remove(s, objectKey{tl, types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}}, author)
}

// remove takes an object out of the ledger and tells those who claimed it. The caller holds mu.
func (d *desk) remove(s *stream, key objectKey, author event.Author) {
	old := key.of.entries[key.name]
	key.of.remove(key.name)
	d.leave(s, key, old.claims, nil, author)
}

// leave sends deletes to the targets that claimed an object and do so no more. A target whose rules do not cover the type
// and namespace any more is not told: what no rule covers stays as it is. The caller holds mu.
func (d *desk) leave(s *stream, key objectKey, old, current *claims, author event.Author) {
	if old == current || old == nil {
		return
	}
	for _, c := range old.list {
		if current.have(c.to) {
			continue
		}
		c.to.backlog.remove(key)
		delete(c.to.refused, key.id())
		if c.delete && s.covers(c.to.destination, key.id()) {
			d.send(c.to, key, deletion(c.to, key, author))
		}
	}
}

func deletion(to *target, key objectKey, author event.Author) event.Event {
	t := key.of.resource
	return event.Event{
		Destination: to.destination,
		Operation:   event.Delete,
		Resource:    resource(t, key.name.Namespace, key.name.Name),
		Author:      author,
		Time:        time.Now(),
	}
}

func (s *stream) covers(to destination.Destination, id event.ID) bool {
	for _, c := range s.watch.Coverage {
		if c.Destination == to && c.Collection.Contains(id) {
			return true
		}
	}
	return false
}

func (d *desk) completed(ctx context.Context, s *stream) {
	author := d.unseen(ctx)
	l := d.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.doubted() {
		return // what it lacks may live, after a rewind that was found meanwhile; it is begun anew
	}
	tl := l.typeOf(s.watch.Resource)
	scope := s.scope()
	for name, e := range tl.entries {
		if key := (objectKey{tl, name}); e.seen <= s.begun && scope.Contains(key.id()) {
			d.remove(s, key, author)
		}
	}
	s.complete, s.err = true, nil
	s.resent()
	l.updated(s, s.updating...)
	d.settle(s)
	for _, c := range s.watch.Coverage {
		if to := l.target(c.Destination); to != nil {
			to.stuck = 0
			d.sync(to)
		}
	}
}

func (d *desk) outdated(s *stream) (namespaces []string, since uint64) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	s.updating = slices.Sorted(maps.Keys(s.outdated))
	return slices.Clone(s.updating), d.ledger.clock
}

func (d *desk) relisted(ctx context.Context, s *stream, namespace string, since uint64) {
	author := d.unseen(ctx)
	l := d.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.doubted() {
		return
	}
	tl := l.typeOf(s.watch.Resource)
	for name, e := range tl.entries {
		if name.Namespace == namespace && e.seen <= since {
			d.remove(s, objectKey{tl, name}, author)
		}
	}
	if slices.Contains(s.updating, namespace) { // else it was outdated again meanwhile, and is listed once more
		l.updated(s, namespace)
	}
	for _, c := range s.watch.Coverage {
		if to := l.target(c.Destination); to != nil && within(c, namespace) {
			d.sync(to)
		}
	}
}

func (d *desk) allowed(s *stream) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	s.open = true
	signal(d.rights)
}

// unseen is who deleted an object that was gone when it was looked for.
func (d *desk) unseen(ctx context.Context) event.Author {
	if d.opts.Attribute == nil {
		return event.Author{}
	}
	return d.opts.Attribute(ctx, nil, event.Delete)
}

func (d *desk) failed(s *stream, err error) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	s.err = err
	if !transient(err) {
		s.complete = false
	}
	if !s.complete { // nothing of it is swept before everything is listed, so nobody waits for single namespaces
		d.ledger.updated(s, slices.Collect(maps.Keys(s.outdated))...)
	}
	if s.refused() && !s.probing {
		signal(d.rights)
	}
	d.opts.Logger.V(1).Info("stream failed, trying again",
		"resource", s.groupResource().String(), "namespace", s.watch.Namespace, "reason", err.Error())
	d.settle(s)
}

// settle counts the end of a stream's first listing, good or bad. The caller holds mu.
func (d *desk) settle(s *stream) {
	if s.settled {
		return
	}
	s.settled = true
	for _, c := range s.watch.Coverage {
		if to := d.ledger.target(c.Destination); to != nil {
			to.unsettled--
			if to.unsettled == 0 {
				d.sync(to)
			}
		}
	}
}

// sync asks for a SeedSync of a target, once all its streams have settled: one commit for a seed of many types. The caller
// holds mu.
func (d *desk) sync(to *target) {
	to.syncDue = true
	d.ledger.wakeIfHungry(to)
}
