package queue

// links are the neighbours of an element in the one list that it is in.
type links[T any] struct{ prev, next *T }

func (l *links[T]) linked() *links[T] { return l }

// linkable is a pointer to an element that embeds links.
type linkable[T any] interface {
	*T
	linked() *links[T]
}

// list is a doubly linked list. An element is in one list at a time; the zero list is empty.
type list[T any, P linkable[T]] struct{ front, back *T }

func (l *list[T, P]) pushBack(e *T) {
	*P(e).linked() = links[T]{prev: l.back}
	if l.back != nil {
		P(l.back).linked().next = e
	} else {
		l.front = e
	}
	l.back = e
}

func (l *list[T, P]) pushFront(e *T) {
	*P(e).linked() = links[T]{next: l.front}
	if l.front != nil {
		P(l.front).linked().prev = e
	} else {
		l.back = e
	}
	l.front = e
}

func (l *list[T, P]) remove(e *T) {
	at := P(e).linked()
	if at.prev != nil {
		P(at.prev).linked().next = at.next
	} else {
		l.front = at.next
	}
	if at.next != nil {
		P(at.next).linked().prev = at.prev
	} else {
		l.back = at.prev
	}
	*at = links[T]{}
}
