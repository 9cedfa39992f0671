package gogit

import (
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func fileEntry(name, content string) object.Entry {
	return object.Entry{Mode: object.SpelledFile, Name: name, Raw: string(object.SHA1.Name(plumbing.BlobObject, []byte(content)).Bytes())}
}

func folderEntry(name string, tree object.ID) object.Entry {
	return object.Entry{Mode: object.SpelledTree, Name: name, Raw: string(tree.Bytes())}
}

// treeWith writes a tree with these entries in this order.
func treeWith(all ...object.Entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Mode + " " + e.Name + "\x00" + e.Raw)
	}
	return b.String()
}

func hashOfTree(tree string) object.ID {
	return object.SHA1.Name(plumbing.TreeObject, []byte(tree))
}

// plant puts a tree with these entries into a store.
func plant(s *object.Store, all ...object.Entry) object.ID {
	tree := treeWith(all...)
	hash := hashOfTree(tree)
	s.Add(hash, tree)
	return hash
}
