package gogit

import (
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func blobHash(s string) object.ID { return object.SHA1.Name(plumbing.BlobObject, []byte(s)) }
