package gitsink

import (
	"context"
	"hash/maphash"
	"iter"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// fileNames are the files that a plan finds and leaves in a folder, by a hash of the path: the
// paths themselves would take many times the memory. Two paths that meet by chance cost no more
// than a file that is sent although it is right, or an orphan that stays until the next seed.
type fileNames struct {
	seed    maphash.Seed
	known   map[uint64]string // the Git name of the content; "": it is no regular file
	folders map[uint64]struct{}
	last    string // folder
}

func (f *fileNames) put(path string, e Entry) {
	if !e.isFile() {
		e.Hash = ""
	}
	f.known[maphash.String(f.seed, path)] = e.Hash
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[:i] != f.last {
		f.last = path[:i]
		for folder := range foldersAbove(path) {
			f.folders[maphash.String(f.seed, folder)] = struct{}{}
		}
	}
}

// blocked returns what of somebody else's stands in the way of a path, as planRun.blocked does that
// looks it up in the tree: for a hundred thousand files that would take minutes.
func (f *fileNames) blocked(path, name string, exists bool) error {
	if exists && name == "" {
		return notRegular(path)
	}
	for folder := range foldersAbove(path) {
		if _, is := f.known[maphash.String(f.seed, folder)]; is {
			return notFolder(folder)
		}
	}
	if _, is := f.folders[maphash.String(f.seed, path)]; is {
		return isFolder(path)
	}
	return nil
}

// foldersAbove yields the folders that a path lies in.
func foldersAbove(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(path) {
			if path[i] == '/' && !yield(path[:i]) {
				return
			}
		}
	}
}

// take returns the name of a file's content, and forgets the file.
func (f *fileNames) take(path string) (name string, exists bool) {
	key := maphash.String(f.seed, path)
	name, exists = f.known[key]
	delete(f.known, key)
	return name, exists
}

// compare tells a Snapshot which files differ from what they are to hold, and may be written. It
// reports whether files are left that no living object has.
func (p *planRun) compare(ctx context.Context, f *fileNames, live event.Snapshot) (left bool, err error) {
	layout := p.writer.opts.Layout
	for o := range live.Objects() {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		path := layout.Path(o.Resource)
		name, exists := f.take(path)
		if fits(o, name, exists) {
			continue
		}
		if err := p.refusal(path, func() error { return f.blocked(path, name, exists) }); err != nil {
			p.report.Skipped = append(p.report.Skipped, Skipped{o.Resource, err, false})
			continue
		}
		live.Differs(o)
		p.report.Different++
	}
	return p.mayBeOurs(f), nil
}

// mayBeOurs reports whether any of the files could have been written by our layout.
func (p *planRun) mayBeOurs(left *fileNames) bool {
	if left.take(OwnerFile); len(left.known) == 0 {
		return false
	}
	for path := range p.paths() {
		if _, is := left.take(path); is {
			if _, ours := p.writer.opts.Layout.Collection(path); ours {
				return true
			}
		}
	}
	return false
}

// fits reports whether an object needs no write: its file has its content already, or its
// Precondition does not allow it.
func fits(o event.Object, name string, exists bool) bool {
	switch o.Precondition {
	case event.IfAbsent:
		return exists
	case event.IfPresent:
		return !exists || o.Digest.Names(name)
	default:
		return exists && o.Digest.Names(name)
	}
}

// files returns the files as the run leaves them.
func (p *planRun) files() *fileNames {
	f := &fileNames{seed: maphash.MakeSeed(), known: map[uint64]string{}, folders: map[uint64]struct{}{}}
	for path, e := range p.base.Paths("") {
		f.put(path, e)
	}
	for path, e := range p.overlay {
		if e != nil {
			f.put(path, *e)
		} else {
			f.take(path)
		}
	}
	return f
}
