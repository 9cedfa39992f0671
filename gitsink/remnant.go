package gitsink

import (
	"context"
	"iter"

	"github.com/kubescribe/kubescribe/event"
)

// remnant is a file that a former layout could have written and that no living object has by ours.
type remnant struct {
	lives bool // an object that lives has it by the former layout, and it could not be moved
	known bool // it is certain that no rule covers its type and namespace, by the former layout
}

// findRemnants finds what is left of former layouts. names are the files that no living object has
// by ours.
func (p *planRun) findRemnants(names *fileNames, live event.Snapshot) {
	if len(p.former) == 0 {
		return
	}
	p.remnants = map[string]remnant{}
	for o := range live.Objects() {
		for _, f := range p.former {
			if old := f.Path(o.Resource); names.has(old) {
				p.remnants[old] = remnant{lives: true}
			}
		}
	}
	for path := range p.paths() {
		if _, lives := p.remnants[path]; lives || !names.has(path) {
			continue
		}
		for _, f := range p.former {
			if judged, ok := p.judged[path]; ok && judged.Name() != f.Name() {
				continue
			}
			if c, ours := f.Collection(path); ours {
				known := !p.sweepable(c) && live.Uncovered(c)
				if r, found := p.remnants[path]; !found || r.known {
					p.remnants[path] = remnant{known: known}
				}
			}
		}
	}
}

// unmoved yields the paths that can have lost their object, or their rule: the files of objects
// that live and that could not be moved have not.
func (p *planRun) unmoved() iter.Seq[string] {
	return func(yield func(string) bool) {
		for path := range p.paths() {
			if !p.remnants[path].lives && !yield(path) {
				return
			}
		}
	}
}

// endMove ends a move if nothing more is left of the former layouts. What no rule covers ends it as
// well, unless a file names its object: then it can still be pruned.
func (p *planRun) endMove(ctx context.Context) error {
	if len(p.former) == 0 || !p.ownership.owner.Adopted {
		return nil
	}
	var uncovered []string
	for path, r := range p.remnants {
		if entry, changed := p.overlay[path]; changed && entry == nil {
			continue
		}
		if !r.known {
			return nil
		}
		uncovered = append(uncovered, path)
	}
	ours, err := p.recognise(ctx, uncovered)
	if err != nil || len(ours) > 0 {
		return err
	}
	p.ownership.owner.Former = ""
	p.ownership.write, p.ownership.urgent = true, true
	return nil
}

// sweptLayout returns the layout by which a sweep goes: that of the folder or, during a move, one
// that knows the files of the former ones too.
func (p *planRun) sweptLayout(live event.Snapshot) event.Layout {
	if len(p.former) == 0 || !p.ownership.owner.Adopted {
		return p.layout
	}
	return sweptLayout{p.layout, p, live}
}

type sweptLayout struct {
	event.Layout
	run  *planRun
	live event.Snapshot
}

// Collection implements event.Layout. Of a file that several layouts could have written it returns
// the collection of which least is known: a file that may be that of a living object stays.
func (l sweptLayout) Collection(path string) (best event.Collection, ours bool) {
	if judged, ok := l.run.judged[path]; ok {
		return judged.Collection(path)
	}
	rank := 0
	for _, layout := range l.run.layouts() {
		c, ok := layout.Collection(path)
		if !ok {
			continue
		}
		if r := l.doubt(c); r > rank {
			best, rank = c, r
		}
	}
	return best, rank > 0
}

// doubt is 1 for a collection that no rule covers, 2 for one that was listed, 3 for all others.
func (l sweptLayout) doubt(c event.Collection) int {
	switch {
	case l.run.sweepable(c):
		return 2
	case l.live.Uncovered(c):
		return 1
	}
	return 3
}
