package smart

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// No configuration of git but the tests' own counts.
func TestMain(m *testing.M) {
	for key, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// runGit runs git and reports whether it succeeded.
func runGit(t *testing.T, dir string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	return cmd.Run()
}

// hexID is the name of SHA-1 with these digits.
func hexID(digits string) object.ID {
	id, ok := object.ParseID(object.SHA1, digits)
	if !ok {
		panic(digits)
	}
	return id
}
