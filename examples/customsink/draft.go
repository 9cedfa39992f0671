package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// newest returns the number of the newest version of a branch; 0 if there is none.
func newest(branch string) int {
	entries, _ := os.ReadDir(branch) // what cannot be read cannot be written either
	return len(entries)
}

// open returns the base folder of a version as a Tree.
func open(version, baseFolder string) (gitsink.Tree, error) {
	files := filepath.Join(version, "files")
	if baseFolder != "" {
		if err := inTheWay(files, baseFolder+"/any", false); err != nil {
			return nil, err
		}
	}
	return gitsink.FolderTree(os.DirFS(filepath.Join(files, baseFolder)))
}

// draft copies a version to a new folder in root and changes the copy. The caller removes the
// folder, also after an error.
func draft(root, version, baseFolder string, commits []gitsink.Commit) (string, error) {
	if err := os.MkdirAll(filepath.Dir(version), 0o755); err != nil {
		return "", err
	}
	next, err := os.MkdirTemp(root, ".draft-")
	if err != nil {
		return "", err
	}
	files := filepath.Join(next, "files")
	if err := os.CopyFS(files, os.DirFS(filepath.Join(version, "files"))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return next, err
	}
	for _, commit := range commits {
		for _, change := range commit.Changes {
			if err := destination.ValidatePath(change.Path); err != nil {
				return next, fmt.Errorf("%w: %q: %w", gitsink.ErrPath, change.Path, err)
			}
			if err := replay(filepath.Join(version, "files"), files, baseFolder, change); err != nil {
				return next, err
			}
		}
	}
	return next, os.MkdirAll(files, 0o755)
}

// replay makes a change in the files of a draft. What it copies it takes from the version that the
// plan was given: plain folders know no file by its hash.
func replay(version, draft, baseFolder string, change gitsink.Change) error {
	name := path.Join(baseFolder, change.Path)
	if change.Remove || change.From == "" {
		return apply(draft, name, change)
	}
	from := filepath.Join(version, baseFolder, change.From)
	info, err := os.Lstat(from)
	if err == nil {
		err = inTheWay(version, path.Join(baseFolder, change.From), true)
	}
	if err == nil {
		change.Data, err = os.ReadFile(from)
	}
	if err != nil {
		return fmt.Errorf("%w: %q cannot be copied", gitsink.ErrPath, change.From)
	}
	if err := apply(draft, name, change); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(draft, name), info.Mode().Perm())
}

// apply makes one change.
func apply(files, name string, change gitsink.Change) error {
	file := filepath.Join(files, name)
	err := inTheWay(files, name, true)
	switch {
	case change.Remove && err != nil: // there is no such file
		return nil
	case change.Remove:
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for dir := path.Dir(name); dir != "." && os.Remove(filepath.Join(files, dir)) == nil; {
			dir = path.Dir(dir) // a folder goes with its last file, as in Git
		}
		return nil
	case err != nil:
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, change.Data, 0o644)
}

// inTheWay returns an error if no file can be written at the name: a part of its path is no folder
// or, with last, the name itself is no regular file. A symbolic link counts as neither, since it
// may lead out of the base folder.
func inTheWay(files, name string, last bool) error {
	for i := range name + "/" {
		whole := i == len(name)
		if !whole && name[i] != '/' || whole && !last {
			continue
		}
		info, err := os.Lstat(filepath.Join(files, name[:i]))
		if err == nil && (whole && !info.Mode().IsRegular() || !whole && !info.IsDir()) {
			return fmt.Errorf("%w: %q: %q is in the way", gitsink.ErrPath, name, name[:i])
		}
	}
	return nil
}
