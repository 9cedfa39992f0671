package sops_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// drawn are the packages that this one adds to what package event draws already, outside of the
// standard library: age, and what it needs.
var drawn = []string{
	"filippo.io/age",
	"filippo.io/age/armor",
	"filippo.io/age/internal/bech32",
	"filippo.io/age/internal/format",
	"filippo.io/age/internal/stream",
	"filippo.io/hpke",
	"filippo.io/hpke/crypto",
	"filippo.io/hpke/crypto/ecdh",
	"filippo.io/hpke/internal/byteorder",
	"github.com/kubescribe/kubescribe/gitsink/sops",
	"golang.org/x/crypto/chacha20",
	"golang.org/x/crypto/chacha20poly1305",
	"golang.org/x/crypto/curve25519",
	"golang.org/x/crypto/hkdf",
	"golang.org/x/crypto/internal/alias",
	"golang.org/x/crypto/internal/poly1305",
	"golang.org/x/crypto/pbkdf2",
	"golang.org/x/crypto/scrypt",
	"golang.org/x/sys/cpu",
}

func TestThePackageDrawsAgeAndNothingElse(t *testing.T) {
	t.Parallel()
	known := dependencies(t, "github.com/kubescribe/kubescribe/event")
	added := slices.DeleteFunc(dependencies(t, "github.com/kubescribe/kubescribe/gitsink/sops"), func(path string) bool {
		return slices.Contains(known, path)
	})
	require.Empty(t, cmp.Diff(drawn, added), "- in the table, + in the code")
}

// dependencies are the packages that a package draws outside of the standard library, sorted.
func dependencies(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", path)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	require.NoError(t, err)
	paths := strings.Fields(string(out))
	slices.Sort(paths)
	return paths
}
