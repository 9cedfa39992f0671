package object

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

// The judge judges: what the rules are for has not become harmless.
func TestTheJudgeRefusesWhatTheRulesAreFor(t *testing.T) {
	empty := New(SHA1, plumbing.TreeObject, nil)
	for _, header := range []string{"author A <a\nb> 0 +0000", "author A <a> b> 0 +0000", "author  0 +0000", "author A <a> -5 +0000"} {
		repo := gogittest.NewBareRepo(t)
		commit := New(SHA1, plumbing.CommitObject, fmt.Appendf(nil, "tree %s\n%s\ncommitter C <c> 0 +0000\n\nm\n", empty.Hash, header))
		for _, o := range []Object{empty, commit} {
			repo.Write(t, o.Hash.String(), o.Kind.String(), o.Data)
		}
		repo.Branch(t, "main", commit.Hash.String())
		require.NotEmpty(t, repo.Fsck(t), header)
	}
	for path, content := range map[string]string{".gitmodules": "[submodule \"..\"]\n\turl = u\n", ".gitattributes": strings.Repeat("x", 2048)} {
		repo := gogittest.NewBareRepo(t)
		blob := New(SHA1, plumbing.BlobObject, []byte(content))
		tree := New(SHA1, plumbing.TreeObject, fmt.Appendf(nil, "100644 %s\x00%s", path, blob.Hash.raw()))
		commit := New(SHA1, plumbing.CommitObject, EncodeCommit(tree.Hash, ID{}, gitsink.Commit{}, gitsink.Signature{Name: "C"}, time.Now()))
		for _, o := range []Object{blob, tree, commit} {
			repo.Write(t, o.Hash.String(), o.Kind.String(), o.Data)
		}
		repo.Branch(t, "main", commit.Hash.String())
		require.Contains(t, repo.Fsck(t), strings.TrimPrefix(path, "."))
	}
}
