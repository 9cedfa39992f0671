package main

import (
	"cmp"
	"slices"
	"strings"
)

// edit puts text at an offset of a file, in the place of the bytes up to end.
type edit struct {
	at, end int
	text    string
	closes  bool // belongs to what ends here, not to what begins
	order   int  // of its making: what is around is made before what is inside
}

// edits are those of one file. They keep every line where it is.
type edits struct{ list []edit }

// around puts text before and behind what is there from at to end.
func (e *edits) around(at, end int, before, behind string) {
	e.list = append(e.list,
		edit{at: at, end: at, text: before, order: len(e.list)},
		edit{at: end, end: end, text: behind, closes: true, order: len(e.list)})
}

func (e *edits) replace(at, end int, text string) {
	e.list = append(e.list, edit{at: at, end: end, text: text, order: len(e.list)})
}

// apply returns the edited source.
func (e *edits) apply(source []byte) string {
	slices.SortStableFunc(e.list, func(a, b edit) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.closes != b.closes: // what ends here goes first
			if a.closes {
				return -1
			}
			return 1
		case a.closes: // the inner end before the outer one
			return cmp.Compare(b.order, a.order)
		}
		return cmp.Compare(a.order, b.order)
	})
	var out strings.Builder
	done := 0
	for _, ed := range e.list {
		out.Write(source[done:ed.at])
		out.WriteString(ed.text)
		done = ed.end
	}
	out.Write(source[done:])
	return out.String()
}
