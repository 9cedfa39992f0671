package object

import (
	"cmp"
	"errors"
	"iter"
	"strconv"
	"strings"

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

// Entry is one line of a tree. The mode stays as it is spelled there, so that what is only
// carried through does not change by a byte.
type Entry struct {
	Mode string // octal
	Name string
	Raw  string // the name of the object, as many bytes as its format has: see ID
}

// The modes of what is written, as trees spell them.
const (
	SpelledFile = "100644"
	SpelledTree = "40000"
)

// ID returns the name of the object that the entry leads to.
func (e Entry) ID() ID {
	if len(e.Raw) == SHA256.Width() {
		return idOf(SHA256, e.Raw)
	}
	return idOf(SHA1, e.Raw)
}

func (e Entry) bits() gitsink.Mode {
	bits, err := strconv.ParseUint(e.Mode, 8, 32)
	if err != nil {
		return 0
	}
	return gitsink.Mode(bits)
}

// IsTree reports whether the entry is a folder.
func (e Entry) IsTree() bool { return e.Mode == SpelledTree || e.bits()&typeMask == typeTree }

// IsFile reports whether the entry is a file, executable or not.
func (e Entry) IsFile() bool { return e.Mode == SpelledFile || e.bits()&typeMask == typeFile }

func (e Entry) kind() string {
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
	return "entry of mode " + e.Mode
}

// Public is e as a plan sees it: files are either executable or not, as git itself reads their
// modes.
func (e Entry) Public() gitsink.Entry {
	mode := e.bits()
	switch {
	case !e.IsFile():
	case mode&0o100 != 0:
		mode = gitsink.ModeExecutable
	default:
		mode = gitsink.ModeFile
	}
	return gitsink.Entry{Mode: mode, Hash: e.ID().String()}
}

// ErrDamaged means that a tree cannot be read to its end.
var ErrDamaged = errors.New("tree is damaged")

// Entries yields the entries of a tree in their order, and an error in place of the rest of a
// damaged one.
func Entries(f Format, tree string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for len(tree) > 0 {
			e, rest, ok := cutEntry(f, tree)
			if !ok {
				yield(Entry{}, ErrDamaged)
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
func cutEntry(f Format, tree string) (e Entry, rest string, ok bool) {
	space := strings.IndexByte(tree, ' ')
	if space < 0 {
		return Entry{}, "", false
	}
	end := strings.IndexByte(tree[space:], 0)
	if end < 0 {
		return Entry{}, "", false
	}
	e.Mode, e.Name = tree[:space], tree[space+1:space+end]
	rest = tree[space+end+1:]
	if len(rest) < f.Width() {
		return Entry{}, "", false
	}
	e.Raw = rest[:f.Width()]
	return e, rest[f.Width():], true
}

// Lookup returns the first entry of a tree with a name.
func Lookup(f Format, tree, name string) (Entry, bool) {
	for e, err := range Entries(f, tree) {
		if err == nil && e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// compareEntries is git's order of the entries of a tree: that of the bytes of their names, a
// folder's with a slash at its end. A walk in this order meets the paths of files in byte order.
func compareEntries(a, b Entry) int {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(a.byteAt(n), b.byteAt(n))
}

func (e Entry) byteAt(i int) byte {
	switch {
	case i < len(e.Name):
		return e.Name[i]
	case e.IsTree():
		return '/'
	}
	return 0
}
