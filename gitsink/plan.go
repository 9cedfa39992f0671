package gitsink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// draft is one run of a plan.
type draft struct {
	writer  *Writer
	to      destination.Destination
	base    Tree
	stored  map[string][]byte // encrypted files as they stand
	overlay map[string]*Entry // what the draft made of a path so far; nil: removed
	claim   claim
	group   group
	commits []Commit
	again   []event.Event
	report  Report
	filters filters
	inner   map[string]bool // folders below ours that have an owner of their own, with a slash at the end; of a sweep only
	kept    map[string]bool // those that hold files which would be swept, or deleted
	swept   func(event.Collection) bool
}

// group is a commit in the making.
type group struct {
	changes []Change
	events  []event.Event
	removed int // orphans
	pruned  int // files that no rule covers
}

func (w *Writer) plan(ctx context.Context, to destination.Destination, base Tree, events []event.Event) (*draft, error) {
	claim, err := claimFolder(ctx, base, w.owner(to), w.opts.Adopt(to.Ref))
	if err != nil {
		return nil, err
	}
	d := &draft{writer: w, to: to, base: base, overlay: map[string]*Entry{}, kept: map[string]bool{}, claim: claim}
	d.report.Adopted = claim.owner.Adopted
	if err := d.readStored(ctx, events); err != nil {
		return nil, err
	}
	options := w.opts.Orphans(to.Ref)
	if err := options.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrPermanent, err) // also without a SeedSync: a delete asks for it, too
	}
	var sync *event.Event
	if i := slices.IndexFunc(events, func(e event.Event) bool { return e.Operation == event.SeedSync }); i >= 0 {
		sync = &events[i]
	}
	paths := d.writes(events)
	if d.filters, err = readFilters(ctx, base, to.BaseFolder, paths, sync != nil); err != nil {
		return nil, err
	}
	for _, e := range events {
		switch {
		case e.Operation == event.SeedSync:
		case e.Operation == event.Delete && options.Policy == orphan.Never:
		default:
			if err := d.fold(ctx, e); err != nil {
				return nil, err
			}
		}
	}
	// Orphans are looked for last, on the tree as this draft leaves it. Looked for on the base tree, a file that the draft
	// has just written, and whose object has died since, would stay.
	if sync != nil {
		d.inner = ownedFolders(base)
		uncovered, err := d.sweep(*sync, options)
		if err != nil {
			return nil, err
		}
		if err := d.prune(ctx, uncovered, w.opts.Prune(to.Ref)); err != nil {
			return nil, err
		}
	}
	if err := d.findFiltered(ctx, paths, sync != nil); err != nil {
		return nil, err
	}
	d.report.Excluded = orphan.NewFound(slices.Sorted(maps.Keys(d.kept)))
	d.flush()
	if len(d.commits) == 0 && claim.now {
		d.commits = []Commit{{Message: "Adopt " + folderName(to), Committer: w.opts.Committer, Changes: []Change{claim.owner.change()}}}
	}
	return d, nil
}

