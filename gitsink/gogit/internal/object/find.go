package object

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Trees finds a tree by its hash: a missing one is an error, the zero hash is the tree that does
// not exist.
type Trees interface {
	Tree(hash ID) (string, error)
}

// FolderIn finds the tree at a slash path below root. The zero hash means that there is none; a
// file, symbolic link or submodule in its place is a *PathError.
func FolderIn(from Trees, root ID, path string) (ID, error) {
	return NewFinder(from).Folder(root, path)
}

// Finder looks names up in trees. From its second look into a large one it has an index of it: a
// plan looks up many names of one folder, and to read the folder for each would take the square of
// its size. It is not safe for concurrent use.
type Finder struct {
	trees Trees
	large map[ID]index // empty after the first look
}

// largeTree is the size from which on a tree gets an index, in bytes.
const largeTree = 4 << 10

// NewFinder returns a Finder.
func NewFinder(trees Trees) *Finder { return &Finder{trees, map[ID]index{}} }

// Folder finds the tree at a slash path below root, as FolderIn does.
func (f *Finder) Folder(root ID, path string) (ID, error) {
	for name := range Components(path) {
		e, ok, err := f.Entry(root, name)
		if err != nil {
			return ID{}, err
		}
		if !ok {
			return ID{}, nil
		}
		if !e.IsTree() {
			return ID{}, &PathError{Path: path, Reason: fmt.Sprintf("%q is a %s, not a folder", name, e.kind())}
		}
		root = e.ID()
	}
	return root, nil
}

// Entry returns the first entry of a tree with a name.
func (f *Finder) Entry(folder ID, name string) (Entry, bool, error) {
	tree, err := f.trees.Tree(folder)
	if err != nil {
		return Entry{}, false, err
	}
	if len(tree) < largeTree || len(tree) > math.MaxUint32 {
		e, ok := Lookup(folder.format, tree, name)
		return e, ok, nil
	}
	known, looked := f.large[folder]
	switch {
	case !looked:
		f.large[folder] = nil
		e, ok := Lookup(folder.format, tree, name)
		return e, ok, nil
	case known == nil:
		known = indexOf(folder.format, tree)
		f.large[folder] = known
	}
	e, ok := known.lookup(folder.format, tree, name)
	return e, ok, nil
}

// index is where the entries of a tree begin, in the order of their names: in the tree a folder
// stands where its name with a slash would.
type index []uint32

func indexOf(f Format, tree string) index {
	in := make(index, 0, len(tree)/(len("100644 x\x00")+f.Width()))
	for at := 0; at < len(tree); {
		_, rest, ok := cutEntry(f, tree[at:])
		if !ok {
			break
		}
		in = append(in, uint32(at))
		at = len(tree) - len(rest)
	}
	slices.SortStableFunc(in, func(a, b uint32) int { return cmp.Compare(nameAt(tree, a), nameAt(tree, b)) })
	return in
}

func (in index) lookup(f Format, tree, name string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(in, name, func(at uint32, name string) int { return cmp.Compare(nameAt(tree, at), name) })
	if !ok {
		return Entry{}, false
	}
	e, _, ok := cutEntry(f, tree[in[i]:])
	return e, ok
}

// nameAt returns the name of the entry that begins there, which can be read.
func nameAt(tree string, at uint32) string {
	_, rest, _ := strings.Cut(tree[at:], " ")
	name, _, _ := strings.Cut(rest, "\x00")
	return name
}
