package smart

import (
	"os/exec"
	"testing"
)

// runGit runs git and says whether it succeeded.
func runGit(t *testing.T, dir string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	return cmd.Run()
}
