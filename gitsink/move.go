package gitsink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// A folder that is adopted with another layout than it was begun with is moved. The first plan with
// a SeedSync copies the files of all objects that live to their new paths, by their names in the
// tree, and removes them from the old ones. What it cannot know yet, as files of a type that is not
// listed at the moment, stays; the OwnerFile names the former layout until a SeedSync finds nothing
// more of it. So each plan depends on the tree alone, whatever became of those before it.

// maxFormer bounds the layouts from which files may be left, so that they fit into an OwnerFile.
const maxFormer = 8

// formerOf returns the names of the layouts from which files may be left when we take over from
// them, the newest first.
func (o owner) formerOf(them owner) string {
	var names []string
	for _, name := range append([]string{them.Layout}, strings.Split(them.Former, "\n")...) {
		if name != "" && name != o.Layout && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names[:min(len(names), maxFormer)], "\n")
}

// layoutNamed returns the layout of a name that stands in an OwnerFile.
func (w *Writer) layoutNamed(name string) (event.Layout, bool) {
	for _, l := range append([]event.Layout{w.opts.Layout}, w.opts.Layouts...) {
		if l.Name() == name {
			return l, true
		}
	}
	return event.LayoutNamed(name)
}

// formerLayouts returns the layouts from which files of an owner may be left.
func (w *Writer) formerLayouts(o owner) (former []event.Layout, err error) {
	if o.Former == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(o.Former, "\n") {
		l, ok := w.layoutNamed(name)
		if !ok {
			return nil, fmt.Errorf("%w: %s says that files have the layout %s, which is not known here: name it in WriterOptions.Layouts", ErrOwned, OwnerFile, quoted(name))
		}
		former = append(former, l)
	}
	return former, nil
}

// refuseLayout returns the error for our own folder with another layout.
func (w *Writer) refuseLayout(them, us owner) error {
	way := "adopt the folder to have its files moved"
	if _, known := w.layoutNamed(them.Layout); !known {
		way = "name that one in WriterOptions.Layouts and adopt the folder, to have its files moved"
	}
	return fmt.Errorf("%w: %s says layout %s; this destination has the layout %q now: %s", ErrOwned, OwnerFile, quoted(them.Layout), us.Layout, way)
}

// layouts are the layout of the folder and the former ones.
func (p *planRun) layouts() []event.Layout { return append([]event.Layout{p.layout}, p.former...) }

// ours reports whether one of the layouts could have written a file.
func (p *planRun) ours(path string) bool {
	return slices.ContainsFunc(p.layouts(), func(l event.Layout) bool {
		_, ours := l.Collection(path)
		return ours
	})
}

// isSweepable reports whether a file could be of a collection that is swept.
func (p *planRun) isSweepable(path string) bool {
	return slices.ContainsFunc(p.layouts(), func(l event.Layout) bool {
		c, ours := l.Collection(path)
		return ours && p.sweepable(c)
	})
}

// move moves the files of objects that live from where a former layout has them, in a commit of
// its own.
func (p *planRun) move(ctx context.Context, seen *survey, inventory event.Inventory) error {
	if len(p.former) == 0 || !p.ownership.owner.Adopted {
		return nil
	}
	to, current := map[string]string{}, map[uint64]struct{}{}
	err := inventory.View(func(live event.Snapshot) error {
		for o := range live.Objects() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			path := p.layout.Path(o.Resource)
			current[seen.files.key(path)] = struct{}{}
			for _, f := range p.former {
				if old := f.Path(o.Resource); seen.files.has(old) {
					to[old] = path
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var ambiguous []string
	files := map[string]Entry{}
	for path, e := range p.base.Paths("") {
		// A path that a living object has by our layout is that object's, whatever others say.
		_, is := current[seen.files.key(path)]
		if _, foreign := outermost(path, p.foreign); is || foreign || !e.isFile() {
			continue
		}
		if _, moves := to[path]; moves {
			files[path] = e
		} else if p.claims(path) > 1 {
			ambiguous = append(ambiguous, path)
		}
	}
	p.relocate(seen.files, files, to)
	return p.judge(ctx, ambiguous)
}

// relocate copies files to their new paths, unless something is there, and removes them at the old
// ones. What cannot be written stays where it is: the object is reported as left out.
func (p *planRun) relocate(base *fileNames, files map[string]Entry, to map[string]string) {
	var removals, copies []Change
	p.moves = map[string]string{}
	for _, old := range slices.Sorted(maps.Keys(files)) {
		entry, path := files[old], to[old]
		name, exists := base.get(path)
		if p.refusal(path, func() error { return base.blocked(path, name, exists) }) != nil {
			continue
		}
		if _, moved := p.overlay[path]; !exists && !moved {
			copies = append(copies, Change{Path: path, From: old})
			p.overlay[path], p.moves[path] = &entry, old
		}
		removals = append(removals, Change{Path: old, Remove: true})
		p.overlay[old] = nil
	}
	// First the removals: where a file was, a folder may come.
	p.pending = pendingCommit{changes: append(removals, copies...), moved: len(removals), layout: p.layout.Name()}
	p.report.Moved = len(removals)
	p.flush()
}

// claims returns the number of layouts that could have written a file.
func (p *planRun) claims(path string) (n int) {
	for _, l := range p.layouts() {
		if _, ours := l.Collection(path); ours {
			n++
		}
	}
	return n
}

// maxJudged bounds the files that are read to find out which layout they have.
const maxJudged = 1000

// judge finds out, by what the files say themselves, which layout has written those that several
// could have: services/pods/x.yaml is a pod or a service. What remains open stays in doubt.
func (p *planRun) judge(ctx context.Context, paths []string) error {
	p.judged = map[string]event.Layout{}
	for chunk := range slices.Chunk(paths[:min(len(paths), maxJudged)], readAtOnce) {
		err := readFiles(ctx, p.base, chunk, func(path string, data []byte) {
			for _, l := range p.layouts() {
				if isManifestOf(l, path, data) {
					p.judged[path] = l
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteFormer removes the file of an object that is gone from where a former layout had it, if the
// file names the object.
func (p *planRun) deleteFormer(ctx context.Context, e event.Event, path string) error {
	if !p.ownership.owner.Adopted {
		return nil
	}
	for _, f := range p.former {
		old := f.Path(e.Resource)
		entry, exists := p.entry(old)
		if _, owned := p.ownedFolder(old); old == path || !exists || !entry.isFile() || owned {
			continue
		}
		if _, changed := p.overlay[old]; changed {
			continue // it is the file of another object by now
		}
		err := readFiles(ctx, p.base, []string{old}, func(_ string, data []byte) {
			if isManifestOf(f, old, data) {
				p.add(e, Change{Path: old, Remove: true}, nil)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
