package gogit

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// The file types in the mode of a tree entry (gitformat-index(5)).
const (
	typeMask      gitsink.Mode = 0o170000
	typeTree      gitsink.Mode = 0o040000
	typeFile      gitsink.Mode = 0o100000
	typeSymlink                = gitsink.ModeSymlink
	typeSubmodule              = gitsink.ModeSubmodule
)

// entry is one line of a tree. The mode stays as it is spelled there, so that what is only carried through does not change
// by a byte.
type entry struct {
	mode string // octal
	name string
	hash plumbing.Hash
}

const (
	spelledFile = "100644"
	spelledTree = "40000"
)

func (e entry) bits() gitsink.Mode {
	bits, err := strconv.ParseUint(e.mode, 8, 32)
	if err != nil {
		return 0
	}
	return gitsink.Mode(bits)
}

func (e entry) isTree() bool { return e.mode == spelledTree || e.bits()&typeMask == typeTree }
func (e entry) isFile() bool { return e.mode == spelledFile || e.bits()&typeMask == typeFile }

func (e entry) kind() string {
	switch e.bits() & typeMask {
	case typeTree:
		return "folder"
	case typeFile:
		return "file"
	case typeSymlink:
		return "symbolic link"
	case typeSubmodule:
		return "submodule"
	}
	return "entry of mode " + e.mode
}

// public is e as a plan sees it: files are either executable or not, as git itself reads their modes.
func (e entry) public() gitsink.Entry {
	mode := e.bits()
	switch {
	case !e.isFile():
	case mode&0o100 != 0:
		mode = gitsink.ModeExecutable
	default:
		mode = gitsink.ModeFile
	}
	return gitsink.Entry{Mode: mode, Hash: e.hash.String()}
}

var errDamaged = errors.New("tree is damaged")

// entries yields the entries of a tree in their order, and an error in place of the rest of a damaged one.
func entries(tree string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for len(tree) > 0 {
			e, rest, ok := cutEntry(tree)
			if !ok {
				yield(entry{}, errDamaged)
				return
			}
			if !yield(e, nil) {
				return
			}
			tree = rest
		}
	}
}

// cutEntry cuts "mode SP name NUL hash" off a tree.
func cutEntry(tree string) (e entry, rest string, ok bool) {
	space := strings.IndexByte(tree, ' ')
	if space < 0 {
		return entry{}, "", false
	}
	end := strings.IndexByte(tree[space:], 0)
	if end < 0 {
		return entry{}, "", false
	}
	e.mode, e.name = tree[:space], tree[space+1:space+end]
	rest = tree[space+end+1:]
	if len(rest) < len(e.hash) {
		return entry{}, "", false
	}
	return e, rest[copy(e.hash[:], rest):], true
}

func lookup(tree, name string) (entry, bool) {
	for e, err := range entries(tree) {
		if err == nil && e.name == name {
			return e, true
		}
	}
	return entry{}, false
}

// compareEntries is git's order of the entries of a tree: that of the bytes of their names, a folder's with a slash at
// its end. A walk in this order meets the paths of files in byte order.
func compareEntries(a, b entry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(a.byteAt(n), b.byteAt(n))
}

func (e entry) byteAt(i int) byte {
	switch {
	case i < len(e.name):
		return e.name[i]
	case e.isTree():
		return '/'
	}
	return 0
}

// components yields the names in a slash path; there are none in "".
func components(path string) iter.Seq[string] {
	if path == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(path, "/")
}

// trees finds a tree by its hash: a missing one is an error, the zero hash is the tree that does not exist.
type trees interface {
	tree(hash plumbing.Hash) (string, error)
}

// folderIn finds the tree at a slash path below root. The zero hash means that there is none; a file, symbolic link or
// submodule in its place is a *pathError.
func folderIn(from trees, root plumbing.Hash, path string) (plumbing.Hash, error) {
	for name := range components(path) {
		tree, err := from.tree(root)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		e, ok := lookup(tree, name)
		if !ok {
			return plumbing.ZeroHash, nil
		}
		if !e.isTree() {
			return plumbing.ZeroHash, &pathError{path: path, reason: fmt.Sprintf("%q is a %s, not a folder", name, e.kind())}
		}
		root = e.hash
	}
	return root, nil
}
