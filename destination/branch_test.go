package destination

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var branches = map[bool][]string{
	true: {
		"main", "feature/x", "a/b/c", "@", "a@b", "@/a", "a{b", "{", "head", "Head", "HEAD/x", "x/HEAD", "lock", "a.lockb",
		"origin/x", "refs/heads/main", "a.b", "a./b", "x/-y", "v1.0", "größe", "枝", "a\u00a0b", "a'b", `a"b`, "a$b", "a;b", "a|b", "a#b", "a%20b",
		"a\xffb", "a\u200cb", strings.Repeat("a", 300),
	},
	false: {
		"", "HEAD", "-", "-d", "--orphan", "/", "/a", "a/", "a//b", ".", "..", ".a", "a/.b", "a.", "a/b.", "a..b", "a.lock", "a.lock/b", ".lock",
		"a@{b", "@{-1}", "a b", " a", "a ", "a~1", "a^", "a:b", "a?", "a*", "a[b", `a\b`, "a\tb", "a\nb", "a\x00b", "a\x7fb",
	},
}

func TestABranchIsValidIfItsRulesHold(t *testing.T) {
	for valid, names := range branches {
		for _, name := range names {
			require.Equal(t, valid, validateBranch(name) == nil, "%q", name)
		}
	}
}

func FuzzBranch(f *testing.F) {
	for _, names := range branches {
		for _, name := range names {
			f.Add(name)
		}
	}
	f.Fuzz(checkBranch)
}

// checkBranch checks that a branch is valid exactly if git takes it for one.
func checkBranch(t *testing.T, name string) {
	err := validateBranch(name)
	if err != nil {
		require.ErrorIs(t, err, ErrInvalid)
	}
	if strings.Contains(name, "\x00") || len(name) > 100_000 {
		return // cannot be an argument of a command
	}
	valid, _ := runGit(t, t.TempDir(), "check-ref-format", "refs/heads/"+name)
	valid = valid && name != "HEAD" && !strings.HasPrefix(name, "-")
	require.Equal(t, valid, err == nil, "%q: %v", name, err)
}
