package gitsink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// planRun is one run of a plan: what the events of a batch come to on one tree.
type planRun struct {
	writer    *Writer
	to        destination.Destination
	policy    Policy
	base      Tree
	ownership ownership
	filters   filters
	layout    event.Layout
	former    []event.Layout    // from which files may be left
	stored    map[string][]byte // encrypted files as they stand
	overlay   map[string]*Entry // what the run has made of a path so far; nil: removed
	moves     map[string]string // the old paths of files that stand at new ones as they were
	judged    map[string]event.Layout
	remnants  map[string]remnant

	pending pendingCommit
	commits []Commit
	again   []event.Event // those that have to be tried again
	tried   []uint64      // the objects of the events, by idHash
	skips   skips
	report  Report

	seen  event.Snapshot // of a SeedSync
	swept bool           // it was carried out, with the removal of what has no object
	// foreign are the folders below ours that have an owner of their own, each with a slash at its
	// end; nil without a SeedSync. excluded are those of them in which a file was neither looked at
	// nor deleted for that.
	foreign, excluded map[string]bool
	// sweepable reports whether the SeedSync has a collection.
	sweepable func(event.Collection) bool
}

// plan runs a plan on a tree.
func (w *Writer) plan(ctx context.Context, to destination.Destination, base Tree, events []event.Event) (*planRun, error) {
	policy := w.opts.Policy(to)
	// Faulty options stop a batch without a SeedSync too: a delete obeys the Policy.
	if err := policy.Orphans.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrPermanent, err)
	}
	if policy.Layout == nil {
		policy.Layout = w.opts.Layout
	}
	ownership, err := w.checkOwnership(ctx, base, w.owner(to, policy.Layout), policy.Adopt)
	if err != nil {
		return nil, err
	}
	p := &planRun{
		writer: w, to: to, policy: policy, base: base, ownership: ownership, layout: policy.Layout, overlay: map[string]*Entry{}, excluded: map[string]bool{},
	}
	if p.former, err = w.formerLayouts(ownership.owner); err != nil {
		return nil, err
	}
	p.report.Adopted = ownership.owner.Adopted
	seedSync := slices.IndexFunc(events, func(e event.Event) bool { return e.Operation == event.SeedSync })
	var seen *survey
	paths := p.written(events)
	attributes := attributesOf(base, paths)
	if seedSync >= 0 {
		defer w.surveys.enter(ctx)()
		seen = look(base)
		attributes, p.foreign = seen.attributes, seen.foreign
	}
	if p.filters, err = readFilters(ctx, base, to.BaseFolder, attributes); err != nil {
		return nil, err
	}
	if seedSync >= 0 {
		if err := p.move(ctx, seen, events[seedSync].Inventory); err != nil {
			return nil, err
		}
	}
	if err := p.readStored(ctx, events); err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.Operation != event.SeedSync {
			p.tried = append(p.tried, idHash(e.Resource.ID))
		}
		switch {
		case e.Operation == event.SeedSync:
		case e.Operation == event.Delete && policy.Orphans.Policy == orphan.Never:
		default:
			if err := p.fold(ctx, e); err != nil {
				return nil, err
			}
		}
	}
	// Orphans are looked for last, on the tree as this run leaves it. Looked for on the base tree,
	// a file that the run has just written, and whose object has died since, would stay.
	if seedSync >= 0 {
		if err := p.seed(ctx, seen, events[seedSync].Inventory); err != nil {
			return nil, err
		}
	}
	if err := p.findFiltered(ctx, paths, p.swept); err != nil {
		return nil, err
	}
	p.report.Excluded = orphan.NewFound(slices.Sorted(maps.Keys(p.excluded)))
	p.flush()
	if err := p.kustomize(ctx, seen); err != nil {
		return nil, err
	}
	p.writeOwner()
	return p, nil
}

// writeOwner adds the OwnerFile to the first commit, or makes one of its own if it cannot wait.
func (p *planRun) writeOwner() {
	switch {
	case !p.ownership.write:
	case len(p.commits) > 0:
		p.commits[0].Changes = append(p.commits[0].Changes, p.ownership.owner.change())
	case p.ownership.urgent:
		p.commits = []Commit{{Message: "Adopt " + folderName(p.to), Committer: p.writer.opts.Committer, Changes: []Change{p.ownership.owner.change()}}}
	}
}

// landed returns the report of a run whose commits, if it made any, are on the branch.
func (p *planRun) landed(result Result, now time.Time) Report {
	r := p.report
	r.Destination, r.Tip, r.Result, r.Token = p.to, result.Tip, result, p.policy.Token
	r.tried, r.skipped = leftOf(p.tried), leftOf(p.skips.all)
	r.Skipped, r.SkippedCount = p.skips.first, len(r.skipped)
	if len(result.Commits) > 0 {
		r.LastCommit = now
	}
	if p.swept {
		r.LastSeed = now
	}
	return r
}

// readStored reads the encrypted files that events would replace, in one request.
func (p *planRun) readStored(ctx context.Context, events []event.Event) (err error) {
	if p.writer.opts.Encryptor == nil {
		return nil
	}
	var paths []string
	for _, e := range events {
		if e.Writes() && p.writer.sensitive(e.Resource, e.Sensitive) != nil {
			switch path := p.path(e); {
			case p.moves[path] != "":
				paths = append(paths, p.moves[path])
			case p.exists(path):
				paths = append(paths, path)
			}
		}
	}
	if len(paths) > 0 {
		p.stored, err = p.base.Read(ctx, paths...)
	}
	for path, old := range p.moves {
		if data, ok := p.stored[old]; ok {
			p.stored[path] = data
		}
	}
	return err
}

// written returns the paths that events may write.
func (p *planRun) written(events []event.Event) (paths []string) {
	for _, e := range events {
		if e.Writes() {
			paths = append(paths, p.path(e))
		}
	}
	return paths
}

func (p *planRun) path(e event.Event) string { return p.layout.Path(e.Resource) }

// entry returns what stands at a path at this point of the run.
func (p *planRun) entry(path string) (Entry, bool) {
	if e, ok := p.overlay[path]; ok {
		if e == nil {
			return Entry{}, false
		}
		return *e, true
	}
	return p.base.Entry(path)
}

func (p *planRun) exists(path string) bool {
	_, ok := p.entry(path)
	return ok
}
