package gitsink

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// seed carries a SeedSync out. It tells the Inventory what differs. If nothing does that has to be
// sent first, it removes the files that have lost their object, and prunes what no rule covers any
// more if that is ordered.
func (p *planRun) seed(ctx context.Context, seen *survey, inventory event.Inventory) error {
	names := p.files(seen.files) // the source may hold a lock during View
	var orphans, uncovered []string
	err := inventory.View(func(live event.Snapshot) (err error) {
		p.seen, p.sweepable = live, covers(live)
		left, err := p.compare(ctx, names, live)
		p.findRemnants(names, live)
		if p.swept = live.MaySweep(); err == nil && p.swept && left {
			orphans, uncovered, err = p.search(live)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !p.swept:
		return p.endMove(ctx)
	}
	p.report.Uncovered = orphan.NewFound(uncovered)
	if !p.ownership.owner.Adopted {
		p.report.Unadopted = orphans
	} else {
		if len(orphans) > 0 && p.writer.opts.CommitPer != PerBatch {
			p.flush()
		}
		for _, path := range orphans {
			p.remove(path)
		}
		p.pending.removed, p.report.Removed = len(orphans), len(orphans)
	}
	if err := p.prune(ctx, uncovered); err != nil {
		return err
	}
	return p.endMove(ctx)
}

// search returns the orphans that may go, and the files that no rule covers any more. In a folder
// that is not adopted no orphan goes, so the limit does not count there, and all that would go are
// reported.
func (p *planRun) search(live event.Snapshot) (orphans, uncovered []string, err error) {
	layout, approval := p.sweptLayout(live), p.policy.Approval
	approval.All = approval.All || !p.ownership.owner.Adopted
	uncovered = orphan.Uncovered(p.unmoved(), layout, live)
	orphans, err = orphan.Find(p.unmoved(), layout, live, &p.policy.Orphans, approval)
	if errors.As(err, &p.report.Held) {
		return nil, uncovered, nil
	}
	return orphans, uncovered, err
}

// covers returns a function that reports whether a snapshot has a collection, and remembers the
// answers.
func covers(live event.Snapshot) func(event.Collection) bool {
	listed, known := live.Collections(), map[event.Collection]bool{}
	return func(c event.Collection) bool {
		is, ok := known[c]
		if !ok {
			is = slices.ContainsFunc(listed, func(l event.Collection) bool { return l.Covers(c) })
			known[c] = is
		}
		return is
	}
}

func (p *planRun) remove(path string) {
	p.pending.changes = append(p.pending.changes, Change{Path: path, Remove: true})
	p.overlay[path] = nil
}

// paths yields the files that can be ours as the run leaves them, in no particular order. Symbolic
// links and submodules are somebody else's wherever they stand, and the sink would refuse to remove
// one. So is what lies in a folder with an owner of its own.
func (p *planRun) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for path, entry := range p.base.Paths("") {
			if _, changed := p.overlay[path]; changed || !entry.isFile() {
				continue
			}
			if folder, owned := outermost(path, p.foreign); owned {
				if p.isSweepable(path) {
					p.excluded[folder] = true
				}
				continue
			}
			if !yield(path) {
				return
			}
		}
		for path, entry := range p.overlay {
			if entry != nil && !yield(path) {
				return
			}
		}
	}
}
