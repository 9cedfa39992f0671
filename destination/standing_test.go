package destination

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoMaySendToADestination(t *testing.T) {
	t.Parallel()
	repository := Repository{Ref: Ref{Namespace: "team", Name: "r"}, URL: "https://git.example/r.git"}
	in := func(name, branch, folder string) Spec {
		return Spec{
			Ref: Ref{Namespace: "team", Name: name}, RepositoryRef: repository.Ref, Branch: branch, BaseFolder: folder,
			AllowedNamespaces: []string{"other"},
		}
	}
	alone := in("alone", "main", "alone")
	alone.AllowedNamespaces = nil
	set, err := Resolve([]Repository{repository}, []Spec{in("good", "main", "a"), alone, in("faulty", "..", "b"), in("inner", "main", "x/y"), in("outer", "main", "x")})
	require.ErrorIs(t, err, ErrOverlap)
	for name, others := range map[string]bool{"good": true, "alone": false, "faulty": false, "inner": true, "outer": true, "unknown": false} {
		ref := Ref{Namespace: "team", Name: name}
		require.True(t, set.Allows(ref, ""), "%s: the administrator", name)
		require.True(t, set.Allows(ref, "team"), "%s: its own namespace", name)
		require.Equal(t, others, set.Allows(ref, "other"), name)
		require.False(t, set.Allows(ref, "third"), name)
	}
}

func TestOfSeveralWithOneNameTheErrorIsThatTheyAreSeveral(t *testing.T) {
	t.Parallel()
	repository := Repository{Ref: Ref{Namespace: "team", Name: "r"}, URL: "https://git.example/r.git"}
	spec := Spec{Ref: Ref{Namespace: "team", Name: "d"}, RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "a"}
	set, err := Resolve([]Repository{repository}, []Spec{spec, spec})
	require.ErrorContains(t, err, "2 objects have this namespace and name")
	require.NotErrorIs(t, err, ErrOverlap)
	require.Zero(t, set.Len())
}

func TestAnOverlapSaysWhoIsOlderWhereThatIsKnown(t *testing.T) {
	t.Parallel()
	repository := Repository{Ref: Ref{Namespace: "team", Name: "r"}, URL: "https://git.example/r.git"}
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		outer, inner time.Time
		older        string // whose error says so
		refused      []string
	}{
		"the outer is older": {day(1), day(2), "inner", []string{"inner"}},
		"the inner is older": {day(2), day(1), "outer", []string{"outer"}},
		"of one age":         {day(1), day(1), "", []string{"inner", "outer"}},
		"of no known age":    {time.Time{}, time.Time{}, "", []string{"inner", "outer"}},
		"one of no age":      {time.Time{}, day(1), "", []string{"inner", "outer"}},
	} {
		set, _ := Resolve([]Repository{repository}, []Spec{
			{Ref: Ref{Namespace: "team", Name: "outer"}, RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "a", Created: c.outer},
			{Ref: Ref{Namespace: "team", Name: "inner"}, RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "a/b", Created: c.inner},
		})
		var refused []string
		for _, who := range []string{"inner", "outer"} {
			if err := set.Err(Ref{Namespace: "team", Name: who}); err != nil {
				refused = append(refused, who)
				require.ErrorIs(t, err, ErrOverlap)
				says := fmt.Sprint(err)
				if who == c.older {
					require.Contains(t, says, "which is older", name)
				} else {
					require.NotContains(t, says, "is older", name)
				}
			}
		}
		require.Equal(t, c.refused, refused, name)
	}
}

func TestTheFirstOfSeveralThatOverlapIsNamed(t *testing.T) {
	t.Parallel()
	d := func(name, folder string) claimed {
		return claimed{Destination: Destination{Ref: Ref{Namespace: "team", Name: name}, BaseFolder: folder}}
	}
	f := newFolders([]claimed{d("1", "a/b/c"), d("2", "a/d"), d("3", "e"), d("4", "e")})
	for _, c := range []struct{ name, folder, want string }{
		{"x", "a", "1"}, {"x", "", "1"}, {"x", "a/b", "1"}, {"x", "a/d", "2"}, {"x", "a/d/e/f", "2"}, {"x", "e", "3"}, {"3", "e", "4"}, {"x", "f", ""}, {"x", "a/bb", ""},
	} {
		with, ok := f.overlapping(d(c.name, c.folder).Destination)
		require.Equal(t, c.want != "", ok, c.folder)
		require.Equal(t, c.want, with.Ref.Name, c.folder)
	}
}

func TestFoldersAreInTheOrderOfTheirPathsWithASlash(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "a-b", "a", "a/b", "a0", "ab", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			require.Equal(t, sign(i-j), sign(compareFolders(a, b)), "%q %q", a, b)
		}
	}
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestABranchThatIsNotAllowedIsExplainedToWhoMayKnow(t *testing.T) {
	t.Parallel()
	repository := Repository{
		Ref: Ref{Namespace: "team", Name: "r"}, URL: "https://git.example/r.git", AllowedBranches: []string{"release/*"}, AllowedNamespaces: []string{"*"},
	}
	for namespace, told := range map[string]bool{"": true, "team": true, "other": false} {
		spec := Spec{Ref: Ref{Namespace: namespace, Name: "d"}, RepositoryRef: repository.Ref, Branch: "main", BaseFolder: "a"}
		_, err := Resolve([]Repository{repository}, []Spec{spec})
		require.ErrorIs(t, err, ErrBranchNotAllowed, namespace)
		require.Equal(t, told, strings.Contains(err.Error(), "release/*"), namespace)
	}
}
