//go:build unix

package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Opening a named pipe waits for a writer, and /dev/zero has no end; Load has no context that could
// end it.
func TestLoadReadsOnlyRegularFilesOfAtMostAMebibyte(t *testing.T) {
	const rule = "apiVersion: configbutler.ai/v1alpha1\nkind: ClusterWatchRule\nmetadata: {name: r}\n"
	for name, c := range map[string]struct {
		make  func(path string) error
		fault string
	}{
		"a named pipe":     {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "a.yaml: is not a regular file but a named pipe"},
		"an endless file":  {func(path string) error { return os.Symlink("/dev/zero", path) }, "a.yaml: is not a regular file but a device"},
		"a link to itself": {func(path string) error { return os.Symlink(path, path) }, "a.yaml: "},
		"a link to a folder": {func(path string) error { return os.Symlink(os.TempDir(), path) },
			"a.yaml: is not a regular file but a folder"},
		"a large file": {func(path string) error {
			return os.WriteFile(path, []byte("# "+strings.Repeat("x", maxFile)), 0o600)
		}, "a.yaml: is larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			require.NoError(t, c.make(filepath.Join(folder, "a.yaml")))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "b.yaml"), []byte("kind: Unknown\n"), 0o600))
			_, err := Load(os.DirFS(folder))
			require.ErrorContains(t, err, c.fault)
			require.ErrorContains(t, err, "b.yaml:1: ", "the other files are read all the same")
		})
	}
	t.Run("a link to a regular file", func(t *testing.T) {
		folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "rule")
		require.NoError(t, os.WriteFile(elsewhere, []byte(rule), 0o600))
		require.NoError(t, os.Symlink(elsewhere, filepath.Join(folder, "a.yaml")))
		_, err := Load(os.DirFS(folder))
		require.ErrorContains(t, err, "a.yaml:1: ClusterWatchRule r: spec: is required", "it was read")
	})
}
