package gogit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

const (
	// maxWalkedPath is PATH_MAX of Linux, in bytes: no clone can hold a longer path. It bounds the depth too, to 2,048 folders,
	// which is what git itself descends by default (core.maxTreeDepth).
	maxWalkedPath = 4096
	// pathOverhead is what a path costs who keeps it, beside its bytes.
	pathOverhead = 128
)

// walker yields the files of a folder. A few trees of a few entries can stand for any number of paths, since each may be in
// its parent many times (a "git bomb"). So the paths are counted, and a tree without files is walked once.
type walker struct {
	view   *view
	yield  func(string, gitsink.Entry) bool
	barren map[plumbing.Hash]bool // trees without a file at any depth
	left   int64                  // bytes of paths that may be yielded yet, overhead included
}

// walk yields what is in a folder and below. What is wrong with a tree is noted in the view, and ends the walk.
func walk(v *view, folder plumbing.Hash, prefix string, yield func(string, gitsink.Entry) bool) {
	w := &walker{view: v, yield: yield, barren: map[plumbing.Hash]bool{}, left: v.remote.sink.opts.MaxHeldBytes}
	w.walk(folder, prefix)
}

// walk reports whether there were files, and whether to go on. Its depth is that of the path, which is bounded.
func (w *walker) walk(folder plumbing.Hash, prefix string) (files, more bool) {
	if len(prefix) > maxWalkedPath {
		w.view.note(&limitError{fmt.Sprintf("the path of the folder %s has more than %d bytes, which no clone can hold", quoted(prefix), maxWalkedPath)})
		return false, false
	}
	tree, err := w.view.tree(folder) // which looks at the context, too
	if err == nil {
		err = checkNames(tree, prefix)
	}
	if err != nil {
		w.view.note(err)
		return false, false
	}
	for e, err := range entries(tree) {
		if err != nil {
			w.view.note(err)
			return false, false
		}
		if !e.isTree() {
			files = true
			if !w.take(prefix+e.name) || !w.yield(prefix+e.name, e.public()) {
				return true, false
			}
			continue
		}
		if w.barren[e.hash] {
			continue
		}
		some, more := w.walk(e.hash, prefix+e.name+"/")
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
		w.view.note(&limitError{fmt.Sprintf("up to %s, the paths below the base folder take more than %d bytes: raise MaxHeldBytes, "+
			"or look for folders that hold the same ones many times", quoted(path), w.view.remote.sink.opts.MaxHeldBytes)})
	}
	return w.left >= 0
}

// limitError means that something from outside is larger than it may be, and says what and the bound. It matches
// gitsink.ErrTooLarge.
type limitError struct{ text string }

func (e *limitError) Error() string   { return e.text }
func (e *limitError) Unwrap() []error { return []error{gitsink.ErrTooLarge, errTooMuch} }

const maxExcerpt = 200

// quoted shows something from outside for an error, cut to a length that can be read.
func quoted(s string) string {
	if len(s) > maxExcerpt {
		return strconv.QuoteToASCII(s[:maxExcerpt]) + "..."
	}
	return strconv.Quote(s)
}

// checkNames returns a *pathError for the first entry of a folder whose name no path can have, or that stands there twice.
// git fsck refuses such trees, but a server need not run it. In the base folder they are an error, since nobody can tell what
// a path means there; elsewhere they are carried through.
func checkNames(tree, prefix string) error {
	fault := func(name, reason string) error { return &pathError{path: cut(prefix + name), reason: reason} }
	var last entry
	var files []string // whose names the next one may begin with, the shortest first
	for e, err := range entries(tree) {
		if err != nil {
			return fmt.Errorf("the folder %s: %w", quoted(prefix), err)
		}
		switch {
		case e.name == "":
			return fault(e.name, "an entry has no name")
		case e.name == ".", e.name == "..", strings.EqualFold(e.name, ".git"), strings.Contains(e.name, "/"):
			return fault(e.name, fmt.Sprintf("the name %s of an entry is not allowed in Git", quoted(e.name)))
		}
		for len(files) > 0 && !strings.HasPrefix(e.name, files[len(files)-1]) {
			files = files[:len(files)-1]
		}
		switch order := compareEntries(last, e); {
		case order > 0:
			return fault(e.name, "the entries of the folder are not in Git's order")
		case order == 0, len(files) > 0 && files[len(files)-1] == e.name:
			return fault(e.name, fmt.Sprintf("two entries have the name %s", quoted(e.name)))
		}
		if last = e; !e.isTree() {
			files = append(files, e.name)
		}
	}
	return nil
}

func cut(s string) string { return s[:min(len(s), maxExcerpt)] }
