package gitsink

import (
	"crypto/sha1"
	"fmt"
	"hash"
)

// newBlobHash computes Git's name of a file of this size, in a repository that names objects by
// SHA-1. The content is yet to be written to it.
func newBlobHash(size int64) hash.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}
