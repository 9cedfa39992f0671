package gogit

import (
	"bytes"
	"cmp"
	"context"
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

// view is the gitsink.Tree of a base folder, with what the plans before have made of it.
type view struct {
	remote *remote
	chain  *chain
	folder plumbing.Hash // zero: there is no folder
	err    error         // what a method without an error of its own ran into; nothing may be built on the plan then
}

func (v *view) note(err error) {
	if v.err == nil {
		v.err = err
	}
}

// Paths implements gitsink.Tree.
func (v *view) Paths(prefix string) iter.Seq2[string, gitsink.Entry] {
	return func(yield func(string, gitsink.Entry) bool) {
		prefix := strings.TrimSuffix(prefix, "/")
		folder, err := folderIn(v.chain, v.folder, prefix)
		if wrong := (*pathError)(nil); errors.As(err, &wrong) {
			return // a file is no folder and has no files below it
		}
		if err != nil {
			v.note(err)
			return
		}
		if prefix != "" {
			prefix += "/"
		}
		v.walk(folder, prefix, yield)
	}
}

func (v *view) walk(folder plumbing.Hash, prefix string, yield func(string, gitsink.Entry) bool) bool {
	tree, err := v.chain.tree(folder)
	if err != nil {
		v.note(err)
		return false
	}
	for e, err := range entries(tree) {
		if err != nil {
			v.note(err)
			return false
		}
		if e.isTree() {
			if !v.walk(e.hash, prefix+e.name+"/", yield) {
				return false
			}
		} else if !yield(prefix+e.name, e.public()) {
			return false
		}
	}
	return true
}

// Entry implements gitsink.Tree.
func (v *view) Entry(path string) (gitsink.Entry, bool) {
	e, ok := v.find(path)
	if !ok {
		return gitsink.Entry{}, false
	}
	return e.public(), true
}

func (v *view) find(path string) (entry, bool) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	folder, err := folderIn(v.chain, v.folder, dir)
	if wrong := (*pathError)(nil); errors.As(err, &wrong) {
		return entry{}, false
	}
	tree := ""
	if err == nil {
		tree, err = v.chain.tree(folder)
	}
	if err != nil {
		v.note(err)
		return entry{}, false
	}
	e, ok := lookup(tree, name)
	return e, ok && !e.isTree()
}

// Read implements gitsink.Tree. Symbolic links and submodules are absent too: their content is not a file's.
func (v *view) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	found := make(map[string]plumbing.Hash, len(paths))
	var wanted []plumbing.Hash
	for _, path := range paths {
		e, ok := v.find(path)
		if !ok || !e.isFile() {
			continue
		}
		found[path] = e.hash
		wanted = append(wanted, e.hash)
	}
	return v.contents(ctx, found, wanted)
}

// contents reads files, in one request if they are not known.
func (v *view) contents(ctx context.Context, found map[string]plumbing.Hash, wanted []plumbing.Hash) (map[string][]byte, error) {
	if v.err != nil {
		return nil, v.remote.fail(ctx, opFetch, v.err, "")
	}
	blobs, err := v.blobs(ctx, wanted)
	if err != nil {
		return nil, v.remote.fail(ctx, opFetch, err, serverWords(err))
	}
	contents := make(map[string][]byte, len(found))
	for path, hash := range found {
		data, ok := blobs[hash]
		if !ok {
			return nil, v.remote.fail(ctx, opFetch, fmt.Errorf("%q, blob %s: %w", path, hash, errIncomplete), "")
		}
		contents[path] = bytes.Clone(data)
	}
	return contents, nil
}

// ReadAbove implements gitsink.AncestorTree. The trees on the way to the folder are known: the commit is made of them.
func (v *view) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	found := map[string]plumbing.Hash{}
	var wanted []plumbing.Hash
	dir, root := "", v.chain.root
	for part := range components(v.remote.dst.BaseFolder) {
		if root.IsZero() {
			break
		}
		tree, err := v.chain.tree(root)
		if err != nil {
			v.note(err)
			break
		}
		if e, ok := lookup(tree, name); ok && e.isFile() {
			found[dir] = e.hash
			wanted = append(wanted, e.hash)
		}
		below, ok := lookup(tree, part)
		if !ok || !below.isTree() {
			break
		}
		dir, root = join(dir, part), below.hash
	}
	return v.contents(ctx, found, wanted)
}

func (v *view) blobs(ctx context.Context, wanted []plumbing.Hash) (map[plumbing.Hash][]byte, error) {
	var stored []plumbing.Hash
	for _, hash := range wanted {
		if _, ok := v.chain.blobs[hash]; !ok {
			stored = append(stored, hash)
		}
	}
	blobs := map[plumbing.Hash][]byte{}
	if len(stored) > 0 {
		var err error
		if blobs, err = v.remote.blobs(ctx, stored); err != nil {
			return nil, err
		}
	}
	for _, hash := range wanted {
		if data, ok := v.chain.blobs[hash]; ok {
			blobs[hash] = data
		}
	}
	return blobs, nil
}
