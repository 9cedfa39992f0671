package destination

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// aged is a spec on one branch of a repository that all may use; age 0: unknown, 1 the oldest.
func aged(name, folder string, age int) Spec {
	s := spec(name, "shared/r", "main", folder)
	if age > 0 {
		s.Created = time.Unix(1_700_000_000+int64(age), 0)
	}
	return s
}

var shared = []Repository{{Ref: ref("shared/r"), URL: "https://host/r", AllowedNamespaces: []string{"*"}}}

func TestOfTwoThatOverlapTheOlderKeepsItsFolder(t *testing.T) {
	for name, c := range map[string]struct {
		specs []Spec
		valid string
	}{
		"the root, younger":           {[]Spec{aged("victim/d", "clusters/prod", 1), aged("evil/d", "", 2)}, "victim/d"},
		"the root, older":             {[]Spec{aged("victim/d", "", 1), aged("evil/d", "x", 2)}, "victim/d"},
		"equal folders":               {[]Spec{aged("victim/d", "x", 1), aged("evil/d", "x", 2)}, "victim/d"},
		"of one age":                  {[]Spec{aged("victim/d", "x", 1), aged("evil/d", "", 1)}, ""},
		"without ages":                {[]Spec{aged("victim/d", "x", 0), aged("evil/d", "", 0)}, ""},
		"one without an age":          {[]Spec{aged("victim/d", "x", 1), aged("evil/d", "", 0)}, ""},
		"what is refused refuses not": {[]Spec{aged("a/d", "a", 1), aged("evil/d", "", 2), aged("b/d", "b", 3)}, "a/d b/d"},
		"who ties stands in the way":  {[]Spec{aged("a/d", "x", 1), aged("b/d", "x", 1), aged("c/d", "x/y", 2)}, ""},
		"not beaten by who is beaten": {[]Spec{aged("a/d", "x", 1), aged("b/d", "", 2), aged("c/d", "y", 2)}, "a/d c/d"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				set, _ := Resolve(shared, c.specs)
				var valid []string
				for d := range set.All() {
					valid = append(valid, d.Ref.String())
				}
				require.Equal(t, c.valid, strings.Join(valid, " "))
				rand.Shuffle(len(c.specs), func(i, j int) { c.specs[i], c.specs[j] = c.specs[j], c.specs[i] })
			}
		})
	}
}

func TestAnOverlapTellsATenantNothingOfAnother(t *testing.T) {
	for _, age := range []int{0, 2} {
		set, _ := Resolve(shared, []Spec{aged("victim/hidden", "secret/folder", age/2), aged("evil/d", "", age)})
		err := set.Err(ref("evil/d"))
		require.ErrorIs(t, err, ErrOverlap)
		require.ErrorContains(t, err, "stands in the way")
		for _, word := range []string{"victim", "hidden", "secret", "folder\"", "host"} {
			require.NotContains(t, err.Error(), word)
		}
		set, _ = Resolve(shared, []Spec{aged("evil/mine", "my/folder", age/2), aged("evil/d", "", age)})
		require.ErrorContains(t, set.Err(ref("evil/d")), "evil/mine")
	}
}

// Against the rule itself, pair by pair: all ages known and different, so the older ones are
// settled first.
func TestAgesAreThoseThatComparingEachPairFinds(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2_000 {
		specs := make([]Spec, 1+random.IntN(8))
		for i, age := range random.Perm(len(specs)) {
			components := make([]string, random.IntN(4))
			for j := range components {
				components[j] = []string{"a", "a-b", "a.", "ab", "b", "a0"}[random.IntN(6)]
			}
			specs[i] = aged(fmt.Sprintf("n%d/d", i), strings.Join(components, "/"), age+1)
		}
		set, _ := Resolve(shared, specs)
		overlap := func(a, b Spec) bool {
			in := func(outer, inner string) bool { return outer == "" || strings.HasPrefix(inner+"/", outer+"/") }
			return in(a.BaseFolder, b.BaseFolder) || in(b.BaseFolder, a.BaseFolder)
		}
		for _, s := range specs {
			want := true
			for _, older := range specs {
				if older.Created.Before(s.Created) && set.Err(older.Ref) == nil && overlap(older, s) {
					want = false
				}
			}
			require.Equal(t, want, set.Err(s.Ref) == nil, "%v", specs)
		}
	}
}
