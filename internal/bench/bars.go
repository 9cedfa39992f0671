package main

import (
	"fmt"
	"io"
)

// bar is a promise about a number of kubescribe.
type bar struct {
	what string
	// By the medians, which decide, and by the best rounds; the latter may be zero.
	value, best float64
	limit       float64
	least       bool // value must be at least limit; otherwise at most
	remark      string
}

func (b bar) met() bool {
	if b.least {
		return b.value >= b.limit
	}
	return b.value <= b.limit
}

// writeBars says of each bar whether it is met. One that is not is a fact, not a failure: the
// machine has a say in it.
func writeBars(w io.Writer, bars []bar) error {
	if _, err := io.WriteString(w, "\nBars for kubescribe, by the medians (in brackets by the best rounds):\n\n"); err != nil {
		return err
	}
	for _, b := range bars {
		verdict, bound, best := "NOT met", "at most", ""
		if b.met() {
			verdict = "met"
		}
		if b.least {
			bound = "at least"
		}
		if b.best != 0 {
			best = fmt.Sprintf(" (%.2f)", b.best)
		}
		if _, err := fmt.Fprintf(w, "- %s: %s: %.2f%s, %s %g%s\n", verdict, b.what, b.value, best, bound, b.limit, b.remark); err != nil {
			return err
		}
	}
	return nil
}