// readStored reads the encrypted files that events would replace, in one request.
func (d *draft) readStored(ctx context.Context, events []event.Event) (err error) {
	if d.writer.opts.Encryptor == nil {
		return nil
	}
	var paths []string
	for _, e := range events {
		if e.Writes() && event.IsSecret(e.Resource.ID) {
			if path := d.path(e); d.exists(path) {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) > 0 {
		d.stored, err = d.base.Read(ctx, paths...)
	}
	return err
}

func (d *draft) path(e event.Event) string { return d.writer.opts.Layout.Path(e.Resource) }

// entry is what stands at a path at this point of the draft.
func (d *draft) entry(path string) (Entry, bool) {
	if e, ok := d.overlay[path]; ok {
		if e == nil {
			return Entry{}, false
		}
		return *e, true
	}
	return d.base.Entry(path)
}

func (d *draft) exists(path string) bool {
	_, ok := d.entry(path)
	return ok
}

// fold adds one event to the draft. An object that cannot be written is left out and reported; the error is for what stops
// the whole plan.
func (d *draft) fold(ctx context.Context, e event.Event) error {
	path := d.path(e)
	entry, exists := d.entry(path)
	owner, owned := ownedFolder(d.base, path)
	if e.Operation == event.Delete {
		switch {
		case !exists || !entry.isFile():
		case owned:
			d.kept[strings.TrimSuffix(owner, OwnerFile)] = true
		default:
			d.add(e, Change{Path: path, Remove: true}, nil)
		}
		return nil
	}
	if e.Precondition == event.IfAbsent && exists || e.Precondition == event.IfPresent && !exists {
		return nil
	}
	if owned {
		d.skip(e, fmt.Errorf("%w: %s stands in the way of %s", ErrOwned, owner, path), false)
		return nil
	}
	if err := d.blocked(path, entry, exists); err != nil {
		d.skip(e, err, false)
		return nil
	}
	if f, filtered := d.filters.of(path); filtered && d.writer.opts.RefuseFiltered {
		d.skip(e, fmt.Errorf("%w: %s has %w, which is not run", ErrPath, path, f), false)
		return nil
	}
	data, err := d.content(ctx, e, path, exists)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.skip(e, err, !errors.Is(err, event.ErrSecret))
		return nil
	}
	if data == nil || exists && same(entry, data) {
		return nil
	}
	d.add(e, Change{Path: path, Data: data}, &Entry{Mode: ModeFile, Hash: blobHash(data)})
	return nil
}

// blocked tells why a path cannot be written: something of somebody else's stands in the way. It is found out here, since
// the sink would refuse the whole commit for one such path.
func (d *draft) blocked(path string, entry Entry, exists bool) error {
	if exists && !entry.isFile() {
		return fmt.Errorf("%w: %s is a symbolic link or a submodule", ErrPath, path)
	}
	for i := range len(path) {
		if path[i] == '/' {
			if _, ok := d.base.Entry(path[:i]); ok {
				return fmt.Errorf("%w: %s is not a folder", ErrPath, path[:i])
			}
		}
	}
	if !exists {
		for range d.base.Paths(path) {
			return fmt.Errorf("%w: %s is a folder", ErrPath, path)
		}
	}
	return nil
}

func (d *draft) skip(e event.Event, err error, retry bool) {
	d.report.Skipped = append(d.report.Skipped, Skipped{e.Resource, err, retry})
	if retry {
		d.again = append(d.again, e)
	}
}

// add puts a change into the group that its event belongs to.
func (d *draft) add(e event.Event, c Change, entry *Entry) {
	if n := len(d.group.events); n > 0 {
		switch d.writer.opts.CommitPer {
		case PerEvent:
			d.flush()
		case PerAuthor:
			if !d.group.events[n-1].Author.Same(e.Author) {
				d.flush()
			}
		}
	}
	d.group.events = append(d.group.events, e)
	d.group.changes = append(d.group.changes, c)
	d.overlay[c.Path] = entry
}

// sweep removes the files that have lost their object, and returns those that no rule covers any more. In a folder that
// is not adopted none goes, so the limit does not count there, and all that would go are told.
func (d *draft) sweep(sync event.Event, options orphan.Options) (uncovered []string, err error) {
	d.report.Synced, d.report.Orphans = true, options
	options.Approved = options.Approved || !d.claim.owner.Adopted
	var found []string
	err = sync.Inventory.View(func(view event.Snapshot) error {
		listed, known := view.Collections(), map[event.Collection]bool{}
		d.swept = func(scope event.Collection) bool {
			is, ok := known[scope]
			if !ok {
				is = slices.ContainsFunc(listed, func(s event.Collection) bool { return s.Covers(scope) })
				known[scope] = is
			}
			return is
		}
		uncovered = orphan.Uncovered(d.paths(), d.writer.opts.Layout, view)
		var err error
		found, err = orphan.Find(d.paths(), d.writer.opts.Layout, view, &options)
		return err
	})
	d.report.Uncovered = orphan.NewFound(uncovered)
	if tooMany := (*orphan.TooManyError)(nil); errors.As(err, &tooMany) {
		d.report.Held = tooMany
		return uncovered, nil
	}
	if err != nil {
		return nil, err
	}
	if !d.claim.owner.Adopted {
		d.report.Unadopted = found
		return uncovered, nil
	}
	if len(found) > 0 && d.writer.opts.CommitPer != PerBatch {
		d.flush()
	}
	for _, path := range found {
		d.remove(path)
	}
	d.group.removed = len(found)
	d.report.Removed = len(found)
	return uncovered, nil
}

func (d *draft) remove(path string) {
	d.group.changes = append(d.group.changes, Change{Path: path, Remove: true})
	d.overlay[path] = nil
}

// paths yields the files of the draft that can be ours, in no particular order. Symbolic links and submodules are somebody
// else's wherever they stand, and the sink would refuse to remove one. So is what lies in a folder with its own owner.
func (d *draft) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for path, entry := range d.base.Paths("") {
			if _, changed := d.overlay[path]; changed || !entry.isFile() {
				continue
			}
			if folder, owned := outermost(path, d.inner); owned {
				if scope, ours := d.writer.opts.Layout.Collection(path); ours && d.swept(scope) {
					d.kept[folder] = true
				}
				continue
			}
			if !yield(path) {
				return
			}
		}
		for path, entry := range d.overlay {
			if entry != nil && !yield(path) {
				return
			}
		}
	}
}

// flush makes a commit of the group. The first one carries the OwnerFile.
func (d *draft) flush() {
	g := d.group
	d.group = group{}
	if len(g.changes) == 0 {
		return
	}
	opts := d.writer.opts
	c := Commit{Changes: g.changes, Message: message(d.to, g), Author: author(g.events), Committer: opts.Committer}
	if opts.Message != nil {
		c.Message = opts.Message(d.to, slices.Clone(g.events))
	}
	if d.claim.write && len(d.commits) == 0 {
		c.Changes = append(c.Changes, d.claim.owner.change())
	}
	d.commits = append(d.commits, c)
}

// author is who made all of the events, and when the newest was made; zero if that is more than one, or unknown.
func author(events []event.Event) Signature {
	if len(events) == 0 || events[0].Author.Same(event.Author{}) {
		return Signature{}
	}
	s := Signature{Name: events[0].Author.Name, Email: events[0].Author.Email}
	for _, e := range events {
		if !e.Author.Same(events[0].Author) {
			return Signature{}
		}
		when := e.Author.When
		if when.IsZero() {
			when = e.Time
		}
		if when.After(s.When) {
			s.When = when
		}
	}
	return s
}
