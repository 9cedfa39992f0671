package source

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// change is one object on its way to the destinations that want it.
type change struct {
	resource  event.Resource
	content   *event.Content // nil if refused
	refused   error
	operation event.Operation
	// Whose object it is; one without Writes does not want this change of it.
	matches []ruleset.Match
	// The same as a listing would have them, which does not know who made the change.
	standing []ruleset.Match
	author   event.Author
	listed   bool
}

// digest returns that of the content. What a Condition could not decide, an update may decide that
// leaves the content as it is, so it is unknown then.
func (c change) digest() event.Digest {
	switch {
	case slices.ContainsFunc(c.matches, func(m ruleset.Match) bool { return m.Err != nil }):
		return unknown
	case c.refused != nil:
		return refused
	default:
		return c.content.Digest()
	}
}

// arrival says how a reflector learnt of an object.
type arrival int

const (
	listed arrival = iota
	added
	modified
	removed
)

// upsert takes note of a living object, and sends it to those who want it and do not have it so.
// Who wants it first because of a listing may have the file already: the SeedSync that follows each
// listing compares.
func (l *ledger) upsert(f *feed, c change) {
	seen := l.tick()
	tl := l.typeOf(f.of)
	key := objectKey{tl, c.resource.NamespacedName()}
	old := key.entry()
	e := entry{digest: c.digest(), seen: seen, owners: l.ownersOf(tl, c)}
	if len(e.owners.list) > 0 {
		tl.put(key.name, e)
	} else {
		tl.remove(key.name)
	}
	l.disown(f, key, old.owners, e.owners, c.author)
	for _, m := range c.matches {
		to := l.target(m.Destination)
		switch had := old.owners.have(to); {
		case to == nil, had && old.digest == e.digest && m.Err == nil:
		case c.listed && !had && c.refused == nil && m.Writes: // the SeedSync compares
			l.kept.add(key, c.content)
		default:
			l.write(to, key, c, m)
		}
	}
}

// write sends one object to a target.
func (l *ledger) write(to *target, key objectKey, c change, m ruleset.Match) {
	if !m.Writes {
		if m.Err != nil {
			l.refuse(to, key, m.Err)
		}
		return
	}
	if c.refused != nil {
		l.refuse(to, key, c.refused)
		return
	}
	to.refused.remove(c.resource.ID)
	// A pending Delete may precede this write. With Always the order does not matter; with IfAbsent
	// the old file would block the write, so send the Delete first.
	if _, deleted := to.backlog.has(key); m.Precondition != event.Always && deleted {
		l.send(to, key, l.deletion(to, key, c.author))
		if waits, _ := to.backlog.has(key); waits {
			return
		}
	}
	l.send(to, key, event.Event{
		Destination:  to.destination,
		Operation:    c.operation,
		Resource:     c.resource,
		Content:      c.content,
		Precondition: m.Precondition,
		Listed:       c.listed,
		Author:       c.author,
		Time:         l.now(),
	})
}

// delete takes note that an object is gone.
func (l *ledger) delete(f *feed, name types.NamespacedName, author event.Author) {
	l.tick()
	l.remove(f, objectKey{l.typeOf(f.of), name}, author)
}

// remove takes an object out of the ledger and tells its owners.
func (l *ledger) remove(f *feed, key objectKey, author event.Author) {
	old := key.entry()
	key.of.remove(key.name)
	l.disown(f, key, old.owners, nil, author)
}

// disown sends deletes to the targets that owned an object and do so no more. A target whose rules
// do not cover type and namespace any more is not told: what no rule covers stays as it is.
func (l *ledger) disown(f *feed, key objectKey, old, current *owners, author event.Author) {
	if old == current || old == nil {
		return
	}
	for _, o := range old.list {
		if current.have(o.to) {
			continue
		}
		o.to.backlog.remove(key)
		o.to.refused.remove(key.id())
		if o.delete && f.reach[o.to].has(key.name.Namespace) {
			l.send(o.to, key, l.deletion(o.to, key, author))
		}
	}
}

func (l *ledger) deletion(to *target, key objectKey, author event.Author) event.Event {
	return event.Event{
		Destination: to.destination,
		Operation:   event.Delete,
		Resource:    resourceOf(key.of.resource, key.name),
		Author:      author,
		Time:        l.now(),
	}
}

func resourceOf(t ruleset.Type, name types.NamespacedName) event.Resource {
	return event.Resource{
		ID:      event.ID{Group: t.Group, Resource: t.Resource, Namespace: name.Namespace, Name: name.Name},
		Version: t.Version,
		Kind:    t.Kind,
	}
}
