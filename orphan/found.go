package orphan

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"strings"
)

const sampleSize = 10

// Found stands for the files that a search found. Within the same process it can be compared with
// what a later search finds, but it holds only a hash of each file: 100,000 of them are 800 KB. It
// never changes and may be used concurrently. A nil Found holds no files.
type Found struct {
	Count  int
	Sample []string // the first paths, in byte order, ten at most
	hashes []uint64 // of all paths, sorted
}

var hashSeed = maphash.MakeSeed()

// NewFound makes a Found of paths in byte order, none of them twice. They are not kept. It returns
// nil for none.
func NewFound(paths []string) *Found {
	if len(paths) == 0 {
		return nil
	}
	f := &Found{Count: len(paths), hashes: make([]uint64, len(paths))}
	for _, path := range paths[:min(sampleSize, len(paths))] {
		f.Sample = append(f.Sample, strings.Clone(path)) // a path may be a part of something large
	}
	for i, path := range paths {
		f.hashes[i] = maphash.String(hashSeed, path)
	}
	slices.Sort(f.hashes)
	return f
}

// Includes reports whether each of paths is among the files. It is true for no paths, and for a nil
// Found only then.
func (f *Found) Includes(paths []string) bool {
	for _, path := range paths {
		if f == nil {
			return false
		}
		if _, ok := slices.BinarySearch(f.hashes, maphash.String(hashSeed, path)); !ok {
			return false
		}
	}
	return true
}

// Digest returns a text of hexadecimal digits that names the files: within the same process two
// Founds have the same if they hold the same files, and practically only then. In another process
// it is another one. That of a nil Found is "".
func (f *Found) Digest() string {
	if f == nil {
		return ""
	}
	sum := sha256.New()
	_ = binary.Write(sum, binary.LittleEndian, f.hashes) // a hash returns no error
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
