package gogit

import (
	"github.com/go-git/go-git/v5/plumbing"
)

func blobHash(s string) plumbing.Hash { return plumbing.ComputeHash(plumbing.BlobObject, []byte(s)) }
