package object

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// Editor changes trees in memory. Only the folders on the way to a change are read, and written
// again.
type Editor struct {
	format Format
	trees  Trees
	root   *folder
	made   []Object // since the last commit: blobs and trees
}

// folder is a tree that is being edited. What is in it keeps its place and its spelling, whether
// or not Git would allow it: only what a change names is looked at.
type folder struct {
	order    []*child          // as they were read, those removed included
	children map[string]*child // by their names; of those with one name the first
	added    []*child          // not among those read
	hash     ID                // as it was read or written last; zero: never
	dirty    bool              // differs from hash
}

// child is an entry of a folder. Its hash means nothing while one of data and a dirty folder
// stands for it.
type child struct {
	Entry
	folder  *folder // read for editing
	data    []byte  // of a file to be written
	twice   bool    // another one has its name
	removed bool
}

func (f *folder) add(c *child) {
	f.children[c.Name] = c
	f.added = append(f.added, c)
}

func (f *folder) remove(c *child) {
	c.removed = true
	delete(f.children, c.Name)
}

// NewEditor returns an Editor of the tree root, whose format is f; zero: there is no tree yet.
func NewEditor(f Format, t Trees, root ID) (*Editor, error) {
	e := &Editor{format: f, trees: t}
	var err error
	e.root, err = e.load(root)
	return e, err
}

func (e *Editor) load(hash ID) (*folder, error) {
	tree, err := e.trees.Tree(hash)
	if err != nil {
		return nil, err
	}
	f := &folder{children: make(map[string]*child, len(tree)/32), hash: hash}
	for entry, err := range Entries(e.format, tree) {
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w", hash, err)
		}
		c := &child{Entry: entry}
		f.order = append(f.order, c)
		if first := f.children[entry.Name]; first != nil {
			first.twice = true
			continue
		}
		f.children[entry.Name] = c
	}
	return f, nil
}

// Apply makes one change; path is relative to the root of the repository. It never follows
// symbolic links and submodules.
func (e *Editor) Apply(path string, change gitsink.Change) error {
	if change.Remove {
		return e.remove(e.root, path, path)
	}
	data, hash := change.Data, e.nameOf(change)
	if data == nil {
		data = []byte{}
	}
	return e.put(e.root, path, path, func(c *child) bool {
		if c.Raw != "" && c.ID() == hash {
			return false
		}
		c.Raw, c.data = hash.raw(), data
		return true
	})
}

// FileAt returns the file at a path below a tree. Anything else there, or nothing, is a *PathError.
func (f *Finder) FileAt(root ID, path string) (Entry, error) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		dir, name = path[:i], path[i+1:]
	}
	folder, err := f.Folder(root, dir)
	if err != nil {
		return Entry{}, err
	}
	e, ok, err := f.Entry(folder, name)
	switch {
	case err != nil:
		return Entry{}, err
	case !ok:
		return Entry{}, &PathError{Path: path, Reason: "there is no file to copy"}
	case !e.IsFile():
		return Entry{}, &PathError{Path: path, Reason: fmt.Sprintf("it is a %s and cannot be copied", e.kind())}
	}
	return e, nil
}

// Copy puts a file that the repository has already at a path, which is relative to the root. It
// follows symbolic links and submodules no more than Apply.
func (e *Editor) Copy(path string, from Entry) error {
	return e.put(e.root, path, path, func(c *child) bool {
		if c.Raw == from.Raw && c.Mode == from.Mode {
			return false
		}
		c.Raw, c.Mode, c.data = from.Raw, from.Mode, nil
		return true
	})
}

// nameOf returns the name of what a change writes.
func (e *Editor) nameOf(change gitsink.Change) ID {
	switch c := change.Content; {
	case c == nil:
		return e.format.Name(plumbing.BlobObject, change.Data)
	case e.format == SHA256:
		name := c.SHA256()
		return idOf(SHA256, name[:])
	default:
		name := c.SHA1()
		return idOf(SHA1, name[:])
	}
}

