package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// prepare builds the tests and finds out what they reach.
func (h *hunt) prepare(ctx context.Context, dirs []string, scratch string, known *memory) error {
	for i, dir := range dirs {
		s, err := h.subject.build(ctx, dir, filepath.Join(scratch, fmt.Sprintf("%d.test", i)))
		if err != nil {
			return err
		}
		cases, err := s.cases(ctx)
		if err != nil {
			return err
		}
		h.cases = append(h.cases, cases...)
	}
	if known.Source != h.subject.source {
		clear(known.Cases)
	}
	var mu sync.Mutex
	cases := map[string]look{} // without those of tests that are no more
	began := time.Now()
	err := each(ctx, h.workers, h.cases, func(t *testCase) error {
		key := t.suite.ImportPath + " " + t.name
		mu.Lock()
		old, ok := known.Cases[key]
		mu.Unlock()
		if ok && old.File == t.file && len(old.Reach) == len(h.subject.mutants)+1 {
			t.took, t.fails, t.reach = time.Duration(old.Took), old.Fails, old.Reach
		} else if err := t.look(ctx, len(h.subject.mutants)); err != nil {
			return err
		}
		mu.Lock()
		cases[key] = look{t.file, int64(t.took), t.fails, t.reach}
		mu.Unlock()
		return nil
	})
	known.Cases = cases
	fmt.Fprintf(os.Stderr, "%s: %d mutants, %d tests looked at in %s\n",
		name(h.subject), len(h.subject.mutants), len(h.cases), time.Since(began).Round(time.Second))
	return err
}

// all returns what has become of the chosen mutants, and remembers it.
func (h *hunt) all(ctx context.Context, chosen []mutant, known *memory, reasons map[string]string) (outcomes []string, err error) {
	same := known.Source == h.subject.source
	known.Source = h.subject.source
	files := map[string]string{}
	for _, t := range h.cases {
		files[t.name] = t.file
	}
	began := time.Now()
	var mu sync.Mutex
	err = each(ctx, h.workers, chosen, func(m mutant) error {
		mu.Lock()
		o, before := known.Outcomes[m.key()]
		mu.Unlock()
		_, listed := reasons[m.key()]
		switch {
		case listed:
			o = outcome{Is: equivalent}
		case before && same && o.Is == killed && o.File != "" && files[o.By] == o.File:
		default:
			var err error
			if o, err = h.kill(ctx, m, o.By); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if !listed {
			known.Outcomes[m.key()] = o
		}
		outcomes = append(outcomes, o.Is)
		progress(m, o)
		if len(outcomes)%100 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d of %d in %s\n", name(h.subject), len(outcomes), len(chosen), time.Since(began).Round(time.Second))
		}
		return nil
	})
	return outcomes, err
}
