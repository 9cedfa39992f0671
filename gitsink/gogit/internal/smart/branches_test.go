package smart

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// An advertisement that is read for several branches tells each what one read for it alone would.
func TestEachBranchIsToldWhatItWouldBeToldAlone(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	name := func() string {
		parts := []string{"refs", "heads"}
		for range 1 + random.IntN(3) {
			parts = append(parts, string(rune('a'+random.IntN(2))))
		}
		if random.IntN(8) == 0 {
			parts[1] = "tags"
		}
		return strings.Join(parts, "/")
	}
	for range 500 {
		var text strings.Builder
		text.WriteString(pkt(someHash + " HEAD" + offeredBy))
		for n := range random.IntN(8) {
			text.WriteString(pkt(fmt.Sprintf("%040x %s\n", n+1, name())))
		}
		text.WriteString("0000")
		var names []plumbing.ReferenceName
		for range 1 + random.IntN(5) {
			names = append(names, plumbing.ReferenceName(name()))
		}
		all, err := readAdvertisement(strings.NewReader(text.String()), names...)
		require.NoError(t, err)
		require.Equal(t, all.Refs, all.of(names[0]).Refs)
		for _, name := range names {
			one, err := readAdvertisement(strings.NewReader(text.String()), name)
			require.NoError(t, err)
			got := all.of(name)
			require.Equal(t, one.Refs, got.Refs, "%s in %s", name, text.String())
			require.Equal(t, [2]any{one.Head, one.Empty}, [2]any{got.Head, got.Empty})
			require.LessOrEqual(t, len(got.Refs), 3, "the branch, and two if they were said before it")
			for near := range got.Refs {
				require.True(t, near == string(name) || strings.HasPrefix(near, string(name)+"/") || strings.HasPrefix(string(name), near+"/"))
			}
		}
	}
}

// What is kept of a large repository does not depend on its size.
func TestOfManyReferencesFewAreKeptForEachBranch(t *testing.T) {
	all := newBranches([]plumbing.ReferenceName{"refs/heads/a", "refs/heads/b/c"})
	for n := range 10_000 {
		all.add(fmt.Appendf(nil, "refs/heads/a/%d", n), object.ID{})
		all.add(fmt.Appendf(nil, "refs/heads/x/%d", n), object.ID{})
	}
	require.Len(t, all.near, 2)
	require.Len(t, all.near["refs/heads/a"], 2)
	require.Empty(t, all.near["refs/heads/b/c"])
}
