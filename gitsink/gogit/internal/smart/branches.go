package smart

import (
	"bytes"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// branches picks the references that matter to some branches out of all. What one reference costs
// does not depend on the number of branches, nor what is kept on the number of references.
type branches struct {
	near  map[string]map[string]object.ID // by branch
	above map[string][]string             // the branches below a name that would be their folder
}

func newBranches(names []plumbing.ReferenceName) *branches {
	b := &branches{near: make(map[string]map[string]object.ID, len(names)), above: map[string][]string{}}
	for _, name := range names {
		branch := name.String()
		if b.near[branch] != nil {
			continue
		}
		b.near[branch] = map[string]object.ID{}
		for i, c := range branch {
			if c == '/' {
				b.above[branch[:i]] = append(b.above[branch[:i]], branch)
			}
		}
	}
	return b
}

// add keeps a reference if it is one of the branches, or Git cannot have it beside one.
func (b *branches) add(name []byte, hash object.ID) {
	if near, ok := b.near[string(name)]; ok {
		near[string(name)] = hash
	}
	for _, branch := range b.above[string(name)] {
		keep(b.near[branch], name, hash)
	}
	for i := 0; ; {
		n := bytes.IndexByte(name[i:], '/')
		if n < 0 {
			return
		}
		i += n
		if near, ok := b.near[string(name[:i])]; ok {
			keep(near, name, hash)
		}
		i++
	}
}

// keep keeps one that stands in the way of a branch, or two if the branch has not been seen by
// then.
func keep(near map[string]object.ID, name []byte, hash object.ID) {
	if len(near) < 2 {
		near[string(name)] = hash
	}
}
