package orphan

import (
	"hash/maphash"
	"slices"
	"strings"
)

const sampleSize = 10

// Found stands for the files that a search found. It knows them again later, within the same process, but holds only a
// hash of each: 100,000 of them are 800 KB. It never changes, and a nil Found holds no files.
type Found struct {
	Count  int
	Sample []string // the first paths, in byte order, ten at most
	marks  []uint64 // hashes of all paths, sorted
}

var markSeed = maphash.MakeSeed()

// NewFound makes a Found of paths in byte order, none of them twice. They are not kept. It returns nil for none.
func NewFound(paths []string) *Found {
	if len(paths) == 0 {
		return nil
	}
	f := &Found{Count: len(paths), marks: make([]uint64, len(paths))}
	for _, path := range paths[:min(sampleSize, len(paths))] {
		f.Sample = append(f.Sample, strings.Clone(path)) // a path may be a part of something large
	}
	for i, path := range paths {
		f.marks[i] = maphash.String(markSeed, path)
	}
	slices.Sort(f.marks)
	return f
}

// Includes tells whether every one of paths is among the files. None are among any files, and a nil Found includes no path.
func (f *Found) Includes(paths []string) bool {
	for _, path := range paths {
		if f == nil {
			return false
		}
		if _, ok := slices.BinarySearch(f.marks, maphash.String(markSeed, path)); !ok {
			return false
		}
	}
	return true
}