// put has a file at rest below f, which has the path whole, be edited. A new one has no Raw yet.
// edit reports whether it has changed something.
func (e *Editor) put(f *folder, rest, whole string, edit func(*child) bool) error {
	name, rest, nested := strings.Cut(rest, "/")
	c := f.children[name]
	if err := c.unique(whole); err != nil {
		return err
	}
	if nested {
		fresh := c == nil
		if fresh {
			c = &child{Entry: Entry{Mode: SpelledTree, Name: name}, folder: &folder{children: map[string]*child{}}}
		}
		if err := e.open(c, whole); err != nil {
			return err
		}
		if err := e.put(c.folder, rest, whole, edit); err != nil {
			return err
		}
		if fresh {
			f.add(c)
		}
		f.dirty = f.dirty || c.folder.dirty
		return nil
	}
	if c != nil && !c.IsFile() {
		return &PathError{Path: whole, Reason: fmt.Sprintf("there is a %s", c.kind())}
	}
	fresh := c == nil
	if fresh {
		c = &child{Entry: Entry{Mode: SpelledFile, Name: name}}
	}
	if !edit(c) {
		return nil
	}
	if fresh {
		f.add(c)
	}
	f.dirty = true
	return nil
}

// remove takes a file away, and each folder that it leaves empty.
func (e *Editor) remove(f *folder, rest, whole string) error {
	name, rest, nested := strings.Cut(rest, "/")
	c := f.children[name]
	if err := c.unique(whole); err != nil {
		return err
	}
	switch {
	case c == nil, nested && !c.IsTree():
		return nil // there is no such file
	case !nested && !c.IsFile():
		return &PathError{Path: whole, Reason: fmt.Sprintf("there is a %s", c.kind())}
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
	return &PathError{Path: whole, Reason: fmt.Sprintf("two entries have the name %s", Quoted(c.Name))}
}

// open makes sure that a child is a folder, and read.
func (e *Editor) open(c *child, whole string) error {
	if !c.IsTree() {
		return &PathError{Path: whole, Reason: fmt.Sprintf("%q is a %s, not a folder", c.Name, c.kind())}
	}
	if c.folder != nil {
		return nil
	}
	f, err := e.load(c.ID())
	c.folder = f
	return err
}

// Commit returns the hash of the root, and the objects that are new since the last commit.
func (e *Editor) Commit() (ID, []Object) {
	root := e.flush(e.root)
	objects := e.made
	e.made = nil
	return root, objects
}

func (e *Editor) flush(f *folder) ID {
	if !f.dirty && !f.hash.IsZero() {
		return f.hash
	}
	f.merge()
	size := 0
	for _, c := range f.order {
		if c.folder != nil {
			c.Raw = e.flush(c.folder).raw()
		}
		if c.data != nil {
			e.made = append(e.made, Object{Kind: plumbing.BlobObject, Hash: c.ID(), Data: c.data})
			c.data = nil
		}
		size += len(c.Mode) + len(c.Name) + 2 + len(c.Raw)
	}
	tree := make([]byte, 0, size)
	for _, c := range f.order {
		tree = append(tree, c.Mode...)
		tree = append(tree, ' ')
		tree = append(tree, c.Name...)
		tree = append(tree, 0)
		tree = append(tree, c.Raw...)
	}
	o := New(e.format, plumbing.TreeObject, tree)
	if o.Hash != f.hash {
		o.From = f.hash
		e.made = append(e.made, o)
	}
	f.hash, f.dirty = o.Hash, false
	return f.hash
}

// merge drops what was removed and puts each child that was added before the first one that comes
// after it.
func (f *folder) merge() {
	gone := func(c *child) bool { return c.removed }
	added := slices.DeleteFunc(f.added, gone)
	f.order, f.added = slices.DeleteFunc(f.order, gone), nil
	if len(added) == 0 {
		return
	}
	slices.SortFunc(added, func(a, b *child) int { return compareEntries(a.Entry, b.Entry) })
	merged := make([]*child, 0, len(f.order)+len(added))
	for _, c := range f.order {
		for len(added) > 0 && compareEntries(added[0].Entry, c.Entry) < 0 {
			merged, added = append(merged, added[0]), added[1:]
		}
		merged = append(merged, c)
	}
	merged = append(merged, added...)
	f.order = merged
}
