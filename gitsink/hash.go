package gitsink

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// blobHash is the name that Git gives to a file's content in a repository that names objects by
// SHA-1.
func blobHash(data []byte) string { return nameOf(sha1.New(), data) }

// blobHash256 is that in a repository that names them by SHA-256.
func blobHash256(data []byte) string { return nameOf(sha256.New(), data) }

func nameOf(h hash.Hash, data []byte) string {
	h = begin(h, int64(len(data)))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// newBlobHash is the hash of a file of this size, to which its content is yet to be written.
func newBlobHash(size int64) hash.Hash { return begin(sha1.New(), size) }

func begin(h hash.Hash, size int64) hash.Hash {
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}
