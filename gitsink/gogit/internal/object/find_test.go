package object

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// A Finder says what a look through the tree says, however large that is and however often it is
// asked.
func TestAFinderFindsWhatALookThroughTheTreeFinds(t *testing.T) {
	t.Parallel()
	seed := testsize.Seed(t)
	random := rand.New(rand.NewPCG(seed, seed))
	for _, entries := range []int{1, 50, 300} {
		var all []Entry
		var names []string
		for i := range entries {
			name := fmt.Sprintf("n%d%s", random.IntN(3*entries), []string{"", ".", "-", "0", ".yaml"}[i%5])
			names = append(names, name, name+".", name[:1], "x"+name)
			if i%3 == 0 {
				all = append(all, folderEntry(name, hexID(someHash)))
			} else {
				all = append(all, fileEntry(name, fmt.Sprint(i))) // some twice
			}
		}
		slices.SortFunc(all, compareEntries)
		s := NewStore()
		whole := treeWith(all...)
		for _, tree := range []string{whole, whole[:len(whole)-5], whole[:len(whole)/2] + "\x00"} {
			hash := hashOfTree(tree)
			s.Add(hash, tree)
			f := NewFinder(s)
			for range 3 {
				random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				for _, name := range names {
					want, is := Lookup(SHA1, tree, name)
					got, found, err := f.Entry(hash, name)
					require.NoError(t, err)
					require.Equal(t, is, found, name)
					require.Equal(t, want, got, name)
				}
			}
			require.Equal(t, len(tree) >= largeTree, len(f.large) == 1)
		}
	}
	_, found, err := NewFinder(NewStore()).Entry(ID{}, "x")
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = NewFinder(NewStore()).Entry(hexID(someHash), "x")
	require.ErrorIs(t, err, ErrIncomplete)
}

func BenchmarkFindInAHundredThousandFiles(b *testing.B) {
	var all []Entry
	for i := range 100_000 {
		all = append(all, fileEntry(fmt.Sprintf("object-%06d.yaml", i), "x"))
	}
	s := NewStore()
	folder := plant(s, all...)
	f := NewFinder(s)
	for b.Loop() {
		if _, ok, _ := f.Entry(folder, all[rand.IntN(len(all))].Name); !ok {
			b.Fatal("not found")
		}
	}
}
