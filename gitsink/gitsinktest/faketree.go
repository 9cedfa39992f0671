package gitsinktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// fakeTree is a base folder at one commit, with the files in the folders above it.
type fakeTree struct {
	all    map[string]gitservertest.File // of the commit
	folder string
	files  map[string]gitservertest.File // with their paths relative to the base folder
	paths  []string                      // in byte order
}

func newFakeTree(files map[string]gitservertest.File, folder string) *fakeTree {
	t := &fakeTree{all: files, folder: folder, files: map[string]gitservertest.File{}}
	for path, file := range files {
		if below(path, folder) {
			t.files[strings.TrimPrefix(path[len(folder):], "/")] = file
		}
	}
	t.paths = slices.Sorted(maps.Keys(t.files))
	return t
}

// Paths implements gitsink.Tree.
func (t *fakeTree) Paths(prefix string) iter.Seq2[string, gitsink.Entry] {
	prefix = strings.TrimSuffix(prefix, "/")
	return func(yield func(string, gitsink.Entry) bool) {
		for _, path := range t.paths {
			if below(path, prefix) && !yield(path, entryOf(t.files[path])) {
				return
			}
		}
	}
}

// Entry implements gitsink.Tree.
func (t *fakeTree) Entry(path string) (gitsink.Entry, bool) {
	file, ok := t.files[path]
	if !ok {
		return gitsink.Entry{}, false
	}
	return entryOf(file), true
}

// Read implements gitsink.Tree.
func (t *fakeTree) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	contents := map[string][]byte{}
	for _, path := range paths {
		if file, ok := t.files[path]; ok && ordinary(file) {
			contents[path] = []byte(file.Content)
		}
	}
	return contents, nil
}

// ReadAbove implements gitsink.AncestorTree.
func (t *fakeTree) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	contents := map[string][]byte{}
	if t.folder == "" {
		return contents, nil
	}
	for _, above := range append(parents(t.folder), "") {
		if file, ok := t.all[join(above, name)]; ok && ordinary(file) {
			contents[above] = []byte(file.Content)
		}
	}
	return contents, nil
}

// ordinary reports whether f is neither a symlink nor a submodule.
func ordinary(f gitservertest.File) bool {
	return f.Mode != gitservertest.ModeSymlink && f.Mode != gitservertest.ModeSubmodule
}

func entryOf(f gitservertest.File) gitsink.Entry {
	mode, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil {
		mode = uint64(gitsink.ModeFile)
	}
	if f.Mode == gitservertest.ModeSubmodule {
		return gitsink.Entry{Mode: gitsink.Mode(mode), Hash: f.Content}
	}
	return gitsink.Entry{Mode: gitsink.Mode(mode), Hash: blobHash(f.Content)}
}

// entryLike is entryOf in a repository that names its objects as it names a commit: the length of a
// name tells SHA-256.
func entryLike(commit string, f gitservertest.File) gitsink.Entry {
	entry := entryOf(f)
	if len(commit) == hex.EncodedLen(sha256.Size) && f.Mode != gitservertest.ModeSubmodule {
		sum := sha256.Sum256(fmt.Appendf(nil, "blob %d\x00%s", len(f.Content), f.Content))
		entry.Hash = hex.EncodeToString(sum[:])
	}
	return entry
}

// submoduleLike is a submodule at a commit that nobody has, whose name is as long as that of
// another.
func submoduleLike(commit string) gitservertest.File {
	return gitservertest.File{Mode: gitservertest.ModeSubmodule, Content: strings.Repeat("ab", len(commit)/2)}
}

// checkPaths returns every fault of the paths themselves, joined.
func checkPaths(folder string, commits []gitsink.Commit) error {
	var faults []error
	for _, commit := range commits {
		for _, change := range commit.Changes {
			err := destination.ValidatePath(change.Path)
			if err == nil {
				err = destination.ValidatePath(join(folder, change.Path))
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%w: %q: %w", gitsink.ErrPath, change.Path, err))
			}
		}
	}
	return errors.Join(faults...)
}

// applyChanges returns the files after the changes; nil if the changes change nothing. given are
// the files that the plan was given, from which it copies.
func applyChanges(given, files map[string]gitservertest.File, folder string, changes []gitsink.Change) (map[string]gitservertest.File, error) {
	after := maps.Clone(files)
	if after == nil {
		after = map[string]gitservertest.File{}
	}
	for _, change := range changes {
		path := join(folder, change.Path)
		if err := inTheWay(after, path, change.Remove); err != nil {
			return nil, err
		}
		switch from, found := given[join(folder, change.From)]; {
		case change.Remove:
			delete(after, path)
		case change.From == "":
			after[path] = gitservertest.File{Mode: after[path].Mode, Content: string(change.Data)}
		case !found || !ordinary(from):
			return nil, fmt.Errorf("%w: %q: there is no file to copy", gitsink.ErrPath, change.From)
		default:
			after[path] = from
		}
	}
	if maps.Equal(files, after) {
		return nil, nil
	}
	return after, nil
}

// inTheWay says why no file can be written or removed at the path.
func inTheWay(files map[string]gitservertest.File, path string, remove bool) error {
	for _, folder := range parents(path) {
		if _, isFile := files[folder]; isFile && !remove {
			return fmt.Errorf("%w: %q: %q is not a folder", gitsink.ErrPath, path, folder)
		}
	}
	if !ordinary(files[path]) {
		return fmt.Errorf("%w: %q: there is a symbolic link or submodule", gitsink.ErrPath, path)
	}
	for other := range files {
		if below(other, path) {
			return fmt.Errorf("%w: %q: there is a folder", gitsink.ErrPath, path)
		}
	}
	return nil
}
