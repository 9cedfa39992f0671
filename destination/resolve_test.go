package destination

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func ref(text string) Ref {
	namespace, name, _ := strings.Cut(text, "/")
	return Ref{Namespace: namespace, Name: name}
}

var repositories = []Repository{
	{Ref: ref("a/repo"), URL: "https://github.com/org/repo.git", AllowedBranches: []string{"main", "release/*"}},
	{Ref: ref("b/repo"), URL: "https://GitHub.com/org/repo"},
	{Ref: ref("b/ssh"), URL: "git@github.com:org/repo"},
	{Ref: ref("b/broken"), URL: "repo", AllowedBranches: []string{"["}},
	{Ref: ref("b/twice"), URL: "https://host/one"},
	{Ref: ref("b/twice"), URL: "https://host/two"},
	{Ref: ref("b/unused"), URL: "ftp://host/repo"},
}

func spec(name, repository, branch, folder string) Spec {
	return Spec{Ref: ref(name), RepositoryRef: ref(repository), Branch: branch, BaseFolder: folder}
}

func TestResolveKeepsEveryValidDestinationAndNamesTheOthers(t *testing.T) {
	specs := []Spec{
		spec("a/prod", "a/repo", "main", "clusters/prod"),
		spec("a/dev", "a/repo", "release/1", "clusters/prod"),
		spec("a/overlap", "a/repo", "main", "shared"),
		spec("a/branch", "a/repo", "dev", "clusters/x"),
		spec("b/overlap", "b/repo", "main", "shared/b"),
		spec("b/ssh", "b/ssh", "main", "clusters/prod"), // another remote branch than https
		spec("b/any", "b/repo", "dev", ""),
		spec("b/broken", "b/broken", "main", "b"),
		spec("b/twice", "b/repo", "main", "c"),
		spec("b/twice", "b/repo", "main", "d"),
		spec("b/twice-repo", "b/twice", "main", "e"),
		spec("b/unknown", "b/none", "main", "f"),
		spec("b/folder", "b/repo", "main", "../a"),
		// has a fault of its own, and overlaps nobody
		spec("b/head", "b/repo", "HEAD", "clusters/prod"),
		spec("b/", "b/repo", "main", "g"),
	}
	wantErr := map[string]error{
		"a/overlap": ErrOverlap, "a/branch": ErrBranchNotAllowed, "b/overlap": ErrOverlap, "b/broken": ErrInvalid, "b/twice": ErrInvalid,
		"b/twice-repo": ErrInvalid, "b/unknown": ErrUnknownRepository, "b/folder": ErrInvalid, "b/head": ErrInvalid, "b/": ErrInvalid,
	}
	wantRepositoryErr := []Ref{ref("b/broken"), ref("b/twice"), ref("b/unused")}
	wantValid := []Destination{
		{ref("a/dev"), ref("a/repo"), "https://github.com/org/repo.git", "release/1", "clusters/prod"},
		{ref("a/prod"), ref("a/repo"), "https://github.com/org/repo.git", "main", "clusters/prod"},
		{ref("b/any"), ref("b/repo"), "https://GitHub.com/org/repo", "dev", ""},
		{ref("b/ssh"), ref("b/ssh"), "git@github.com:org/repo", "main", "clusters/prod"},
	}
	var first string
	for range 20 {
		set, err := Resolve(repositories, specs)
		require.Error(t, err)
		if first == "" {
			first = err.Error()
		}
		require.Equal(t, first, err.Error(), "the error depends on the order")

		require.Equal(t, wantValid, slices.Collect(set.All()))
		require.Equal(t, len(wantValid), set.Len())
		for _, d := range wantValid {
			got, ok := set.Get(d.Ref)
			require.True(t, ok)
			require.Equal(t, d, got)
			require.NoError(t, got.Validate())
			require.NoError(t, set.Err(d.Ref))
		}
		for name, want := range wantErr {
			require.ErrorIs(t, set.Err(ref(name)), want, name)
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, set.Err(ref(name)).Error())
			_, ok := set.Get(ref(name))
			require.False(t, ok, name)
		}
		for _, r := range wantRepositoryErr {
			require.ErrorIs(t, set.RepositoryErr(r), ErrInvalid)
			require.ErrorContains(t, err, set.RepositoryErr(r).Error())
		}
		require.NoError(t, set.RepositoryErr(ref("a/repo")))
		require.NoError(t, set.Err(ref("c/never-given")))

		rand.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
	}
}

func TestResolveWithoutFaultsHasNoError(t *testing.T) {
	set, err := Resolve(repositories[:3], []Spec{spec("a/prod", "a/repo", "main", "p"), spec("b/dev", "b/repo", "main", "d")})
	require.NoError(t, err)
	require.Equal(t, 2, set.Len())

	set, err = Resolve(nil, nil)
	require.NoError(t, err)
	require.Zero(t, set.Len())
	for range set.All() {
		t.Fatal("an empty Set yields a destination")
	}
	require.NoError(t, Set{}.Err(ref("a/b")))
	_, ok := Set{}.Get(ref("a/b"))
	require.False(t, ok)
}

func TestASetDoesNotChangeWithWhatItWasMadeFrom(t *testing.T) {
	given := []Repository{{Ref: ref("a/repo"), URL: "https://host/repo"}}
	specs := []Spec{spec("a/prod", "a/repo", "main", "p")}
	set, err := Resolve(given, specs)
	require.NoError(t, err)
	given[0].URL, specs[0].Branch = "https://other/repo", "dev"
	d, _ := set.Get(ref("a/prod"))
	require.Equal(t, "https://host/repo main", d.Repository+" "+d.Branch)
}

