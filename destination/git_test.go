package destination

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runGit runs the real git in dir, which may be no repository, and returns
// whether it succeeds and what it says.
func runGit(t *testing.T, dir string, args ...string) (bool, string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return err == nil, string(out)
}

// fsck reports whether `git fsck --strict` accepts the trees of a repository that
// holds nothing but one empty file at each path. The trees are written here,
// since Git's own tools might refuse to.
func fsck(t *testing.T, paths ...string) (bool, string) {
	t.Helper()
	repository := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(repository, "refs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(repository, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644))
	blob := writeObject(t, repository, "blob", nil)
	for _, path := range paths {
		components := strings.Split(path, "/")
		object, mode := blob, "100644"
		for len(components) > 0 {
			last := len(components) - 1
			object = writeObject(t, repository, "tree", fmt.Appendf(nil, "%s %s\x00%s", mode, components[last], object[:]))
			components, mode = components[:last], "40000"
		}
	}
	// without the processes that check files which are not there
	return runGit(t, repository, "--git-dir=.", "-c", "core.commitGraph=false", "-c", "core.multiPackIndex=false",
		"fsck", "--strict", "--no-dangling")
}

func writeObject(t *testing.T, repository, kind string, content []byte) [sha1.Size]byte {
	t.Helper()
	object := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
	hash := sha1.Sum(object)
	name := fmt.Sprintf("%x", hash)
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write(object)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	folder := filepath.Join(repository, "objects", name[:2])
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name[2:]), packed.Bytes(), 0o644))
	return hash
}
