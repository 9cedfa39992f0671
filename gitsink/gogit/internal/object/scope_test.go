package object

import (
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"
)

// A thousand levels, in each of which the next one stands twice, and the last one is missing.
func TestATreeThatStandsTwiceIsLookedIntoOnce(t *testing.T) {
	s, missing := NewStore(), map[plumbing.Hash]bool{}
	last := plumbing.ComputeHash(plumbing.TreeObject, []byte("missing"))
	hash := last
	for range 1000 {
		tree := "40000 a\x00" + string(hash[:]) + "40000 b\x00" + string(hash[:])
		hash = plumbing.ComputeHash(plumbing.TreeObject, []byte(tree))
		s.Add(hash, tree)
	}
	require.NoError(t, s.below(hash, missing))
	require.Equal(t, map[plumbing.Hash]bool{last: true}, missing)
}
