package gogit

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func fileEntry(name, content string) object.Entry {
	return object.Entry{Mode: object.SpelledFile, Name: name, Hash: plumbing.ComputeHash(plumbing.BlobObject, []byte(content))}
}

func folderEntry(name string, tree plumbing.Hash) object.Entry {
	return object.Entry{Mode: object.SpelledTree, Name: name, Hash: tree}
}

// treeWith writes a tree with these entries in this order.
func treeWith(all ...object.Entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Mode + " " + e.Name + "\x00" + string(e.Hash[:]))
	}
	return b.String()
}

func hashOfTree(tree string) plumbing.Hash {
	return plumbing.ComputeHash(plumbing.TreeObject, []byte(tree))
}

// plant puts a tree with these entries into a store.
func plant(s *object.Store, all ...object.Entry) plumbing.Hash {
	tree := treeWith(all...)
	hash := hashOfTree(tree)
	s.Add(hash, tree)
	return hash
}
