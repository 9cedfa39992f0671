package object

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// thinner tells trees by what is different in them from trees that the server has: a thin pack,
// as git sends. The folder of a thousand entries of which one has changed takes some sixty bytes
// then, not thirty thousand that do not compress.
type thinner struct {
	has     func(ID) (tree string, ok bool)
	origins map[ID]ID // of trees that were made: the one of the server's that they have come from
}

// thin returns a delta for an object, and what it is to be applied to; nil: the object is sent
// whole. Objects come in the order in which they were made. A base is always one that the server
// has, never another of the pack, however long the chain of commits: so no delta has to wait for
// another.
func (t *thinner) thin(o Object) (base ID, delta []byte) {
	if o.Kind != plumbing.TreeObject || o.From.IsZero() {
		return base, nil
	}
	base = o.From
	if origin, made := t.origins[base]; made {
		base = origin
	}
	old, ok := t.has(base)
	if !ok {
		return base, nil
	}
	t.origins[o.Hash] = base
	f := base.format
	if delta = treeDelta(f, old, string(o.Data)); len(delta)+f.Width() > len(o.Data)/2 {
		return base, nil
	}
	return base, delta
}

// treeDelta is what makes one tree of another (gitformat-pack(5), "Deltified representation");
// nil if one is damaged. Entries that are in both are copied, the others inserted.
func treeDelta(f Format, old, tree string) []byte {
	d := &deltaWriter{tree: tree}
	d.size(len(old))
	d.size(len(tree))
	at := 0 // of what is left of old
	for left := tree; len(left) > 0; {
		e, after, ok := cutEntry(f, left)
		if !ok {
			return nil
		}
		from, raw := len(tree)-len(left), left[:len(left)-len(after)]
		left = after
		for at < len(old) {
			before, rest, ok := cutEntry(f, old[at:])
			if !ok {
				return nil
			}
			if compareEntries(before, e) >= 0 {
				break
			}
			at = len(old) - len(rest)
		}
		if strings.HasPrefix(old[at:], raw) {
			d.copy(at, len(raw))
			at += len(raw)
		} else {
			d.insert(from, len(raw))
		}
	}
	d.flush()
	return d.out
}

// deltaWriter joins what belongs together: a copy that goes on where the last one ended, inserts
// one after the other.
type deltaWriter struct {
	tree     string // that is to be made
	out      []byte
	from, n  int    // to be copied, of the other tree
	inserted string // a part of tree that is to be inserted; never both
}

func (d *deltaWriter) size(n int) {
	for ; n >= 0x80; n >>= 7 {
		d.out = append(d.out, byte(n)|0x80)
	}
	d.out = append(d.out, byte(n))
}

func (d *deltaWriter) copy(from, n int) {
	if d.n == 0 || d.from+d.n != from {
		d.flush()
		d.from = from
	}
	d.n += n
}

// insert inserts a part of the tree. One that follows another joins it, since nothing was copied
// between the two.
func (d *deltaWriter) insert(from, n int) {
	if d.n > 0 {
		d.flush()
	}
	d.inserted = d.tree[from-len(d.inserted) : from+n]
}

const (
	maxCopy   = 0x10000 // of one instruction, as git writes them
	maxInsert = 0x7f
)

func (d *deltaWriter) flush() {
	for d.n > 0 {
		n := min(d.n, maxCopy)
		d.instruct(d.from, n)
		d.from, d.n = d.from+n, d.n-n
	}
	for len(d.inserted) > 0 {
		n := min(len(d.inserted), maxInsert)
		d.out = append(append(d.out, byte(n)), d.inserted[:n]...)
		d.inserted = d.inserted[n:]
	}
}

// instruct writes a copy: which bytes of the offset and the size follow, and these. A size of
// maxCopy is written as none.
func (d *deltaWriter) instruct(from, n int) {
	at := len(d.out)
	d.out = append(d.out, 0x80)
	for i := range 4 {
		if b := byte(from >> (8 * i)); b != 0 {
			d.out[at] |= 1 << i
			d.out = append(d.out, b)
		}
	}
	for i := range 2 {
		if b := byte(n >> (8 * i)); b != 0 {
			d.out[at] |= 0x10 << i
			d.out = append(d.out, b)
		}
	}
}
