package queue

import (
	"hash/maphash"
	"maps"

	"github.com/kubescribe/kubescribe/destination"
)

// shrinkFrom is the size from which it is worth a copy to give memory back.
const shrinkFrom = 1024

// shrunk returns s, or a copy with less room if s was once far longer.
func shrunk[E any](s []E) []E {
	if cap(s) < shrinkFrom || len(s) > cap(s)/8 {
		return s
	}
	return append(make([]E, 0, cap(s)/4), s...)
}

// table is a map that gives memory back when it empties, which a map does not.
type table[K comparable, V any] struct {
	entries map[K]V
	peak    int // the most that it has held since it was made
}

func newTable[K comparable, V any]() table[K, V] { return table[K, V]{entries: map[K]V{}} }

func (t *table[K, V]) put(k K, v V) {
	t.entries[k] = v
	t.peak = max(t.peak, len(t.entries))
}

func (t *table[K, V]) drop(k K) {
	delete(t.entries, k)
	if t.peak < shrinkFrom || len(t.entries) > t.peak/8 {
		return
	}
	// A new map, since maps.Clone would keep the room of the old one.
	fresh := make(map[K]V, len(t.entries))
	maps.Copy(fresh, t.entries)
	t.entries, t.peak = fresh, len(fresh)
}

// flows finds the flows by their destinations. The keys of the map are hashes: they take an eighth
// of the memory, and a destination is hashed without the lock.
type flows struct {
	seed   maphash.Seed
	byHash table[uint64, *flow] // the first of those with a hash, see target.next
	len    int
}

func newFlows() flows {
	return flows{seed: maphash.MakeSeed(), byHash: newTable[uint64, *flow]()}
}

func (t *flows) hash(d *destination.Destination) uint64 { return maphash.Comparable(t.seed, *d) }

// find returns the flow of a destination, or nil.
func (t *flows) find(hash uint64, d *destination.Destination) *flow {
	for found := t.byHash.entries[hash]; found != nil; found = found.next {
		if found.dst == *d {
			return found
		}
	}
	return nil
}

// put adds a flow that is not there.
func (t *flows) put(added *flow) {
	added.next = t.byHash.entries[added.hash]
	t.byHash.put(added.hash, added)
	t.len++
}

// drop removes a flow that is there.
func (t *flows) drop(gone *flow) {
	first := t.byHash.entries[gone.hash]
	switch {
	case first != gone:
		before := first
		for before.next != gone {
			before = before.next
		}
		before.next = gone.next
	case gone.next != nil:
		t.byHash.put(gone.hash, gone.next)
	default:
		t.byHash.drop(gone.hash)
	}
	gone.next = nil
	t.len--
}

// all calls f for each flow.
func (t *flows) all(f func(*flow)) {
	for _, found := range t.byHash.entries {
		for ; found != nil; found = found.next {
			f(found)
		}
	}
}
