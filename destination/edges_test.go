package destination

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachFaultOfADestinationAloneMakesItInvalid(t *testing.T) {
	valid := Destination{Ref: Ref{Namespace: "a", Name: "b"}, RepositoryRef: Ref{Namespace: "c", Name: "d"},
		Repository: "https://host/app", Branch: "main", BaseFolder: "x"}
	require.NoError(t, valid.Validate())
	for name, change := range map[string]func(*Destination){
		"Ref":           func(d *Destination) { d.Ref.Name = "" },
		"RepositoryRef": func(d *Destination) { d.RepositoryRef.Name = "a/b" },
		"Repository":    func(d *Destination) { d.Repository = "ftp://host/a" },
		"Branch":        func(d *Destination) { d.Branch = "a..b" },
		"BaseFolder":    func(d *Destination) { d.BaseFolder = "/x" },
	} {
		d := valid
		change(&d)
		require.ErrorIs(t, d.Validate(), ErrInvalid, name)
	}
	for _, bad := range []string{"a\x00", "a\tb", "a b", "a/b", "\xff"} {
		d := valid
		d.Ref.Name = bad
		require.ErrorIs(t, d.Validate(), ErrInvalid, "%q", bad)
	}
}

func TestTheFirstAndTheLastCharacterOfEachRangeCount(t *testing.T) {
	for _, name := range []string{"A", "Z", "a", "z", "0", "9", "_"} {
		require.True(t, isPlainURL("https://h"+name+"/p"+name), name)
		require.False(t, strings.ContainsFunc(name, notInHost), name)
	}
	for _, name := range []string{"@", "[", "`", "{", "/", ":", " ", "é"} {
		require.True(t, strings.ContainsFunc(name, notInHost), name)
		require.False(t, isPlainURL("https://host/p"+name+"x") && name != "/", name)
	}
	for url, plain := range map[string]bool{
		"https://host/a/b": true, "https://host/a-b_c.d": true, "https://host//a": false, "https://host/-a": false, "https://host/.a": false,
		"https://host/_a": false, "https://host/a/": false, "https:///a": false, "https://host": false, "http://host/a": false, "https://-h/a": false,
	} {
		require.Equal(t, plain, isPlainURL(url), url)
	}
	ignored := func(r rune) bool { return dropIgnoredByHFS(r) < 0 }
	for _, of := range [][2]rune{{0x200c, 0x200f}, {0x202a, 0x202e}, {0x206a, 0x206f}, {0xfeff, 0xfeff}} {
		require.True(t, ignored(of[0]) && ignored(of[1]), "%x", of)
		require.False(t, ignored(of[0]-1) || ignored(of[1]+1), "%x", of)
	}
	for plain, git := range map[string]bool{
		".git": true, "git~1": true, "git~9": true, "git~0": false, "git~:": false, "git~/": false, "git~": false, "git~10": false, "gut~1": false, "1": false, "9": false,
	} {
		require.Equal(t, git, isDotGit(plain), plain)
	}
	for plain, git := range map[string]bool{
		".gitmodules": true, ".gitattributes": true, "gitmod~1": true, "gitatt~2": true, "gi7eba~1": true, "gi7d29~4": true, "gi7~1234": true,
		"gitmod~a": false, "gitmod~": false, "gitmodx~": false, "gitign~1": false, "gitmods": false, "gitmodul": false, "gi7eba~x": false, "gi7~123x": false, "gitattri": false,
	} {
		require.Equal(t, git, isFileOfGit(plain), plain)
	}
}

func TestAFolderMayBeAsLongAsAPath(t *testing.T) {
	component := strings.Repeat("x", 127) + "/"
	longest := strings.TrimSuffix(strings.Repeat(component, maxPath/len(component)+1), "/")[:maxPath]
	longest = strings.TrimSuffix(longest, "/") + strings.Repeat("y", maxPath-len(strings.TrimSuffix(longest, "/")))
	require.Len(t, longest, maxPath)
	require.NoError(t, validateFolder(longest))
	require.ErrorContains(t, validateFolder(longest+"y"), fmt.Sprint(maxPath))
	require.ErrorContains(t, validateFolder("/x"), "make it relative")
	require.ErrorContains(t, validateFolder("x//y"), "is empty")
	require.ErrorContains(t, validateBranch(""), "name one")
}

func TestWhatIsShownOfAURLHoldsNoSecretAndStaysReadable(t *testing.T) {
	for raw, shown := range map[string]string{
		"https://host/app":         "https://host/app",
		"https://user:pw@host/app": "https://***@host/app",
		"https://@host/app":        "https://***@host/app",
		"https://host/app?token=x": "https://host/app***",
		"https://?token=x":         "https://***",
		"https://ho st:pw":         "https://***",
		"git@host:app":             "***@host:app",
		"@host:app":                "***@host:app",
		"host:a b%zz":              "host:a b%zz",
		"user:pw@x://host/app":     "***://host/app",
		"?x":                       "***",
		"#x":                       "***",
	} {
		require.Equal(t, shown, redactURL(raw), raw)
	}
}
