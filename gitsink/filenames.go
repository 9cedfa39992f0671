package gitsink

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// fileNames are the files that a plan finds and leaves in a folder, by a hash of the path: the
// paths themselves would take many times the memory, and a map three times. Two paths that meet by
// chance cost no more than a file that is sent although it is right, or an orphan that stays until
// the next seed.
type fileNames struct {
	seed   maphash.Seed
	found  []fileName // sorted by key, once sort was called
	taken  []uint64   // a bit for each of found
	left   int        // of found, that were not taken
	sha256 bool       // the repository names objects so
	// added are the files that are put after the others were sorted.
	added   map[uint64]blobName
	folders map[uint64]struct{}
	last    string // folder
}

type fileName struct {
	key   uint64 // hash of the path
	begin blobBegin
}

// blobBegin is the beginning of a Git name, as long as that of an event.Digest.
type blobBegin [len(event.Digest{}.SHA1)]byte

// blobName is the beginning of the name of a content. The zero one is of what is no regular file.
type blobName struct {
	begin  blobBegin
	sha256 bool
}

func blobNameOf(e Entry) (b blobName) {
	if e.isFile() && len(e.Hash) >= hex.EncodedLen(len(b.begin)) {
		// What is not hexadecimal is the name of no content.
		_, _ = hex.Decode(b.begin[:], []byte(e.Hash[:hex.EncodedLen(len(b.begin))]))
		b.sha256 = len(e.Hash) == hex.EncodedLen(sha256.Size)
	}
	return b
}

func (b blobName) isOf(d event.Digest) bool {
	if b.sha256 {
		return b.begin == d.SHA256 && d != event.Digest{}
	}
	return b.begin == d.SHA1 && d != event.Digest{}
}

func newFileNames() *fileNames {
	return &fileNames{seed: maphash.MakeSeed(), added: map[uint64]blobName{}, folders: map[uint64]struct{}{}}
}

func (f *fileNames) key(path string) uint64 { return maphash.String(f.seed, path) }

// find takes note of a file of a tree.
func (f *fileNames) find(path string, e Entry) {
	name := blobNameOf(e)
	f.sha256 = f.sha256 || name.sha256
	f.found = append(f.found, fileName{f.key(path), name.begin})
	f.left++
	f.above(path)
}

// sort is called when all of the tree is found.
func (f *fileNames) sort() {
	f.found = slices.Clip(f.found)
	slices.SortFunc(f.found, func(a, b fileName) int { return cmp.Compare(a.key, b.key) })
	f.taken = make([]uint64, (len(f.found)+63)/64)
}

// put takes note of a file that the run has written.
func (f *fileNames) put(path string, e Entry) {
	f.take(path)
	f.added[f.key(path)] = blobNameOf(e)
	f.above(path)
}

// above takes note of the folders that a file lies in.
func (f *fileNames) above(path string) {
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[:i] != f.last {
		f.last = path[:i]
		for folder := range foldersAbove(path) {
			f.folders[f.key(folder)] = struct{}{}
		}
	}
}

// foldersAbove yields the folders that a path lies in.
func foldersAbove(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(path) {
			if path[i] == '/' && !yield(path[:i]) {
				return
			}
		}
	}
}

// index returns the place of a file among those found, if it was not taken.
func (f *fileNames) index(key uint64) (i int, there bool) {
	i, there = slices.BinarySearchFunc(f.found, key, func(n fileName, key uint64) int { return cmp.Compare(n.key, key) })
	return i, there && f.taken[i/64]&(1<<(i%64)) == 0
}

// has reports whether there is a file.
func (f *fileNames) has(path string) bool {
	_, is := f.get(path)
	return is
}

// get returns the name of a file's content.
func (f *fileNames) get(path string) (name blobName, exists bool) {
	key := f.key(path)
	if name, exists = f.added[key]; exists {
		return name, true
	}
	i, exists := f.index(key)
	if !exists {
		return blobName{}, false
	}
	begin := f.found[i].begin
	return blobName{begin, f.sha256 && begin != blobBegin{}}, true
}

// take is get, and forgets the file.
func (f *fileNames) take(path string) (name blobName, exists bool) {
	name, exists = f.get(path)
	key := f.key(path)
	if _, added := f.added[key]; added {
		delete(f.added, key)
	} else if i, found := f.index(key); found {
		f.taken[i/64] |= 1 << (i % 64)
		f.left--
	}
	return name, exists
}

// none reports whether no file is left.
func (f *fileNames) none() bool { return f.left == 0 && len(f.added) == 0 }

// blocked returns what of somebody else's stands in the way of a path, as planRun.blocked does that
// looks it up in the tree: for a hundred thousand files that would take minutes.
func (f *fileNames) blocked(path string, name blobName, exists bool) error {
	if exists && name == (blobName{}) {
		return notRegular(path)
	}
	for folder := range foldersAbove(path) {
		if f.has(folder) {
			return notFolder(folder)
		}
	}
	if _, is := f.folders[f.key(path)]; is {
		return isFolder(path)
	}
	return nil
}
