package gitsink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"iter"
	"strings"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/gitattr"
)

// survey is all that a seed has to know of a tree, from one walk through it.
type survey struct {
	files *fileNames
	// attributes are the paths of the .gitattributes; foreign are the folders with an owner of
	// their own, each with a slash at its end.
	attributes []string
	foreign    map[string]bool
}

// look walks through a tree.
func look(base Tree) *survey {
	s := &survey{
		files:   &fileNames{seed: maphash.MakeSeed(), known: map[uint64]blobName{}, folders: map[uint64]struct{}{}},
		foreign: map[string]bool{},
	}
	for path, e := range base.Paths("") {
		s.files.put(path, e)
		folder, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
		switch {
		case name == gitattr.FileName && e.isFile():
			s.attributes = append(s.attributes, path)
		case name == OwnerFile && folder != "" && e.Mode == ModeFile:
			s.foreign[folder] = true
		}
	}
	return s
}

// fileNames are the files that a plan finds and leaves in a folder, by a hash of the path: the
// paths themselves would take many times the memory. Two paths that meet by chance cost no more
// than a file that is sent although it is right, or an orphan that stays until the next seed.
type fileNames struct {
	seed    maphash.Seed
	known   map[uint64]blobName
	folders map[uint64]struct{}
	last    string // folder
}

// blobName is the beginning of a Git name, as long as that of an event.Digest. The zero one is of
// what is no regular file.
type blobName struct {
	begin  [len(event.Digest{}.SHA1)]byte
	sha256 bool
}

func blobNameOf(e Entry) (b blobName) {
	if e.isFile() && len(e.Hash) >= hex.EncodedLen(len(b.begin)) {
		// What is not hexadecimal is the name of no content.
		_, _ = hex.Decode(b.begin[:], []byte(e.Hash[:hex.EncodedLen(len(b.begin))]))
		b.sha256 = len(e.Hash) == hex.EncodedLen(sha256.Size)
	}
	return b
}

func (b blobName) isOf(d event.Digest) bool {
	if b.sha256 {
		return b.begin == d.SHA256 && d != event.Digest{}
	}
	return b.begin == d.SHA1 && d != event.Digest{}
}

func (f *fileNames) put(path string, e Entry) {
	f.known[maphash.String(f.seed, path)] = blobNameOf(e)
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[:i] != f.last {
		f.last = path[:i]
		for folder := range foldersAbove(path) {
			f.folders[maphash.String(f.seed, folder)] = struct{}{}
		}
	}
}

// blocked returns what of somebody else's stands in the way of a path, as planRun.blocked does that
// looks it up in the tree: for a hundred thousand files that would take minutes.
func (f *fileNames) blocked(path string, name blobName, exists bool) error {
	if exists && name == (blobName{}) {
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
func (f *fileNames) take(path string) (name blobName, exists bool) {
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
		if p.writer.sensitive(o.Resource, nil) != nil {
			o.Digest = event.Digest{} // the file is encrypted, and one in plain must not stay
		}
		if fits(o, name, exists) {
			continue
		}
		if err := p.refusal(path, func() error { return f.blocked(path, name, exists) }); err != nil {
			p.skips.add(Skipped{o.Resource, err, false})
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
func fits(o event.Object, name blobName, exists bool) bool {
	switch o.Precondition {
	case event.IfAbsent:
		return exists
	case event.IfPresent:
		return !exists || name.isOf(o.Digest)
	default:
		return exists && name.isOf(o.Digest)
	}
}

// files returns the files as the run leaves them, from those of the tree.
func (p *planRun) files(base *fileNames) *fileNames {
	for path, e := range p.overlay {
		if e != nil {
			base.put(path, *e)
		} else {
			base.take(path)
		}
	}
	return base
}
