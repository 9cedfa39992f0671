//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The kubeconfig is a named pipe that nobody writes to, so the program hangs in a call that looks
// at no context.
func hanging(t *testing.T) *exec.Cmd {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, syscall.Mkfifo(kubeconfig, 0o600))
	config, err := filepath.Abs("../quickstart/manifests")
	require.NoError(t, err)
	args := []string{"--config", config, "--kubeconfig", kubeconfig}
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout+30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "MIRROR_ARGS="+strings.Join(args, "\n"))
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	return cmd
}

func ended(cmd *exec.Cmd) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	return done
}

func TestASecondSignalEndsAProgramThatHangs(t *testing.T) {
	t.Parallel()
	cmd := hanging(t)
	done := ended(cmd)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(endTimeout / 2); ; {
		select {
		case <-done:
			require.False(t, cmd.ProcessState.Success())
			return
		case <-deadline:
			require.NoError(t, cmd.Process.Kill())
			require.FailNow(t, "signals did not end it")
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}

func TestOneSignalEndsAProgramThatHangs(t *testing.T) {
	if os.Getenv("KUBESCRIBE_SOAK") == "" {
		t.Skip("takes", endTimeout)
	}
	t.Parallel()
	cmd := hanging(t)
	done := ended(cmd)
	time.Sleep(2 * time.Second) // what is waited for, that it hangs, shows nowhere
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	<-done
	require.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
}
