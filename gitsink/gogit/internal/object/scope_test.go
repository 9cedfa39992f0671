package object

import (
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"
)

// A thousand levels, in each of which the next one stands twice, and the last one is missing.
func TestATreeThatStandsTwiceIsLookedIntoOnce(t *testing.T) {
	s, missing := NewStore(), map[ID]bool{}
	last := SHA1.Name(plumbing.TreeObject, []byte("missing"))
	hash := last
	for range 1000 {
		tree := "40000 a\x00" + hash.raw() + "40000 b\x00" + hash.raw()
		hash = SHA1.Name(plumbing.TreeObject, []byte(tree))
		s.Add(hash, tree)
	}
	require.NoError(t, s.below(hash, missing))
	require.Equal(t, map[ID]bool{last: true}, missing)
}
