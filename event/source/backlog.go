package source

import (
	"iter"
	"math/bits"

	"k8s.io/apimachinery/pkg/types"
)

// A backlog is a set of slots. Each object of a type has a slot, which is a small number, and a set
// has one bit for each. A hundred thousand objects that wait for ten destinations take a quarter of
// a megabyte. With a map for each destination they would take a hundred.

// slots numbers the objects of a type. An object keeps its slot from the first report of it until
// it is dead and no backlog has it, so a target that missed its delete is still told.
type slots struct {
	of    map[types.NamespacedName]uint32 // of retired ones, which are no entries any more
	names []types.NamespacedName          // by slot
	refs  []uint32                        // by slot: the number of backlogs that have it
	free  []uint32
}

// take returns a slot for an object that has none among the entries.
func (s *slots) take(name types.NamespacedName) uint32 {
	if slot, ok := s.of[name]; ok {
		delete(s.of, name)
		return slot
	}
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		s.names[slot] = name
		return slot
	}
	s.names, s.refs = append(s.names, name), append(s.refs, 0)
	return uint32(len(s.names) - 1)
}

// retire takes note that an object is no entry any more.
func (s *slots) retire(name types.NamespacedName, slot uint32) {
	s.of[name] = slot
	s.release(slot)
}

// release frees a slot that neither an entry nor a backlog has.
func (s *slots) release(slot uint32) {
	name := s.names[slot]
	if _, retired := s.of[name]; !retired || s.refs[slot] > 0 {
		return
	}
	delete(s.of, name)
	s.names[slot] = types.NamespacedName{}
	s.free = append(s.free, slot)
}

// slotOf returns the slot of an object, living or dead; false if it has none.
func (tl *typeLedger) slotOf(name types.NamespacedName) (uint32, bool) {
	if e, ok := tl.entries[name]; ok {
		return e.slot, true
	}
	slot, ok := tl.slots.of[name]
	return slot, ok
}

// backlog is what one target has not been sent.
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

// has reports whether an object waits, and whether a delete of it was not sent.
func (b *backlog) has(key objectKey) (waits, deleted bool) {
	m := b.types[key.of]
	if m == nil {
		return false, false
	}
	slot, ok := key.of.slotOf(key.name)
	if !ok || !m.objects.has(slot) {
		return false, false
	}
	return true, m.deletes.has(slot)
}

// add marks an object. Once a delete of it was not sent, that stays until the object is removed.
func (b *backlog) add(key objectKey, deleted bool) {
	slot, ok := key.of.slotOf(key.name)
	if !ok {
		slot = key.of.slots.take(key.name)
		key.of.slots.of[key.name] = slot
	}
	m := b.types[key.of]
	if m == nil {
		if b.types == nil {
			b.types = map[*typeLedger]*missed{}
		}
		m = &missed{}
		b.types[key.of] = m
	}
	if m.objects.set(slot) {
		key.of.slots.refs[slot]++
		m.count++
		b.count++
	}
	if deleted {
		m.deletes.set(slot)
	}
}

// remove takes the mark of an object away.
func (b *backlog) remove(key objectKey) {
	m := b.types[key.of]
	if m == nil {
		return
	}
	if slot, ok := key.of.slotOf(key.name); ok && m.objects.clear(slot) {
		m.deletes.clear(slot)
		b.unmark(key.of, m, slot)
	}
}

func (b *backlog) unmark(tl *typeLedger, m *missed, slot uint32) {
	tl.slots.refs[slot]--
	tl.slots.release(slot)
	m.count--
	b.count--
	if m.count == 0 {
		delete(b.types, tl)
	}
}

// drop takes all marks away, for a target that is gone: its slots are of use to others.
func (b *backlog) drop() {
	for tl, m := range b.types {
		for slot := range m.objects.all() {
			b.unmark(tl, m, slot)
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
		for slot := range m.objects.all() {
			if !yield(objectKey{tl, tl.slots.names[slot]}) {
				return
			}
		}
	}
}

// bitset is a set of small numbers.
type bitset []uint64

func (s bitset) has(n uint32) bool { return int(n/64) < len(s) && s[n/64]&(1<<(n%64)) != 0 }

// set adds n and reports whether it was not there.
func (s *bitset) set(n uint32) bool {
	for int(n/64) >= len(*s) {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	added := *word&bit == 0
	*word |= bit
	return added
}

// clear removes n and reports whether it was there.
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
