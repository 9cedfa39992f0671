// Package sample is changed by the test of the program.
package sample

import "errors"

var errNone = errors.New("none")

type box struct {
	items []int
	open  bool
	note  string
}

func newBox(note string) *box { return &box{open: true, note: note} }

// put is tested well.
func (b *box) put(n, most int) error {
	if !b.open || len(b.items) >= most {
		return errNone
	}
	b.items = append(b.items, n)
	return nil
}

// sum is tested without negative numbers, and can lose its end.
func (b *box) sum() (sum int) {
	for i := 0; i < len(b.items); i++ {
		if b.items[i] < 0 {
			continue
		}
		sum += b.items[i]
	}
	return sum
}

func (b *box) untested() bool { return b.open && b.note != "" }

// awaits cannot be compiled if what it receives is wrapped.
func awaits(c <-chan bool) bool {
	select {
	case yes := <-c:
		return yes
	}
}
