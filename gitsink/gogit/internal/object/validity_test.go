package object

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// The judge judges: what the rules are for has not become harmless.
func TestTheJudgeRefusesWhatTheRulesAreFor(t *testing.T) {
	empty := New(SHA1, plumbing.TreeObject, nil)
	for _, header := range []string{"author A <a\nb> 0 +0000", "author A <a> b> 0 +0000", "author  0 +0000", "author A <a> -5 +0000"} {
		repo := newBareRepo(t)
		commit := New(SHA1, plumbing.CommitObject, fmt.Appendf(nil, "tree %s\n%s\ncommitter C <c> 0 +0000\n\nm\n", empty.Hash, header))
		repo.write(t, empty, commit)
		repo.branch(t, "main", commit.Hash)
		require.NotEmpty(t, repo.fsck(t), header)
	}
	for path, content := range map[string]string{".gitmodules": "[submodule \"..\"]\n\turl = u\n", ".gitattributes": strings.Repeat("x", 2048)} {
		repo := newBareRepo(t)
		blob := New(SHA1, plumbing.BlobObject, []byte(content))
		tree := New(SHA1, plumbing.TreeObject, fmt.Appendf(nil, "100644 %s\x00%s", path, blob.Hash.raw()))
		commit := New(SHA1, plumbing.CommitObject, EncodeCommit(tree.Hash, ID{}, gitsink.Commit{}, gitsink.Signature{Name: "C"}, time.Now()))
		repo.write(t, blob, tree, commit)
		repo.branch(t, "main", commit.Hash)
		require.Contains(t, repo.fsck(t), strings.TrimPrefix(path, "."))
	}
}

// bareRepo is a repository that is made without git, whose own commands might refuse to, and
// would take long.
type bareRepo string

func newBareRepo(t *testing.T) bareRepo {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "refs", "heads"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "objects"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600))
	return bareRepo(dir)
}

func (r bareRepo) write(t *testing.T, objects ...Object) {
	for _, o := range objects {
		name := o.Hash.String()
		folder := filepath.Join(string(r), "objects", name[:2])
		if _, err := os.Stat(filepath.Join(folder, name[2:])); err == nil {
			continue
		}
		var packed bytes.Buffer
		w, err := zlib.NewWriterLevel(&packed, zlib.NoCompression)
		require.NoError(t, err)
		_, err = fmt.Fprintf(w, "%s %d\x00%s", o.Kind, len(o.Data), o.Data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name[2:]), packed.Bytes(), 0o600))
	}
}

func (r bareRepo) branch(t *testing.T, name string, tip ID) {
	require.NoError(t, os.WriteFile(filepath.Join(string(r), "refs", "heads", name), []byte(tip.String()+"\n"), 0o600))
}

// fsck returns what git complains of.
func (r bareRepo) fsck(t *testing.T) string {
	cmd := exec.CommandContext(t.Context(), "git", "--git-dir=.", "fsck", "--strict", "--no-dangling", "--no-progress")
	cmd.Dir = string(r)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.NotEmpty(t, string(out), "%v", err)
	}
	return string(bytes.ReplaceAll(out, []byte("notice: HEAD points to an unborn branch (main)\n"), nil))
}
