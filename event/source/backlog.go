package source

import (
	"iter"
	"math/bits"

	"k8s.io/apimachinery/pkg/types"
)

// What a destination without room still has to be sent is a set of places: each object of a type has a place, a small
// number, and a set is one bit for each. A hundred thousand objects that wait for ten destinations take a quarter of a
// megabyte; as a map for each destination they would take a hundred.

// places numbers the objects of a type. An object keeps its place from when it is first heard of until it is dead and
// nobody waits for it, so that who missed its delete is still told.
type places struct {
	of    map[types.NamespacedName]uint32 // of those that are not among the entries any more
	names []types.NamespacedName          // by place
	marks []uint32                        // by place: in how many sets it is
	free  []uint32
}

// take returns a place for an object that has none among the entries.
func (p *places) take(name types.NamespacedName) uint32 {
	if place, ok := p.of[name]; ok {
		delete(p.of, name)
		return place
	}
	if n := len(p.free); n > 0 {
		place := p.free[n-1]
		p.free = p.free[:n-1]
		p.names[place] = name
		return place
	}
	p.names, p.marks = append(p.names, name), append(p.marks, 0)
	return uint32(len(p.names) - 1)
}

// bury takes an object out of the entries.
func (p *places) bury(name types.NamespacedName, place uint32) {
	p.of[name] = place
	p.release(place)
}

// release frees a place that nobody needs any more.
func (p *places) release(place uint32) {
	name := p.names[place]
	if _, buried := p.of[name]; !buried || p.marks[place] > 0 {
		return
	}
	delete(p.of, name)
	p.names[place] = types.NamespacedName{}
	p.free = append(p.free, place)
}

// placeOf returns the place of an object, living or dead; false if it has none.
func (tl *typeLedger) placeOf(name types.NamespacedName) (uint32, bool) {
	if e, ok := tl.entries[name]; ok {
		return e.place, true
	}
	place, ok := tl.places.of[name]
	return place, ok
}

// backlog is what one target has not been sent. The ledger's mu guards it.
type backlog struct {
	types map[*typeLedger]*missed
	count int
}

// missed is the backlog of one type.
type missed struct {
	objects bitset // wait to be sent
	deletes bitset // of these: a delete is among what was not sent
	count   int
}

// has tells whether the object waits, and whether a delete of it was not sent.
func (b *backlog) has(key objectKey) (waits, deleted bool) {
	m := b.types[key.of]
	if m == nil {
		return false, false
	}
	place, ok := key.of.placeOf(key.name)
	if !ok || !m.objects.has(place) {
		return false, false
	}
	return true, m.deletes.has(place)
}

// add marks an object. Once a delete of it was not sent, that stays until the object is removed.
func (b *backlog) add(key objectKey, deleted bool) {
	place, ok := key.of.placeOf(key.name)
	if !ok {
		place = key.of.places.take(key.name)
		key.of.places.of[key.name] = place
	}
	m := b.types[key.of]
	if m == nil {
		if b.types == nil {
			b.types = map[*typeLedger]*missed{}
		}
		m = &missed{}
		b.types[key.of] = m
	}
	if m.objects.set(place) {
		key.of.places.marks[place]++
		m.count++
		b.count++
	}
	if deleted {
		m.deletes.set(place)
	}
}

// remove takes the mark of an object away.
func (b *backlog) remove(key objectKey) {
	m := b.types[key.of]
	if m == nil {
		return
	}
	if place, ok := key.of.placeOf(key.name); ok && m.objects.clear(place) {
		m.deletes.clear(place)
		b.unmark(key.of, m, place)
	}
}

func (b *backlog) unmark(tl *typeLedger, m *missed, place uint32) {
	tl.places.marks[place]--
	tl.places.release(place)
	m.count--
	b.count--
	if m.count == 0 {
		delete(b.types, tl)
	}
}

// drop takes all marks away, for a target that is gone: its places are of use to others.
func (b *backlog) drop() {
	for tl, m := range b.types {
		for place := range m.objects.all() {
			b.unmark(tl, m, place)
		}
	}
}

// of yields the marked objects of a type. Marks may be taken away meanwhile.
func (b *backlog) of(tl *typeLedger) iter.Seq[objectKey] {
	return func(yield func(objectKey) bool) {
		m := b.types[tl]
		if m == nil {
			return
		}
		for place := range m.objects.all() {
			if !yield(objectKey{tl, tl.places.names[place]}) {
				return
			}
		}
	}
}

// bitset is a set of small numbers.
type bitset []uint64

func (s bitset) has(n uint32) bool { return int(n/64) < len(s) && s[n/64]&(1<<(n%64)) != 0 }

// set adds n and tells whether it was not there.
func (s *bitset) set(n uint32) bool {
	for int(n/64) >= len(*s) {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	added := *word&bit == 0
	*word |= bit
	return added
}

// clear removes n and tells whether it was there.
func (s bitset) clear(n uint32) bool {
	if !s.has(n) {
		return false
	}
	s[n/64] &^= 1 << (n % 64)
	return true
}

// all yields the members in their order. Members may be removed meanwhile.
func (s bitset) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range s {
			for word := s[i]; word != 0; word &= word - 1 {
				n := uint32(i*64 + bits.TrailingZeros64(word))
				if s.has(n) && !yield(n) {
					return
				}
			}
		}
	}
}
