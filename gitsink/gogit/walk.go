package gogit

import (
	"fmt"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

const (
	// maxWalkedPath is PATH_MAX of Linux, in bytes: no clone can hold a longer path. It bounds the
	// depth too, to 2,048 folders, which is what git itself descends by default
	// (core.maxTreeDepth).
	maxWalkedPath = 4096
	// pathOverhead is what a path costs who keeps it, beside its bytes.
	pathOverhead = 128
)

// walker yields the files of a folder. A few trees of a few entries can stand for any number of
// paths, since each may be in its parent many times (a "git bomb"). So the paths are counted, and
// a tree without files is walked once.
type walker struct {
	trees  object.Trees
	note   func(error) // of what is wrong with a tree
	yield  func(string, gitsink.Entry) bool
	barren map[object.ID]bool // trees without a file at any depth
	limit  int64              // of left, for the error
	left   int64              // bytes of paths that may be yielded yet, overhead included
}

// newWalker returns a walker that yields at most limit bytes of paths, overhead included. What is
// wrong with a tree goes to note, and ends the walk.
func newWalker(trees object.Trees, note func(error), limit int64, yield func(string, gitsink.Entry) bool) *walker {
	return &walker{trees: trees, note: note, yield: yield, barren: map[object.ID]bool{}, limit: limit, left: limit}
}

// walk yields what is in a folder and below. It reports whether there were files, and whether to
// go on. Its depth is that of the path, which is bounded.
func (w *walker) walk(folder object.ID, prefix string) (files, more bool) {
	if len(prefix) > maxWalkedPath {
		w.note(&object.LimitError{Text: fmt.Sprintf("the path of the folder %s has more than %d bytes, which no clone can hold", object.Quoted(prefix), maxWalkedPath)})
		return false, false
	}
	tree, err := w.trees.Tree(folder) // which looks at the context, too
	if err == nil {
		err = object.CheckNames(folder.Format(), tree, prefix)
	}
	if err != nil {
		w.note(err)
		return false, false
	}
	for e, err := range object.Entries(folder.Format(), tree) {
		if err != nil {
			w.note(err)
			return false, false
		}
		if !e.IsTree() {
			files = true
			if !w.take(prefix+e.Name) || !w.yield(prefix+e.Name, e.Public()) {
				return true, false
			}
			continue
		}
		if w.barren[e.ID()] {
			continue
		}
		some, more := w.walk(e.ID(), prefix+e.Name+"/")
		if !more {
			return true, false
		}
		files = files || some
	}
	if !files {
		w.barren[folder] = true
	}
	return files, true
}

// take counts a path.
func (w *walker) take(path string) bool {
	w.left -= int64(len(path) + pathOverhead)
	if w.left < 0 {
		w.note(&object.LimitError{Text: fmt.Sprintf("up to %s, the paths below the base folder take more than %d bytes: raise MaxHeldBytes, "+
			"or look for folders that hold the same ones many times", object.Quoted(path), w.limit)})
	}
	return w.left >= 0
}
