package gitsink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

// FolderTree returns a Tree of the files in fsys, for tests and for a sink of your own that keeps a
// folder. It holds the names and hashes of all files as they are now. Symbolic links have
// ModeSymlink and cannot be read. Pipes and devices are left out, as Git does.
func FolderTree(fsys fs.FS) (Tree, error) {
	t := &folderTree{fsys: fsys, entries: map[string]Entry{}}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&^fs.ModeSymlink != 0 {
			return err
		}
		entry, err := t.entry(path, d)
		if err != nil {
			return err
		}
		t.entries[path] = entry
		t.paths = append(t.paths, path)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // a folder that is not there is an empty one
	}
	slices.Sort(t.paths)
	return t, err
}

type folderTree struct {
	fsys    fs.FS
	paths   []string // in byte order
	entries map[string]Entry
}

func (t *folderTree) entry(path string, d fs.DirEntry) (Entry, error) {
	if d.Type()&fs.ModeSymlink != 0 {
		return Entry{Mode: ModeSymlink}, nil
	}
	file, err := t.fsys.Open(path)
	if err != nil {
		return Entry{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return Entry{}, err
	}
	hash := newBlobHash(info.Size())
	if n, err := io.Copy(hash, file); err != nil || n != info.Size() {
		return Entry{}, errors.Join(err, fmt.Errorf("gitsink: %q has %d bytes, and %d when it was opened", path, n, info.Size()))
	}
	mode := ModeFile
	if info.Mode()&0o100 != 0 {
		mode = ModeExecutable
	}
	return Entry{Mode: mode, Hash: hex.EncodeToString(hash.Sum(nil))}, nil
}

// Paths implements Tree.
func (t *folderTree) Paths(prefix string) iter.Seq2[string, Entry] {
	prefix = strings.TrimSuffix(prefix, "/")
	return func(yield func(string, Entry) bool) {
		for _, path := range t.paths {
			if prefix != "" && !strings.HasPrefix(path, prefix+"/") {
				continue
			}
			if !yield(path, t.entries[path]) {
				return
			}
		}
	}
}

// Entry implements Tree.
func (t *folderTree) Entry(path string) (Entry, bool) {
	e, ok := t.entries[path]
	return e, ok
}

// Read implements Tree.
func (t *folderTree) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, path := range paths {
		if e, ok := t.entries[path]; !ok || e.Mode == ModeSymlink {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		data, err := fs.ReadFile(t.fsys, path)
		if err != nil {
			return nil, err
		}
		files[path] = data
	}
	return files, nil
}
