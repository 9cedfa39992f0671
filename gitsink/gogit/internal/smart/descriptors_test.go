package smart

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"
)

// lowestFree is the number that the next descriptor gets.
func lowestFree(t *testing.T) uintptr {
	t.Helper()
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	return f.Fd()
}

func TestAProcessThatFindsNoDescriptorsLeavesNoneBehind(t *testing.T) {
	folder, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"objects", "refs"} {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "HEAD"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\n"), 0o700))
	t.Setenv("PATH", bin)
	for range 64 { // so that there are no gaps
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer f.Close()
	}
	first := lowestFree(t)
	var usual syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &usual))
	for _, more := range []uintptr{0, 1, 2, 3} { // a pipe has two
		few := usual
		few.Cur = uint64(first + more)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
		w, err := StartProcess(&transport.Endpoint{Protocol: "file", Path: folder}, UploadPack, []string{folder})
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &usual))
		require.ErrorIs(t, err, syscall.EMFILE, more)
		require.NotContains(t, err.Error(), "needs the git command", more)
		require.Nil(t, w, more)
		require.Equal(t, first, lowestFree(t), more)
	}
}
