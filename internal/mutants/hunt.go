package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Outcomes of a mutant.
const (
	uncovered  = "uncovered"  // no test passes its place
	survived   = "survived"   // no test that passes it fails
	killed     = "killed"     // a test fails
	equivalent = "equivalent" // nothing could tell it from the code, as the list says
)

// outcome is what has become of a mutant.
type outcome struct {
	Is string
	By string `json:",omitempty"` // the test that killed it
	// File is the hash of that test's file: the outcome holds as long as that and the package are
	// what they were.
	File string `json:",omitempty"`
}

// hunt runs tests on the mutants of a subject.
type hunt struct {
	subject *subject
	cases   []*testCase
	workers int
	budget  time.Duration // of tests for each mutant, as long as they take without one; 0: none
	// What tests may take with a mutant, beside six times what they take without one.
	patience time.Duration

	mu    sync.Mutex
	hints map[string]map[string]int // function, test: how many of its mutants that has killed
}

// each runs f for all items, a few at a time.
func each[T any](ctx context.Context, workers int, items []T, f func(T) error) error {
	next := make(chan T)
	var running sync.WaitGroup
	faults := make(chan error, workers)
	for range workers {
		running.Go(func() {
			for item := range next {
				if err := f(item); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	var fault error
feed:
	for _, item := range items {
		select {
		case next <- item:
		case fault = <-faults:
			break feed
		case <-ctx.Done():
			fault = ctx.Err()
			break feed
		}
	}
	close(next)
	running.Wait()
	select {
	case late := <-faults:
		return cmp.Or(fault, late)
	default:
		return fault
	}
}

// kill tries to kill one mutant. first is the test that has killed it before.
func (h *hunt) kill(ctx context.Context, m mutant, first string) (outcome, error) {
	var all []*testCase
	reached := false
	for _, t := range h.cases {
		reached = reached || t.reach[m.ID] > 0
		if t.reach[m.ID] == 2 && !t.fails {
			all = append(all, t)
		}
	}
	if !reached {
		return outcome{Is: uncovered}, nil
	}
	h.order(all, m, first)
	for spent := time.Duration(0); len(all) > 0; {
		if h.budget > 0 && spent > h.budget {
			break
		}
		n, together := batch(all, spent)
		spent += together
		v, err := all[0].suite.run(ctx, names(all[:n]), h.patience+6*together, fmt.Sprintf("MUTANT=%d", m.ID))
		if err != nil {
			return outcome{}, err
		}
		if v.failed {
			return h.died(m, all[:n], v), nil
		}
		all = all[n:]
	}
	return outcome{Is: survived}, nil
}

// order puts in front what has killed this mutant, then what is quick for the number of mutants of
// its function that it has killed.
func (h *hunt) order(all []*testCase, m mutant, first string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	price := func(t *testCase) time.Duration {
		if t.name == first {
			return 0
		}
		return t.took / time.Duration(1+min(h.hints[m.Func][t.name], 5))
	}
	slices.SortFunc(all, func(a, b *testCase) int { return cmp.Compare(price(a), price(b)) })
}

// batch says how many of the tests, which must be of one binary, are run in the next process: more
// and more.
func batch(all []*testCase, spent time.Duration) (n int, together time.Duration) {
	for n < len(all) && all[n].suite == all[0].suite && (n == 0 || together+all[n].took < max(300*time.Millisecond, 2*spent)) {
		together += all[n].took
		n++
	}
	return n, together
}

func names(all []*testCase) (names []string) {
	for _, t := range all {
		names = append(names, t.name)
	}
	return names
}

func (h *hunt) died(m mutant, by []*testCase, v verdict) outcome {
	i := slices.IndexFunc(by, func(t *testCase) bool { return t.name == v.by })
	if i < 0 {
		return outcome{Is: killed}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hints[m.Func] == nil {
		h.hints[m.Func] = map[string]int{}
	}
	h.hints[m.Func][v.by]++
	return outcome{Is: killed, By: v.by, File: by[i].file}
}

// progress is written to the standard error, a line for each that lives.
func progress(m mutant, o outcome) {
	if o.Is == survived {
		fmt.Fprintf(os.Stderr, "%s:%d: survived: %s\n", m.File, m.Line, m.key())
	}
}
