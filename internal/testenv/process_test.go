package testenv

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errNotYet = errors.New("not yet")

func TestWaitReadyShowsTheLogOfAServerThatExits(t *testing.T) {
	p := startShell(t, t.TempDir(), "echo no such flag >&2; exit 3")
	err := p.waitReady(t.Context(), func(context.Context) error { return errNotYet })
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "no such flag")
}

func TestWaitReadyTakesNoAnswerForAServerThatIsGone(t *testing.T) {
	p := startShell(t, t.TempDir(), "exit 0")
	<-p.exited
	err := p.waitReady(t.Context(), func(context.Context) error { return nil })
	require.ErrorContains(t, err, "exited before it was ready")
}

func TestWaitReadyEndsWithItsContextAndNamesTheLastFault(t *testing.T) {
	p := startShell(t, t.TempDir(), "exec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	err := p.waitReady(ctx, func(context.Context) error { cancel(); return errNotYet })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errNotYet)
}

func TestStopLetsAServerEndByItself(t *testing.T) {
	p := startShell(t, t.TempDir(), "trap 'echo goodbye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
	waitForLog(t, p, "up")
	p.stop(time.Minute)
	p.stop(time.Minute)
	require.Contains(t, tail(p.log), "goodbye")
}

func TestStopKillsAServerThatDoesNotEnd(t *testing.T) {
	p := startShell(t, t.TempDir(), "trap '' TERM; echo up; while :; do sleep 0.01; done")
	waitForLog(t, p, "up")
	p.stop(50 * time.Millisecond)
	require.Contains(t, p.cmd.ProcessState.String(), "killed")
}

func TestStartProcessHidesTheEnvironment(t *testing.T) {
	t.Setenv("ETCD_NAME", "ambient")
	p := startShell(t, t.TempDir(), `echo "name=[$ETCD_NAME]"`)
	<-p.exited
	require.Contains(t, tail(p.log), "name=[]")
}

func TestStartProcessNamesAProgramThatCannotRun(t *testing.T) {
	_, err := startProcess(filepath.Join(t.TempDir(), "absent"), t.TempDir())
	require.ErrorContains(t, err, "absent")
}

func TestTailShowsTheEndOfTheLog(t *testing.T) {
	p := startShell(t, t.TempDir(), "for i in 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do echo line$i$j; done; done")
	<-p.exited
	require.Equal(t, tailLines+1, len(strings.Split(tail(p.log), "\n")))
	require.Contains(t, tail(p.log), "line99")
}

func startShell(t *testing.T, dir, script string) *process {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a POSIX shell")
	}
	p, err := startProcess(shell, dir, "-c", script)
	require.NoError(t, err)
	t.Cleanup(func() { p.stop(0) })
	return p
}

func waitForLog(t *testing.T, p *process, text string) {
	t.Helper()
	require.NoError(t, p.waitReady(t.Context(), func(context.Context) error {
		if !strings.Contains(tail(p.log), text) {
			return errNotYet
		}
		return nil
	}))
}
