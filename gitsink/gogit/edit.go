package gogit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// pathError says why a path cannot be written. It matches gitsink.ErrPath.
type pathError struct {
	path, reason string
	err          error // may be nil
}

func (e *pathError) Error() string { return fmt.Sprintf("%q: %s", e.path, e.reason) }

func (e *pathError) Unwrap() []error {
	if e.err == nil {
		return []error{gitsink.ErrPath}
	}
	return []error{gitsink.ErrPath, e.err}
}

// checkPaths returns everything that is wrong with the paths as such, joined.
func checkPaths(folder string, commits []gitsink.Commit) error {
	var faults []error
	for _, commit := range commits {
		for _, change := range commit.Changes {
			err := destination.ValidatePath(change.Path)
			if err == nil {
				err = destination.ValidatePath(join(folder, change.Path))
			}
			if err == nil && !change.Remove {
				err = checkAttributes(change)
			}
			if err != nil {
				faults = append(faults, &pathError{path: change.Path, reason: err.Error(), err: err})
			}
		}
	}
	return errors.Join(faults...)
}

// What Git reads of a .gitattributes (gitattributes(5)); git fsck refuses one with more.
const (
	maxAttributes     = 100 << 20
	maxAttributesLine = 2048
)

// checkAttributes looks into the only kind of file whose content git fsck judges and that may be written.
func checkAttributes(change gitsink.Change) error {
	if !strings.HasSuffix("/"+change.Path, "/.gitattributes") {
		return nil
	}
	if len(change.Data) > maxAttributes {
		return fmt.Errorf("it has %d bytes, more than the %d that Git reads", len(change.Data), maxAttributes)
	}
	for line := range bytes.SplitSeq(change.Data, []byte("\n")) {
		if len(line) >= maxAttributesLine {
			return fmt.Errorf("a line has %d bytes, more than the %d that Git reads", len(line), maxAttributesLine-1)
		}
	}
	return nil
}

func join(folder, path string) string {
	if folder == "" {
		return path
	}
	return folder + "/" + path
}

// editor changes trees in memory. Only the folders on the way to a change are read, and written again.
type editor struct {
	trees trees
	root  *folder
	made  []object // since the last commit: blobs and trees
}

// folder is a tree that is being edited. What is in it keeps its place and its spelling, whether or not Git would allow it:
// only what a change names is looked at.
type folder struct {
	order    []*child          // as they were read, those removed included
	children map[string]*child // by their names; of those with one name the first
	added    []*child          // not among those read
	hash     plumbing.Hash     // as it was read or written last; zero: never
	dirty    bool              // differs from hash
}

// child is an entry of a folder. Its hash means nothing while one of data and a dirty folder stands for it.
type child struct {
	entry
	folder  *folder // read for editing
	data    []byte  // of a file to be written
	twice   bool    // another one has its name
	removed bool
}

func (f *folder) add(c *child) {
	f.children[c.name] = c
	f.added = append(f.added, c)
}

func (f *folder) remove(c *child) {
	c.removed = true
	delete(f.children, c.name)
}

func newEditor(t trees, root plumbing.Hash) (*editor, error) {
	e := &editor{trees: t}
	var err error
	e.root, err = e.load(root)
	return e, err
}

func (e *editor) load(hash plumbing.Hash) (*folder, error) {
	tree, err := e.trees.tree(hash)
	if err != nil {
		return nil, err
	}
	f := &folder{children: make(map[string]*child, len(tree)/32), hash: hash}
	for entry, err := range entries(tree) {
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w", hash, err)
		}
		c := &child{entry: entry}
		f.order = append(f.order, c)
		if first := f.children[entry.name]; first != nil {
			first.twice = true
			continue
		}
		f.children[entry.name] = c
	}
	return f, nil
}

// apply makes one change; path is relative to the root of the repository. It never follows symbolic links and submodules.
func (e *editor) apply(path string, change gitsink.Change) error {
	if change.Remove {
		return e.remove(e.root, path, path)
	}
	return e.write(e.root, path, path, change.Data)
}

