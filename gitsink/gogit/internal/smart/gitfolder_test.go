package smart

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// lay makes files and folders, whose names end in a slash, without git.
func lay(t *testing.T, names ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range names {
		path, content, _ := strings.Cut(name, "=")
		path = filepath.Join(root, path)
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o700))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return root
}

func TestAGitFolderIsKnownByWhatIsInIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []string
		want bool
	}{
		"all of it":                     {[]string{"r/HEAD", "r/objects/", "r/refs/"}, true},
		"no HEAD":                       {[]string{"r/objects/", "r/refs/"}, false},
		"no objects":                    {[]string{"r/HEAD", "r/refs/"}, false},
		"no refs":                       {[]string{"r/HEAD", "r/objects/"}, false},
		"HEAD is a folder":              {[]string{"r/HEAD/", "r/objects/", "r/refs/"}, false},
		"objects is a file":             {[]string{"r/HEAD", "r/objects", "r/refs/"}, false},
		"refs is a file":                {[]string{"r/HEAD", "r/objects/", "r/refs"}, false},
		"a linked worktree":             {[]string{"r/HEAD", "r/commondir"}, true},
		"a linked worktree, no HEAD":    {[]string{"r/commondir", "r/objects/", "r/refs/"}, false},
		"a folder with this name":       {[]string{"r/HEAD", "r/commondir/"}, false},
		"a folder beside all the other": {[]string{"r/HEAD", "r/commondir/", "r/objects/", "r/refs/"}, true},
	} {
		disk := &reader{}
		require.Equal(t, c.want, disk.isGitFolder(filepath.Join(lay(t, c.in...), "r")), name)
		require.NoError(t, disk.fault, name)
	}
}

func repoAt(path string) []string {
	return []string{path + "/HEAD", path + "/objects/", path + "/refs/"}
}

func TestTheFirstThatGitWouldTakeIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []string
		want string
	}{
		"x/.git":                    {append(repoAt("x/.git"), repoAt("x")...), "x/.git"},
		"x":                         {append(repoAt("x"), repoAt("x.git")...), "x"},
		"x.git/.git":                {append(repoAt("x.git/.git"), repoAt("x.git")...), "x.git/.git"},
		"x.git":                     {repoAt("x.git"), "x.git"},
		"a file that points":        {append(repoAt("away"), "x/.git=gitdir: ../away\n"), "away"},
		"a file that points beside": {append(repoAt("away"), "x.git=gitdir: away"), "away"},
		"a file that says nothing":  {append(repoAt("x.git"), "x/.git=nothing"), "x.git"},
		"a file that points astray": {append(repoAt("x.git"), "x/.git=gitdir: nowhere"), "x.git"},
		"nothing":                   {[]string{"x/"}, ""},
	} {
		root := lay(t, c.in...)
		found, err := gitFolder(filepath.Join(root, "x"))
		if c.want == "" {
			require.ErrorIs(t, err, gitsink.ErrNotFound, name)
			require.Empty(t, found, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, filepath.Join(root, c.want), found, name)
	}
}

// A file that names no folder does not lead to that of this process.
func TestTheFolderOfThisProcessIsNotLookedInto(t *testing.T) {
	root := lay(t, append(repoAt("here"), "x/.git=nothing")...)
	t.Chdir(filepath.Join(root, "here"))
	_, err := gitFolder(filepath.Join(root, "x"))
	require.ErrorIs(t, err, gitsink.ErrNotFound)
}

// A name that is too long is no absence: it stands for all that passes.
func TestAFaultOfTheDiskIsNotAnAbsence(t *testing.T) {
	t.Parallel()
	root := lay(t, "x/")
	_, err := gitFolder(filepath.Join(root, strings.Repeat("x", 300)))
	require.ErrorIs(t, err, syscall.ENAMETOOLONG)
	require.NotErrorIs(t, err, gitsink.ErrNotFound)
	_, err = localRepository(filepath.Join(root, strings.Repeat("x", 300)), []string{root})
	require.ErrorIs(t, err, syscall.ENAMETOOLONG)
	disk := &reader{}
	require.Equal(t, fs.ModeIrregular, disk.mode(filepath.Join(root, "none")))
	require.NoError(t, disk.fault)
	require.False(t, disk.isFile(root))
	require.Equal(t, fs.ModeIrregular, disk.mode(filepath.Join(root, strings.Repeat("x", 300))))
	require.Error(t, disk.fault)
	disk = &reader{}
	require.Empty(t, disk.pointedTo(filepath.Join(root, strings.Repeat("x", 300))))
	require.ErrorIs(t, disk.fault, syscall.ENAMETOOLONG)
}

func TestAnAllowedFolderIsWhereItsLinksLead(t *testing.T) {
	t.Parallel()
	root := lay(t, append(append(repoAt("real/app"), repoAt("elsewhere/app")...), "file")...)
	require.NoError(t, os.Symlink(filepath.Join(root, "real"), filepath.Join(root, "link")))
	require.NoError(t, os.Symlink(filepath.Join(root, "elsewhere/app"), filepath.Join(root, "real/out")))
	in := func(name string) string { return filepath.Join(root, name) }
	require.Equal(t, []string{fileURL(in("real"))}, realFolders([]string{in("link")}))
	require.Equal(t, []string{fileURL(in("real")), fileURL(in("elsewhere"))},
		realFolders([]string{in("none"), "https://host" + in("elsewhere"), "relative", "", "https://host/app", "file://" + in("link"), in("elsewhere"), "https://%zz"}))
	require.Empty(t, realFolders(nil))

	found, err := localRepository(in("link/app"), []string{in("link")})
	require.NoError(t, err)
	require.Equal(t, in("real/app"), found)
	_, err = localRepository(in("real/app"), []string{in("link")})
	require.ErrorIs(t, err, destination.ErrLocalNotAllowed, "its name is not allowed")
	require.NotContains(t, err.Error(), "leads elsewhere")
	_, err = localRepository(in("real/out"), []string{in("real")})
	require.ErrorIs(t, err, destination.ErrLocalNotAllowed)
	require.ErrorContains(t, err, "a link, or a .git, leads elsewhere")
	_, err = localRepository(in("real/none"), []string{in("real")})
	require.ErrorIs(t, err, gitsink.ErrNotFound)
	found, err = localRepository(in("real/out"), []string{in("real"), in("elsewhere")})
	require.NoError(t, err)
	require.Equal(t, in("elsewhere/app"), found)
}
