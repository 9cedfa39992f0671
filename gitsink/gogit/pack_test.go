package gogit

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// blobs are objects of the given sizes that compress to about half.
func blobs(sizes ...int) []object.Object {
	objects := make([]object.Object, len(sizes))
	for i, size := range sizes {
		var data bytes.Buffer
		for n := 0; data.Len() < size; n++ {
			fmt.Fprintf(&data, "%x\n", sha256.Sum256(fmt.Append(nil, i, n)))
		}
		data.Truncate(size)
		objects[i] = object.New(object.SHA1, plumbing.BlobObject, data.Bytes())
	}
	return objects
}
