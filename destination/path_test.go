package destination

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var validPaths = []string{
	"a", "clusters/prod", "a.yaml", "_cluster/configmaps/a%3Ab.yaml", "größe/枝", "a b", " a", "a ", "a.", "a..b", "..a", "...a", "-a", "~", "a~1",
	".github", ".gitignore", ".gitkeep", ".gitlab-ci.yml", ".gitattributes", ".gitmodules.yaml/a", "git", "git~", "git~0", "git~12",
	"gita~1", ".gitx", ".git-a", "a.git", "x.git/hooks", "con", "NUL.txt/a", "a:b", ":a", "system:node", "a*?<>|\"'", "a\u200cb", "\u200ca",
	strings.Repeat("a", 255), strings.Repeat("aaaaaaa/", 511) + "aaaaaaaa",
}

var invalidPaths = []string{
	"/", "/a", "//a", "a/", "a//b", ".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "...", ". ", ".. ", " ", "a/ /b", ".\u200c.", "\ufeff",
	"..::$INDEX_ALLOCATION", `a\b`, `\`, "a\nb", "a\x00b", "\x7f", "a\u0085b", "a\xffb", "\xed\xa0\x80",
	".git", ".GIT", ".Git/a", "a/.git", "a/.gIt/b", ".git ", ".git.", ".git. . ", ".git:", ".git:a", ".git::$INDEX_ALLOCATION", ".git .::$DATA",
	"git~1", "GIT~1", "git~1.", "git~1 ", "git~1:a", "git~2", "a/Git~1/b",
	".g\u200cit", "\u200e.git", ".git\ufeff", ".\u202agi\u206ft", ".GI\u200dT", ".g\u200cit .", "git\u200c~1",
	".gitmodules/a", ".GitModules/a", ".gitmodules /a", ".gitmodules::$INDEX_ALLOCATION/a", ".gitm\u200codules/a", "gitmod~1/a", "GITMOD~4/a", "gi7eba~1/a",
	".gitmodules", "a/.GitModules", ".gitmodules ", ".gitm\u200codules", "gitmod~1", "gi7eba~1", ".GitAttributes", ".gitattributes.", "a/gitatt~1",
	"gi7eb~10/a", "~1000000/a", "a/.gitmodules/b", ".gitattributes/a", ".gitattributes./a", "gitatt~1/a", "GI7D29~1/a", "gi~12345/a",
	strings.Repeat("a", 256), strings.Repeat("ä", 128), strings.Repeat("aaaaaaa/", 512) + "a",
}

func TestValidatePathRefusesWhatGitAndFileSystemsMistake(t *testing.T) {
	for _, path := range validPaths {
		require.NoError(t, ValidatePath(path), "%q", path)
	}
	for _, path := range invalidPaths {
		require.ErrorIs(t, ValidatePath(path), ErrInvalid, "%q", path)
	}
	require.ErrorIs(t, ValidatePath(""), ErrInvalid)
}

func TestABaseFolderIsTheRootOrAPathOfFolders(t *testing.T) {
	require.NoError(t, validateFolder(""))
	for _, folder := range []string{"a", "clusters/prod", ".github", "a b", "a:b"} {
		require.NoError(t, validateFolder(folder), "%q", folder)
	}
	for _, folder := range append(invalidPaths, ".gitmodules", "a/.GitAttributes", "gitmod~1") {
		require.ErrorIs(t, validateFolder(folder), ErrInvalid, "%q", folder)
	}
}

// This keeps the check itself honest: what these rules are for must not have
// become harmless.
func TestFsckRefusesWhatTheRulesAreThereFor(t *testing.T) {
	for _, path := range []string{
		".", "a/..", ".GIT", ".git./a", "git~1", ".g\u200cit", ".gitmodules/a", "gitmod~1/a", "gi7eba~1/a", "~1000000/a",
	} {
		valid, out := fsck(t, path)
		require.False(t, valid, "%q: %s", path, out)
		require.Error(t, ValidatePath(path), "%q", path)
	}
}

func FuzzBaseFolder(f *testing.F) {
	for _, path := range validPaths {
		f.Add(path)
	}
	for _, path := range invalidPaths {
		f.Add(path)
	}
	f.Fuzz(checkPath)
}

// checkPath checks that fsck accepts path as a file and as a base folder if this
// package does.
func checkPath(t *testing.T, path string) {
	var files []string
	if err := ValidatePath(path); err != nil {
		require.ErrorIs(t, err, ErrInvalid)
	} else {
		files = append(files, path)
	}
	if err := validateFolder(path); err != nil {
		require.ErrorIs(t, err, ErrInvalid)
	} else if path != "" {
		require.NotEmpty(t, files, "%q is valid as a folder but not as a file", path)
		files = append(files, path+"/a.yaml")
	}
	if len(files) > 0 {
		valid, out := fsck(t, files...)
		require.True(t, valid, "%q: %s", files, out)
	}
}
