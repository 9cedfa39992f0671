package eventtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// emptyBlob is the name of a file without content.
const emptyBlob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

func TestGitFsckAcceptsTheTreeOfEachLayout(t *testing.T) {
	for _, layout := range ready(t) {
		t.Run(strings.ReplaceAll(layout.Name(), "/", ":"), func(t *testing.T) {
			t.Parallel()
			var index strings.Builder
			paths := map[string]bool{}
			for _, id := range some(testsize.Sizes{Usual: 40, Long: 3}.Pick()) {
				p := pathOf(layout, id)
				paths[p] = true
				index.WriteString("100644 " + emptyBlob + "\t" + p + "\n")
			}
			repository := t.TempDir()
			git(t, repository, "", "init", "-q")
			git(t, repository, "", "hash-object", "-w", "-t", "blob", "/dev/null")
			git(t, repository, index.String(), "update-index", "--add", "--index-info")
			git(t, repository, "", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "all")
			// There are no commit-graphs, and no multi-pack-indices.
			git(t, repository, "", "-c", "core.commitGraph=false", "-c", "core.multiPackIndex=false", "fsck", "--strict")
			listed := strings.Split(strings.TrimSuffix(git(t, repository, "", "ls-tree", "-r", "-z", "--name-only", "HEAD"), "\x00"), "\x00")
			require.Len(t, listed, len(paths))
			for _, p := range listed {
				require.True(t, paths[p], p)
			}
			git(t, repository, "", "checkout", "-q", "-f", "HEAD", ".")
		})
	}
}

func git(t *testing.T, folder, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %.2000s", args, out)
	return string(out)
}
