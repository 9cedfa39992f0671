package canonical

import (
	"slices"
	"strings"
)

// link sorts the members of a map, whose names do not ascend, and drops all but the last of those
// with one name.
func (d *Document) link(n Node) {
	order := d.order[:0]
	for c := d.nodes[n].child; c != 0; c = d.nodes[c].next {
		order = append(order, c)
	}
	d.sort(order)
	next := Node(0)
	for i := len(order) - 1; i >= 0; i-- {
		c := order[i]
		if next != 0 && d.nodes[c].key == d.nodes[next].key {
			continue // it came earlier
		}
		d.nodes[c].next, next = next, c
	}
	d.nodes[n].child = next
	d.order = order
}

// fewMembers are sorted faster by insertion.
const fewMembers = 24

// sort is stable.
func (d *Document) sort(order []Node) {
	if len(order) > fewMembers {
		slices.SortStableFunc(order, func(a, b Node) int { return strings.Compare(d.nodes[a].key, d.nodes[b].key) })
		return
	}
	for i := 1; i < len(order); i++ {
		c, key, j := order[i], d.nodes[order[i]].key, i
		for ; j > 0 && d.nodes[order[j-1]].key > key; j-- {
			order[j] = order[j-1]
		}
		order[j] = c
	}
}
