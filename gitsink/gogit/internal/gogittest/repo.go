package gogittest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BareRepo is a repository that is made without git, whose own commands might refuse to, and
// would take long.
type BareRepo string

// NewBareRepo makes one without objects.
func NewBareRepo(t *testing.T) BareRepo {
	t.Helper()
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "refs", "heads"), 0o755))
	check(t, os.Mkdir(filepath.Join(dir, "objects"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600))
	return BareRepo(dir)
}

// Write puts an object into the repository, unless it is there.
func (r BareRepo) Write(t *testing.T, name, kind string, data []byte) {
	t.Helper()
	folder := filepath.Join(string(r), "objects", name[:2])
	if _, err := os.Stat(filepath.Join(folder, name[2:])); err == nil {
		return
	}
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevel(&packed, zlib.NoCompression)
	check(t, err)
	_, err = fmt.Fprintf(w, "%s %d\x00%s", kind, len(data), data)
	check(t, err)
	check(t, w.Close())
	check(t, os.MkdirAll(folder, 0o755))
	check(t, os.WriteFile(filepath.Join(folder, name[2:]), packed.Bytes(), 0o600))
}

// Branch sets a branch to a commit.
func (r BareRepo) Branch(t *testing.T, name, tip string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(string(r), "refs", "heads", name), []byte(tip+"\n"), 0o600))
}

// Fsck returns git's complaints of the repository.
func (r BareRepo) Fsck(t *testing.T) string {
	t.Helper()
	// without the processes that check files which are not there
	cmd := exec.CommandContext(t.Context(), "git", "--git-dir=.", "-c", "core.commitGraph=false", "-c", "core.multiPackIndex=false",
		"fsck", "--strict", "--no-dangling", "--no-progress")
	cmd.Dir = string(r)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(out, []byte("notice: HEAD points to an unborn branch (main)\n"), nil))
}
