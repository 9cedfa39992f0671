package object

import "iter"

// Map holds values by the names of objects. It is a map for each format, so that a name of SHA-1
// takes 20 bytes of it and not what the longest name takes. The zero value is empty and ready to
// use.
type Map[V any] struct {
	short map[[20]byte]V // of SHA-1
	long  map[[maxWidth]byte]V
}

// Get returns the value of a name.
func (m *Map[V]) Get(id ID) (value V, ok bool) {
	if id.format == SHA1 {
		value, ok = m.short[[20]byte(id.sum[:])]
		return value, ok
	}
	value, ok = m.long[id.sum]
	return value, ok
}

// Has reports whether a name has a value.
func (m *Map[V]) Has(id ID) bool {
	_, ok := m.Get(id)
	return ok
}

// Set gives a name a value.
func (m *Map[V]) Set(id ID, value V) {
	if id.format == SHA1 {
		if m.short == nil {
			m.short = map[[20]byte]V{}
		}
		m.short[[20]byte(id.sum[:])] = value
		return
	}
	if m.long == nil {
		m.long = map[[maxWidth]byte]V{}
	}
	m.long[id.sum] = value
}

// Delete takes a name and its value away.
func (m *Map[V]) Delete(id ID) {
	if id.format == SHA1 {
		delete(m.short, [20]byte(id.sum[:]))
		return
	}
	delete(m.long, id.sum)
}

// Len returns the number of names.
func (m *Map[V]) Len() int { return len(m.short) + len(m.long) }

// All yields the names and their values, in no order. What is deleted meanwhile is not yielded.
func (m *Map[V]) All() iter.Seq2[ID, V] {
	return func(yield func(ID, V) bool) {
		for sum, value := range m.short {
			if !yield(idOf(SHA1, sum[:]), value) {
				return
			}
		}
		for sum, value := range m.long {
			if !yield(idOf(SHA256, sum[:]), value) {
				return
			}
		}
	}
}

// grown returns an empty Map with room for as many names as a half of another has.
func (m *Map[V]) grown() Map[V] {
	return Map[V]{short: make(map[[20]byte]V, len(m.short)/2), long: make(map[[maxWidth]byte]V, len(m.long)/2)}
}
