package source

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
)

// Most updates of a cluster change nothing that a file holds: a status, a heartbeat, the lock of a
// leader. To encode and to hash an object takes many times longer than all else that is done for
// it. So of objects whose last update changed nothing, a keyed hash of what their files are to hold
// is remembered, with the digests. An update with the same hash is not encoded, unless somebody
// wants it all the same.

// The bounds of what is remembered, by number and in bytes. What has no room is encoded.
const (
	maxQuiet    = 8192
	quietBytes  = 2 << 20
	quietBeside = 160 // what one of them costs beside its names and digests
)

// quiet remembers what updates look like that changed nothing, by one generation of the rules.
type quiet struct {
	seed  maphash.Seed
	mu    sync.Mutex
	known map[quietKey]looks
	size  int // of known, in bytes
}

type quietKey struct {
	of   schema.GroupResource
	name types.NamespacedName
}

// looks are those of one object: what its files are to hold, by a hash and by the digests of all
// forms.
type looks struct {
	hash    uint64
	ignored []*event.Ignored
	digests []event.Digest
}

func newQuiet() *quiet { return &quiet{seed: maphash.MakeSeed(), known: map[quietKey]looks{}} }

// recall returns the digests of an object that looks as it did when it changed nothing.
func (q *quiet) recall(key quietKey, hash uint64, ignored []*event.Ignored) ([]event.Digest, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, ok := q.known[key]
	return l.digests, ok && l.hash == hash && slices.Equal(l.ignored, ignored)
}

// add remembers what an object looks like, and forgets others if there is no room.
func (q *quiet) add(key quietKey, l looks) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(key)
	for other := range q.known { // in no order
		if len(q.known) < maxQuiet && q.size+sizeOf(key, l) <= quietBytes {
			break
		}
		q.forget(other)
	}
	q.known[key] = l
	q.size += sizeOf(key, l)
}

func (q *quiet) forget(key quietKey) {
	if l, ok := q.known[key]; ok {
		delete(q.known, key)
		q.size -= sizeOf(key, l)
	}
}

func sizeOf(key quietKey, l looks) int {
	return quietBeside + len(key.name.Namespace) + len(key.name.Name) + len(l.digests)*(len(event.Digest{}.SHA1)+len(event.Digest{}.SHA256)+8)
}

// sketch is what a change can be encoded from.
type sketch struct {
	draft event.Draft
	hash  uint64 // of the draft, if quiet is not nil
	quiet *quiet // would remember it
}

// draw says what the files of a change are to hold: one form for each Ignored of its matches. The
// contents of an update that looks as it did when it changed nothing are not encoded: their digests
// are known.
func (c *change) draw(obj *object, by *matcher, how arrival) {
	var ignored []*event.Ignored
	for _, m := range c.matches {
		if !slices.Contains(ignored, m.Ignored) {
			ignored = append(ignored, m.Ignored)
		}
	}
	if !slices.ContainsFunc(ignored, obj.touched) {
		c.drawWhole(obj, ignored)
		return
	}
	if c.draft, c.refused = event.NewDraft(obj.unstructured(), c.encrypts, ignored...); c.refused != nil {
		return
	}
	c.forms = make([]form, len(ignored))
	for i, g := range ignored {
		c.forms[i].ignored = g
	}
	if how == modified {
		if hash, ok := c.draft.Hash(by.quiet.seed); ok {
			c.hash, c.quiet = hash, by.quiet
			if digests, same := c.quiet.recall(c.quietKey(), hash, ignored); same {
				for i := range c.forms {
					c.forms[i].digest = digests[i]
				}
				return
			}
		}
	}
	c.encode()
}

// drawWhole is draw for an object of which nobody leaves out anything, as most are: all forms are
// one.
func (c *change) drawWhole(obj *object, ignored []*event.Ignored) {
	if event.IsSecretKind(c.resource) && !c.encrypts {
		c.refused = fmt.Errorf("%w: set an Encryptor", event.ErrSecret)
		return
	}
	content, err := obj.content()
	if err != nil {
		c.refused = err
		return
	}
	c.forms = make([]form, len(ignored))
	for i, g := range ignored {
		c.forms[i] = form{ignored: g, digest: content.Digest(), content: content}
	}
}

func (c *change) quietKey() quietKey {
	return quietKey{groupResourceOf(c.resource.ID), c.resource.NamespacedName()}
}

// unencoded reports whether the contents are still to be encoded.
func (c *change) unencoded() bool { return len(c.forms) > 0 && c.forms[0].content == nil }

func (c *change) encode() {
	contents, err := c.draft.Contents()
	if c.draft = (event.Draft{}); err != nil {
		c.refused, c.forms = err, nil
		return
	}
	for i, content := range contents {
		c.forms[i].content, c.forms[i].digest = content, content.Digest()
	}
}

// remember takes note of what a change looked like that changed nothing.
func (c *change) remember() {
	if c.quiet == nil || c.refused != nil {
		return
	}
	l := looks{hash: c.hash}
	for _, f := range c.forms {
		l.ignored, l.digests = append(l.ignored, f.ignored), append(l.digests, f.digest)
	}
	c.quiet.add(c.quietKey(), l)
}
