package destination

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var globs = []struct {
	glob         string
	match, other []string
}{
	{"feature/*", []string{"feature/x"}, []string{"feature", "feature/x/y", "my/feature/x"}},
	{"release-?.?", []string{"release-1.2"}, []string{"release-1.10", "release-12", "release-1./"}},
	{"main", []string{"main"}, []string{"mai", "main2", "x/main", "main/x", "Main"}},
	{"*", []string{"main", "größe"}, []string{"a/b"}},
	{"**", []string{"main", "a/b", "a/b/c"}, nil},
	{"***", []string{"main", "a/b"}, nil},
	{"release/*", []string{"release/1", "release/"}, []string{"release", "release/1/2"}},
	{"release/**", []string{"release/1", "release/1/2"}, []string{"release", "prerelease/1"}},
	{"**/x", []string{"a/x", "a/b/x"}, []string{"x", "a/xx"}},
	{"a**b", []string{"ab", "a/b", "axb"}, []string{"ab/"}},
	{"v?.?", []string{"v1.2", "vä.ö"}, []string{"v1.10", "v1./", "v12"}},
	{"[a-cx]*", []string{"b", "x1"}, []string{"d", "", "b/c"}},
	{"[^a-c]", []string{"d", "^"}, []string{"a"}},
	{`[\-\]\\]`, []string{"-", "]", `\`}, []string{"a"}},
	{"[[:alpha:]]", []string{"a]", ":]"}, []string{"b", "b]"}},
	{`\*`, []string{"*"}, []string{"a"}},
	{"a.c|(d)+$", []string{"a.c|(d)+$"}, []string{"abc", "abc|d"}},
	{"]", []string{"]"}, []string{"a"}},
}

func TestAGlobStaysWithinSlashesUnlessItHasTwoStars(t *testing.T) {
	for _, c := range globs {
		expression, err := compileGlob(c.glob)
		require.NoError(t, err, c.glob)
		for _, branch := range c.match {
			require.True(t, expression.MatchString(branch), "%s on %s", c.glob, branch)
		}
		for _, branch := range c.other {
			require.False(t, expression.MatchString(branch), "%s on %s", c.glob, branch)
		}
	}
}

func TestAMalformedGlobIsAnErrorThatNamesIt(t *testing.T) {
	repository := Repository{Ref: Ref{Name: "repo"}, URL: "https://host/repo"}
	for _, glob := range []string{"", "[", "a[", "[]", "[^]", "[a", "[a-", "[a-]", "[-a]", "[]a]", `\`, `a\`, `[\`, "[z-a]", "a\xff"} {
		repository.AllowedBranches = []string{"main", glob}
		set, err := Resolve([]Repository{repository}, nil)
		require.ErrorIs(t, err, ErrInvalid, glob)
		require.ErrorIs(t, set.RepositoryErr(repository.Ref), ErrInvalid)
		var fault *Error
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "AllowedBranches", fault.Field)
		require.Equal(t, glob, fault.Value)
	}
}

func TestMatchingAGlobTakesLinearTime(t *testing.T) {
	expression, err := compileGlob(strings.Repeat("**a", 100) + "b")
	require.NoError(t, err)
	require.False(t, expression.MatchString(strings.Repeat("a", 10_000)))
}

// Without "**", a glob is what path.Match says. path.Match sees no fault in a
// range that runs backwards, which matches nothing.
func FuzzGlob(f *testing.F) {
	for _, glob := range []string{"main", "release/*", "v?.?", "[a-c]x", "[^a-c]/*", `\[\*`, "a]b", "[z-a]", "[a-", "größe*", "*a*b*c"} {
		for _, branch := range []string{"main", "release/1", "v1.2", "bx", "/a", "[*", "a]b", "größe1", "xaxbxc"} {
			f.Add(glob, branch)
		}
	}
	f.Fuzz(func(t *testing.T, glob, branch string) {
		expression, err := compileGlob(glob)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		if strings.Contains(glob, "**") {
			return
		}
		want, err := path.Match(glob, branch)
		require.NoError(t, err)
		require.Equal(t, want, expression.MatchString(branch), "%q on %q", glob, branch)
	})
}
