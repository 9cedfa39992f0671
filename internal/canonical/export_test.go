package canonical

import "unsafe"

// Held returns the number of bytes that the document keeps for the next object.
func (d *Document) Held() int {
	held := cap(d.scratch) + cap(d.appliedText) + cap(d.nodes)*int(unsafe.Sizeof(node{})) + cap(d.order)*int(unsafe.Sizeof(Node(0)))
	if d.applied != nil {
		held += d.applied.Held()
	}
	return held
}
