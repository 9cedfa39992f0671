package object

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// treeOf writes a tree with these entries; what an entry holds decides its hash.
func treeOf(entriesByName map[string]string) string {
	var sorted []Entry
	for name, content := range entriesByName {
		sorted = append(sorted, Entry{Mode: SpelledFile, Name: name, Raw: SHA1.Name(plumbing.BlobObject, []byte(content)).raw()})
	}
	slices.SortFunc(sorted, compareEntries)
	var b strings.Builder
	for _, e := range sorted {
		fmt.Fprintf(&b, "%s %s\x00%s", e.Mode, e.Name, e.Raw)
	}
	return b.String()
}

func TestADeltaMakesOneTreeOfAnother(t *testing.T) {
	testsize.Sampled(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, seed))
	for range 300 {
		old, size := map[string]string{}, 1+chance.IntN(3000) // up to more than a copy can carry
		for i := range size {
			old[fmt.Sprintf("entry-%d", i)] = "1"
		}
		tree := map[string]string{"always": "1"}
		rate := chance.IntN(50) + 1
		for name, content := range old {
			switch chance.IntN(rate) {
			case 0:
			case 1:
				tree[name] = "2"
			default:
				tree[name] = content
			}
		}
		for range chance.IntN(20) {
			tree[fmt.Sprintf("%c%d", 'a'+chance.IntN(26), chance.IntN(1000))] = "new"
		}
		from, to := treeOf(old), treeOf(tree)
		got, err := packfile.PatchDelta([]byte(from), treeDelta(SHA1, from, to))
		require.NoError(t, err, "%d bytes of %d", len(to), len(from))
		require.Equal(t, to, string(got))
	}
	require.Nil(t, treeDelta(SHA1, "100644 a", treeOf(map[string]string{"b": "1"})), "a damaged tree")
}