// write puts a file at rest below f, which has the path whole. What is there already makes no change.
func (e *editor) write(f *folder, rest, whole string, data []byte) error {
	name, rest, nested := strings.Cut(rest, "/")
	c := f.children[name]
	if err := c.unique(whole); err != nil {
		return err
	}
	if nested {
		fresh := c == nil
		if fresh {
			c = &child{entry: entry{mode: spelledTree, name: name}, folder: &folder{children: map[string]*child{}}}
		}
		if err := e.open(c, whole); err != nil {
			return err
		}
		if err := e.write(c.folder, rest, whole, data); err != nil {
			return err
		}
		if fresh {
			f.add(c)
		}
		f.dirty = f.dirty || c.folder.dirty
		return nil
	}
	if c != nil && !c.isFile() {
		return &pathError{path: whole, reason: fmt.Sprintf("there is a %s", c.kind())}
	}
	hash := plumbing.ComputeHash(plumbing.BlobObject, data)
	if c != nil && c.hash == hash {
		return nil
	}
	if data == nil {
		data = []byte{}
	}
	if c == nil {
		c = &child{entry: entry{mode: spelledFile, name: name}}
		f.add(c)
	}
	c.hash, c.data = hash, data
	f.dirty = true
	return nil
}

// remove takes a file away, and each folder that it leaves empty.
func (e *editor) remove(f *folder, rest, whole string) error {
	name, rest, nested := strings.Cut(rest, "/")
	c := f.children[name]
	if err := c.unique(whole); err != nil {
		return err
	}
	switch {
	case c == nil, nested && !c.isTree():
		return nil // there is no such file
	case !nested && !c.isFile():
		return &pathError{path: whole, reason: fmt.Sprintf("there is a %s", c.kind())}
	case !nested:
		f.remove(c)
		f.dirty = true
		return nil
	}
	if err := e.open(c, whole); err != nil {
		return err
	}
	if err := e.remove(c.folder, rest, whole); err != nil {
		return err
	}
	f.dirty = f.dirty || c.folder.dirty
	if c.folder.dirty && len(c.folder.children) == 0 {
		f.remove(c)
	}
	return nil
}

// unique fails if a name means two entries: nobody can tell which of them a change is for.
func (c *child) unique(whole string) error {
	if c == nil || !c.twice {
		return nil
	}
	return &pathError{path: whole, reason: fmt.Sprintf("two entries have the name %s", quoted(c.name))}
}

// open makes sure that a child is a folder, and read.
func (e *editor) open(c *child, whole string) error {
	if !c.isTree() {
		return &pathError{path: whole, reason: fmt.Sprintf("%q is a %s, not a folder", c.name, c.kind())}
	}
	if c.folder != nil {
		return nil
	}
	f, err := e.load(c.hash)
	c.folder = f
	return err
}

// commit returns the hash of the root, and the objects that are new since the last commit.
func (e *editor) commit() (plumbing.Hash, []object) {
	root := e.flush(e.root)
	objects := e.made
	e.made = nil
	return root, objects
}

func (e *editor) flush(f *folder) plumbing.Hash {
	if !f.dirty && !f.hash.IsZero() {
		return f.hash
	}
	f.settle()
	size := 0
	for _, c := range f.order {
		if c.folder != nil {
			c.hash = e.flush(c.folder)
		}
		if c.data != nil {
			e.made = append(e.made, object{kind: plumbing.BlobObject, hash: c.hash, data: c.data})
			c.data = nil
		}
		size += len(c.mode) + len(c.name) + 2 + len(c.hash)
	}
	tree := make([]byte, 0, size)
	for _, c := range f.order {
		tree = append(tree, c.mode...)
		tree = append(tree, ' ')
		tree = append(tree, c.name...)
		tree = append(tree, 0)
		tree = append(tree, c.hash[:]...)
	}
	o := newObject(plumbing.TreeObject, tree)
	if o.hash != f.hash {
		o.from = f.hash
		e.made = append(e.made, o)
	}
	f.hash, f.dirty = o.hash, false
	return f.hash
}

// settle drops what was removed and puts each child that was added before the first one that comes after it.
func (f *folder) settle() {
	gone := func(c *child) bool { return c.removed }
	added := slices.DeleteFunc(f.added, gone)
	f.order, f.added = slices.DeleteFunc(f.order, gone), nil
	if len(added) == 0 {
		return
	}
	slices.SortFunc(added, func(a, b *child) int { return compareEntries(a.entry, b.entry) })
	merged := make([]*child, 0, len(f.order)+len(added))
	for _, c := range f.order {
		for len(added) > 0 && compareEntries(added[0].entry, c.entry) < 0 {
			merged, added = append(merged, added[0]), added[1:]
		}
		merged = append(merged, c)
	}
	merged = append(merged, added...)
	f.order = merged
}
