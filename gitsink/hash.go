package gitsink

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash"
)

// blobHash is the name that Git gives to a file's content. A file that has this hash already need
// not be read, and makes no commit.
func blobHash(data []byte) string {
	h := newBlobHash(int64(len(data)))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// newBlobHash is the hash of a file of this size, to which its content is yet to be written.
func newBlobHash(size int64) hash.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}
