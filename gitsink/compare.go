package gitsink

import (
	"context"
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
	// kustomizations are the paths of the KustomizationFiles, whoever wrote them.
	kustomizations []string
}

// look walks through a tree.
func look(base Tree) *survey {
	s := &survey{
		files:   newFileNames(),
		foreign: map[string]bool{},
	}
	for path, e := range base.Paths("") {
		s.files.find(path, e)
		folder, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
		switch {
		case name == gitattr.FileName && e.isFile():
			s.attributes = append(s.attributes, path)
		case name == KustomizationFile && e.isFile():
			s.kustomizations = append(s.kustomizations, path)
		case name == OwnerFile && folder != "" && e.Mode == ModeFile:
			s.foreign[folder] = true
		}
	}
	s.files.sort()
	return s
}

// compare tells a Snapshot which files differ from what they are to hold, and may be written. It
// reports whether files are left that no living object has.
func (p *planRun) compare(ctx context.Context, f *fileNames, live event.Snapshot) (left bool, err error) {
	layout := p.layout
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

// mayBeOurs reports whether any of the files could have been written by our layout, or a former
// one.
func (p *planRun) mayBeOurs(left *fileNames) bool {
	if left.take(OwnerFile); left.none() {
		return false
	}
	for path := range p.paths() {
		if left.has(path) && p.ours(path) {
			return true
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
