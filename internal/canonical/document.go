package canonical

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is the kind of a value, in the words of JSON and YAML.
type Kind uint8

// The kinds. None is that of a node that is not there, and Foreign that of a Go value that JSON
// does not know: only Load finds one.
const (
	None Kind = iota
	Null
	False
	True
	Number
	String
	List
	Map
	Foreign
)

// Node is a value of a Document: the object itself, a member of a map, or an element of a list. The
// zero Node is none. A Node is valid until the next Parse, Load or Reset.
type Node int32

// Document is one JSON object, in memory that the next one uses again. The zero value is ready. It
// is not for concurrent use.
//
// A member that comes twice in a map has its last value, and the members of a map are sorted by
// their names, as bytes.
type Document struct {
	// The value at 0 is no value, and that at 1 is the object.
	nodes   []node
	source  string // what was parsed, "" if the document was loaded
	scratch []byte // text that does not stand in the source as it is
	foreign []any  // what Foreign nodes are

	decoder jsontext.Decoder
	input   bytes.Buffer // of the decoder

	order    []Node    // of link
	managers []Node    // of records
	applied  *Document // of records

	appliedText []byte // what applied points into
}

type node struct {
	key  string // the name of a member
	text string // of a String; the digits of a Number
	// child is the first member or element. For a Foreign it is the index of the value.
	child, next Node
	kind        Kind
	removed     bool
}

const root Node = 1

// Reset forgets the object, and all that it refers to. It keeps memory for the next one, but not
// that of an object of unusual size.
func (d *Document) Reset() {
	d.forget()
	if d.input = (bytes.Buffer{}); d.decoder.InputOffset() > 0 {
		d.decoder.Reset(&d.input)
	}
	if d.applied != nil {
		d.applied.Reset()
	}
	if cap(d.appliedText) > keptBytes {
		d.appliedText = nil
	}
}

func (d *Document) forget() {
	clear(d.nodes)
	clear(d.foreign)
	d.nodes, d.foreign, d.scratch, d.source = d.nodes[:0], d.foreign[:0], d.scratch[:0], ""
	if cap(d.scratch) > keptBytes {
		d.scratch = nil
	}
	if cap(d.nodes) > keptNodes {
		d.nodes, d.order = nil, nil
	}
}

const (
	keptBytes = 1 << 20
	keptNodes = keptBytes / 64
)

func (d *Document) begin() {
	d.forget()
	d.nodes = append(d.nodes, node{})
}

// add returns a new node. Whoever holds an address within d.nodes has an old one afterwards.
func (d *Document) add(kind Kind) Node {
	d.nodes = append(d.nodes, node{kind: kind})
	return Node(len(d.nodes) - 1)
}

// Root returns the object, none before the first Parse or Load and after one that failed.
func (d *Document) Root() Node {
	if len(d.nodes) <= int(root) {
		return 0
	}
	return root
}

// Kind returns the kind of n.
func (d *Document) Kind(n Node) Kind {
	if n <= 0 || int(n) >= len(d.nodes) || d.nodes[n].removed {
		return None
	}
	return d.nodes[n].kind
}

// Text returns the text of a String, "" of any other node. After a Parse it may point into what was
// parsed, so that it is valid as long as that is left alone; strings.Clone makes a copy to keep.
func (d *Document) Text(n Node) string {
	if d.Kind(n) != String {
		return ""
	}
	return d.nodes[n].text
}

// Key returns the name of a member of a map, "" of any other node. It is as valid as a Text.
func (d *Document) Key(n Node) string {
	if d.Kind(n) == None {
		return ""
	}
	return d.nodes[n].key
}

// Get returns the value at a path of names below n; with no path it is n. It is none if one of them
// is not there, or stands in something else than a map.
func (d *Document) Get(n Node, path ...string) Node {
	for _, key := range path {
		n = d.member(n, key)
	}
	return n
}

func (d *Document) member(n Node, key string) Node {
	if d.Kind(n) != Map {
		return 0
	}
	for c := d.first(n); c != 0; c = d.after(c) {
		if d.nodes[c].key == key {
			return c
		}
	}
	return 0
}

// first returns the first member or element that is not removed.
func (d *Document) first(n Node) Node {
	if kind := d.Kind(n); kind != Map && kind != List {
		return 0
	}
	return d.live(d.nodes[n].child)
}

// after returns the next one after c that is not removed.
func (d *Document) after(c Node) Node { return d.live(d.nodes[c].next) }

func (d *Document) live(c Node) Node {
	for c != 0 && d.nodes[c].removed {
		c = d.nodes[c].next
	}
	return c
}

// Each goes through the members of a map, sorted by their names, or through the elements of a list
// in their order, without a name. Whoever goes may remove what it was given.
func (d *Document) Each(n Node) iter.Seq2[string, Node] {
	return func(yield func(string, Node) bool) {
		for c := d.first(n); c != 0; c = d.after(c) {
			if !yield(d.nodes[c].key, c) {
				return
			}
		}
	}
}

// Empty reports whether n is a map or a list with nothing in it.
func (d *Document) Empty(n Node) bool {
	kind := d.Kind(n)
	return (kind == Map || kind == List) && d.first(n) == 0
}

// Remove takes a member out of its map, or an element out of its list. The object itself stays.
func (d *Document) Remove(n Node) {
	if n > root && int(n) < len(d.nodes) {
		d.nodes[n].removed = true
	}
}

// Restore brings back all that was removed.
func (d *Document) Restore() {
	for i := range d.nodes {
		d.nodes[i].removed = false
	}
}

// RemoveField removes the member at a path below n. It also removes maps around it that become
// empty by that, the innermost first, up to the number that is optional. A map that was empty
// before stays.
func (d *Document) RemoveField(n Node, optional int, path ...string) {
	if len(path) == 0 {
		return
	}
	c := d.member(n, path[0])
	if len(path) == 1 {
		d.Remove(c)
		return
	}
	if d.first(c) == 0 || d.Kind(c) != Map {
		return
	}
	d.RemoveField(c, optional, path[1:]...)
	if d.first(c) == 0 && len(path)-1 <= optional {
		d.Remove(c)
	}
}

// SetKind gives the object an apiVersion and a kind, in the place of those that it has: the items
// of a built-in list come without. The texts must stay as they are as long as what is parsed.
func (d *Document) SetKind(apiVersion, kind string) {
	if d.Root() != 0 {
		d.set("apiVersion", apiVersion)
		d.set("kind", kind)
	}
}

func (d *Document) set(key, text string) {
	n := d.member(root, key)
	if n == 0 {
		n = d.add(String)
		before := &d.nodes[root].child
		for *before != 0 && d.nodes[*before].key < key {
			before = &d.nodes[*before].next
		}
		d.nodes[n].next = *before
		*before = n
	}
	d.nodes[n] = node{key: key, text: text, next: d.nodes[n].next, kind: String}
}
