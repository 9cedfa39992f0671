package source

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// change is one object on its way to the destinations that want it.
type change struct {
	resource  event.Resource
	forms     []form // what its files are to hold: one, unless some leave out more than others
	refused   error  // why no destination gets it; it has no forms then
	encrypts  bool   // there is an Encryptor
	operation event.Operation
	// Whose object it is; one without Writes does not want this change of it.
	matches []ruleset.Match
	// The same as a listing would have them, which does not know who made the change.
	standing []ruleset.Match
	author   event.Author
	listed   bool
	by       *matcher // says all this

	sketch
}

// form is what the files of those destinations are to hold that leave out the same.
type form struct {
	ignored *event.Ignored
	digest  event.Digest
	content *event.Content // nil: it is not encoded
}

// formOf returns what the file of a destination is to hold.
func (c *change) formOf(m *ruleset.Match) form {
	for _, f := range c.forms {
		if f.ignored == m.Ignored {
			return f
		}
	}
	return form{}
}

// refusal returns why a destination cannot have the object; nil if it can.
func (c *change) refusal(m *ruleset.Match) error {
	if c.refused == nil && m.Sensitive != nil && !c.encrypts {
		return errNoEncryptor
	}
	return c.refused
}

var errNoEncryptor = fmt.Errorf("%w: set an Encryptor", event.ErrSensitive)

// digestOf returns the digest of what the file of a destination is to hold. What a Condition could
// not decide, an update may decide that leaves the content as it is, so it is unknown then.
func (c *change) digestOf(m *ruleset.Match) event.Digest {
	switch {
	case m.Err != nil:
		return unknown
	case c.refusal(m) != nil:
		return refused
	default:
		return c.formOf(m).digest
	}
}

// digestFor is digestOf for a destination, unknown if that does not want the object.
func (c *change) digestFor(d destination.Destination) event.Digest {
	for i := range c.matches {
		if c.matches[i].Destination == d {
			return c.digestOf(&c.matches[i])
		}
	}
	return unknown
}

// arrival says how a reflector learnt of an object.
type arrival int

const (
	listed arrival = iota
	added
	modified
	removed
)

// deliver takes an object that was read to the ledger. Of a change that is not encoded it first
// asks whether there is nothing to write: nobody encodes while the ledger waits. If the rules are
// others by then, the object is read once more: what they call sensitive must not go out in plain.
func (r *reader) deliver(ctx context.Context, c change, obj *object, how arrival, f *feed, update func(func(*ledger))) {
	for {
		stale, quiet := false, false
		take := func(ask func(l *ledger) bool) {
			update(func(l *ledger) {
				if stale = r.match.Load() != c.by; !stale {
					quiet = ask(l)
				}
			})
		}
		if c.unencoded() {
			if take(func(l *ledger) bool { return l.unchanged(f, &c) }); quiet {
				return
			}
			c.encode()
		}
		if take(func(l *ledger) bool { return l.upsert(f, c) }); !stale {
			if quiet {
				c.remember()
			}
			return
		}
		c = r.read(ctx, f.of, obj, how)
	}
}

// unchanged reports whether those who want a living object have it so, and all that they are to it
// is what it was, and takes note that it was seen.
func (l *ledger) unchanged(f *feed, c *change) bool { return l.weigh(f, c).same() }

// weighed is what an object is to the ledger, and what a change makes of it.
type weighed struct {
	key     objectKey
	old     known
	owners  *owners
	digests []event.Digest
	seen    uint64
	certain bool // no Condition has failed
}

func (l *ledger) weigh(f *feed, c *change) weighed {
	w := weighed{key: objectKey{l.typeOf(f.of), c.resource.NamespacedName()}, seen: l.tick()}
	w.old = w.key.known()
	w.owners, w.digests = l.ownersOf(w.key.of, c)
	w.certain = !slices.ContainsFunc(c.matches, func(m ruleset.Match) bool { return m.Err != nil })
	return w
}

// same reports whether the change changes nothing, and takes note then that the object was seen.
func (w weighed) same() bool {
	if w.old.owners != w.owners || len(w.owners.list) == 0 || !w.certain || !w.old.digestsAre(w.digests) {
		return false
	}
	w.old.seen = w.seen
	w.key.of.entries[w.key.name] = w.old.entry
	return true
}

// upsert takes note of a living object, and sends it to those who want it and do not have it so.
// Who wants it first because of a listing may have the file already: the SeedSync that follows each
// listing compares. It reports whether nothing is different from before.
func (l *ledger) upsert(f *feed, c change) (quiet bool) {
	w := l.weigh(f, &c)
	if w.same() {
		return true
	}
	key, old, owners := w.key, w.old, w.owners
	if len(owners.list) > 0 {
		key.of.put(key.name, entry{digest: w.digests[0], seen: w.seen, owners: owners}, w.digests[1:]...)
	} else {
		key.of.remove(key.name)
	}
	l.disown(f, key, old.owners, owners, c.author)
	for i := range c.matches {
		m := &c.matches[i]
		to := l.target(m.Destination)
		was, had := old.owners.find(to)
		switch {
		case to == nil, had && old.digest(was) == c.digestOf(m) && was.sensitive.Same(m.Sensitive) && m.Err == nil:
		case c.listed && !had && c.refusal(m) == nil && m.Writes: // the SeedSync compares
			own, _ := owners.find(to)
			l.kept.add(key, own.variant, c.formOf(m).content)
		default:
			l.write(to, key, &c, m)
		}
	}
	return false
}

// write sends one object to a target.
func (l *ledger) write(to *target, key objectKey, c *change, m *ruleset.Match) {
	if !m.Writes {
		if m.Err != nil {
			l.refuse(to, key, m.Err)
		}
		return
	}
	if err := c.refusal(m); err != nil {
		l.refuse(to, key, err)
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
		Content:      c.formOf(m).content,
		Sensitive:    m.Sensitive,
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