// Folders of one remote branch.
var (
	overlapping = [][2]string{{"a", "a"}, {"", "a"}, {"", ""}, {"a", "a/b"}, {"a/b", "a/b/c/d"}, {"a", "a/-"}}
	disjoint    = [][2]string{{"a", "b"}, {"a", "ab"}, {"a", "a-b"}, {"a/b", "a/c"}, {"a", "A"}, {"a.b/c", "a/c"}}
)

func TestBothSidesOfAnOverlapAreRefusedAndNameEachOther(t *testing.T) {
	for _, folders := range overlapping {
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			specs := []Spec{spec("a/one", "a/repo", "main", folders[0]), spec("a/two", "a/repo", "main", folders[1])}
			set, err := Resolve(repositories[:2], []Spec{specs[order[0]], specs[order[1]]})
			require.ErrorIs(t, err, ErrOverlap)
			require.Zero(t, set.Len())
			require.ErrorContains(t, set.Err(ref("a/one")), fmt.Sprintf("GitDestination a/two has %q", folders[1]))
			require.ErrorContains(t, set.Err(ref("a/two")), fmt.Sprintf("GitDestination a/one has %q", folders[0]))
		}
	}
	for _, folders := range disjoint {
		set, err := Resolve(repositories[:2], []Spec{spec("a/one", "a/repo", "main", folders[0]), spec("a/two", "a/repo", "main", folders[1])})
		require.NoError(t, err, folders)
		require.Equal(t, 2, set.Len())
	}
}

// Whatever is wrong with what one tenant gives, and however often, the destination of another one
// stays.
func TestAFaultOfOneTenantNeverTakesAnothersDestinationAway(t *testing.T) {
	good := []Repository{repositories[0]}
	prod := spec("a/prod", "a/repo", "main", "clusters/prod")
	broken := []Repository{
		{Ref: ref("b/repo"), URL: "https://alice:pw@github.com/org/repo"}, {Ref: ref("b/repo"), URL: good[0].URL, AllowedBranches: []string{"["}},
		{Ref: ref("b/repo"), URL: "ext::sh"}, {Ref: ref("b/"), URL: good[0].URL},
	}
	for _, r := range broken {
		for _, s := range []Spec{
			spec("b/prod", r.Ref.String(), "main", "clusters/prod"), spec("b/prod", r.Ref.String(), "main", ""), spec("b/prod", "b/none", "main", ""),
			spec("b/prod", "a/repo", "main", "../prod"), spec("b/prod", "a/repo", "HEAD", ""), spec("b/prod", "a/repo", "dev", "clusters/prod"), spec("b/", "a/repo", "main", ""),
		} {
			for _, specs := range [][]Spec{{prod, s}, {s, prod}, {s, s, prod}} {
				set, err := Resolve(append(good, r, r), specs)
				require.ErrorIs(t, err, ErrInvalid)
				require.Error(t, set.Err(s.Ref), "%+v", s)
				require.NoError(t, set.Err(prod.Ref), "%+v", s)
				require.Equal(t, 1, set.Len())
			}
		}
	}
}

func TestOverlapsAreThoseThatComparingEachPairFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		specs := make([]Spec, 1+random.IntN(8))
		for i := range specs {
			components := make([]string, random.IntN(4))
			for j := range components {
				components[j] = []string{"a", "a-b", "a.", "ab", "b", "a0"}[random.IntN(6)]
			}
			specs[i] = spec(fmt.Sprintf("b/%d", i), "b/repo", []string{"main", "dev"}[random.IntN(2)], strings.Join(components, "/"))
		}
		want, got := map[string]bool{}, map[string]bool{}
		for i, s := range specs {
			for j, other := range specs {
				nested := other.BaseFolder == "" || strings.HasPrefix(s.BaseFolder+"/", other.BaseFolder+"/")
				if i != j && s.Branch == other.Branch && nested {
					want[s.Ref.Name], want[other.Ref.Name] = true, true
				}
			}
		}
		set, _ := Resolve(repositories[:2], specs)
		for _, s := range specs {
			if set.Err(s.Ref) != nil {
				got[s.Ref.Name] = true
			}
		}
		require.Empty(t, cmp.Diff(want, got), "%v", specs)
	}
}

func BenchmarkResolve(b *testing.B) {
	const n = 100_000
	for name, folder := range map[string]func(int) string{
		"Disjoint": func(i int) string { return fmt.Sprintf("clusters/%d/apps", i) },
		"Equal":    func(int) string { return "clusters" },
		"Nested":   func(i int) string { return "a" + strings.Repeat("/a", i%20) },
	} {
		var given []Repository
		for i := range 20 {
			given = append(given, Repository{
				Ref:             Ref{Namespace: "team", Name: fmt.Sprintf("repo-%d", i)},
				URL:             fmt.Sprintf("https://github.com/org/repo-%d.git", i),
				AllowedBranches: []string{"main", "release/**"},
			})
		}
		var specs []Spec
		for i := range n {
			specs = append(specs, Spec{
				Ref:           Ref{Namespace: "team", Name: fmt.Sprintf("destination-%d", i)},
				RepositoryRef: given[i%20].Ref,
				Branch:        fmt.Sprintf("release/%d", i%5),
				BaseFolder:    folder(i),
			})
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Resolve(given, specs)
			}
		})
	}
}

func BenchmarkRemoteBranch(b *testing.B) {
	for b.Loop() {
		_ = valid.RemoteBranch()
	}
}
