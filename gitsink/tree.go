package gitsink

import (
	"context"
	"iter"
)

// Tree is the content of the base folder at one commit. It is valid only while the plan runs.
type Tree interface {
	// Paths yields the files below prefix (a folder, "" for all) in byte order, with their paths
	// relative to the base folder. It does no I/O.
	Paths(prefix string) iter.Seq2[string, Entry]
	// Entry looks one path up; false if there is none. It does no I/O.
	Entry(path string) (Entry, bool)
	// Read returns the content of files, in one request for many. Absent paths are absent from the
	// result.
	Read(ctx context.Context, paths ...string) (map[string][]byte, error)
}

// AncestorTree is a Tree that can also show what lies above the base folder. A sink's Tree need
// not: the .gitattributes there are not seen then.
type AncestorTree interface {
	Tree
	// ReadAbove returns the content of the files called name in the folders above the base folder.
	// The keys are the slash paths of these folders from the root of the repository, which is "".
	// It makes no request where there is no such file.
	ReadAbove(ctx context.Context, name string) (map[string][]byte, error)
}

// Entry is a file, symbolic link or submodule in a Tree.
type Entry struct {
	Mode Mode
	// Hash is Git's name of the content, in hexadecimal digits: 40 of SHA-1, or 64 of SHA-256 where
	// the repository has that. A file that has its content already makes no commit.
	Hash string
}

func (e Entry) isFile() bool { return e.Mode == ModeFile || e.Mode == ModeExecutable }

// Mode is the type of a tree entry, in Git's own numbers.
type Mode uint32

// The modes of entries that are not trees.
const (
	ModeFile       Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeSymlink    Mode = 0o120000
	ModeSubmodule  Mode = 0o160000
)

// cancelableTree is a Tree that shows no more paths once the context of the plan has ended: nobody
// knows how many a sink yields. Nothing may be concluded from what was seen then.
type cancelableTree struct {
	Tree
	ctx context.Context // of the plan, which this does not outlive
}

// Paths implements Tree.
func (t cancelableTree) Paths(prefix string) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		for path, e := range t.Tree.Paths(prefix) {
			if t.ctx.Err() != nil || !yield(path, e) {
				return
			}
		}
	}
}

// ReadAbove implements AncestorTree. Nothing is above a Tree that does not show it.
func (t cancelableTree) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	if above, ok := t.Tree.(AncestorTree); ok {
		return above.ReadAbove(ctx, name)
	}
	return nil, nil
}
