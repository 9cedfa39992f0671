package object

import (
	"maps"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// A pack for several holds what only the others may need: each takes its own, whole.
func TestOfAPackForSeveralEachTakesItsOwn(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SHA1, SHA256} {
		var pack Unpacked
		tree := func(all ...Entry) ID {
			o := New(f, plumbing.TreeObject, []byte(treeWith(all...)))
			pack.Trees.Set(o.Hash, string(o.Data))
			return o.Hash
		}
		commit := func(root ID) ID {
			o := New(f, plumbing.CommitObject, EncodeCommit(root, ID{}, gitsink.Commit{}, gitsink.Signature{Name: "C"}, time.Unix(1, 0)))
			pack.Commits.Set(o.Hash, string(o.Data))
			return o.Hash
		}
		file := New(f, plumbing.BlobObject, []byte("1")).Hash
		a := Entry{Mode: "100644", Name: "a", Raw: file.raw()}
		folder := func(name string, id ID) Entry { return Entry{Mode: "40000", Name: name, Raw: id.raw()} }
		shared := tree(a)
		deep := tree(folder("shared", shared))
		lost := New(f, plumbing.TreeObject, nil).Hash
		mine, theirs := tree(folder("deep", deep), folder("lost", lost)), tree(a, folder("shared", shared))
		one, other := commit(mine), commit(theirs)
		damaged := New(f, plumbing.TreeObject, []byte("damaged")).Hash
		pack.Trees.Set(damaged, "damaged")

		for name, c := range map[string]struct {
			wants          []ID
			commits, trees []ID
		}{
			"a commit":          {[]ID{one}, []ID{one}, []ID{mine, deep, shared}},
			"another":           {[]ID{other}, []ID{other}, []ID{theirs, shared}},
			"both":              {[]ID{one, other, one}, []ID{one, other}, []ID{mine, deep, shared, theirs}},
			"a tree":            {[]ID{deep}, nil, []ID{deep, shared}},
			"damage":            {[]ID{damaged}, nil, []ID{damaged}},
			"what is not in it": {[]ID{lost}, nil, nil},
			"nothing":           {nil, nil, nil},
		} {
			got := pack.Of(c.wants)
			require.ElementsMatch(t, c.commits, keys(&got.Commits), name)
			require.ElementsMatch(t, c.trees, keys(&got.Trees), name)
			for id, text := range got.Trees.All() {
				whole, _ := pack.Trees.Get(id)
				require.Equal(t, whole, text)
			}
		}
	}
}

func keys[V any](m *Map[V]) (all []ID) {
	for id := range maps.Collect(m.All()) {
		all = append(all, id)
	}
	return all
}
