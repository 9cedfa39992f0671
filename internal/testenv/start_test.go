package testenv

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStartFailsWithTheServersLogAndLeavesNothingBehind(t *testing.T) {
	programs := assets(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, err := start(t.Context(), programs, &Options{APIServerArgs: []string{"--no-such-flag"}})
	require.ErrorContains(t, err, "unknown flag: --no-such-flag")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
