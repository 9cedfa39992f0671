package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limits are what the trial binary has to live with, in a process of its own. Zero fields limit
// nothing.
type limits struct {
	files  int    // descriptors (RLIMIT_NOFILE)
	memory string // GOMEMLIMIT
	// No file can grow (RLIMIT_FSIZE), and all file systems are read-only where a mount namespace
	// can be had.
	readOnly bool
}

// readOnlyRoot makes every mount read-only in a mount namespace of its own. What cannot be (of a
// user namespace, /proc say) is no place to write to; that TMPDIR and HOME are not either is tried
// out.
const readOnlyRoot = `
mount --make-rprivate / || exit 77
while read -r _ _ _ _ at _; do mount -o remount,bind,ro "$at" 2>/dev/null; done </proc/self/mountinfo
for dir in "$TMPDIR" "$HOME"; do
	if (: >"$dir/written") 2>/dev/null; then echo "$dir can be written to" >&2; exit 78; fi
done
`

// command runs a program under the limits. Its process is the program's own.
func (l limits) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	script := ""
	var shell []string
	if l.readOnly {
		if unshare := unsharing(t); unshare != nil {
			script, shell = readOnlyRoot, unshare
		}
		script += "ulimit -f 0\n"
	}
	if l.files > 0 {
		// Hard as well, or Go's runtime raises it again.
		script += fmt.Sprintf("ulimit -n %d\n", l.files)
	}
	line := slices.Concat(shell, []string{"sh", "-c", script + `exec "$0" "$@"`, program}, args)
	cmd := exec.Command(line[0], line[1:]...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	if l.memory != "" {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+l.memory)
	}
	return cmd
}

// unsharing is a command that runs another one in a mount namespace of its own, or nil if this
// machine allows none.
func unsharing(t *testing.T) []string {
	t.Helper()
	for _, unshare := range [][]string{{"unshare", "--mount"}, {"unshare", "--mount", "--map-root-user"}} {
		if exec.Command(unshare[0], append(unshare[1:], "true")...).Run() == nil {
			return unshare
		}
	}
	t.Log("no mount namespace is to be had here: files cannot grow, but file systems are not read-only")
	return nil
}

// words are what a process says. They may be read while it speaks.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// limited is the trial binary at work under limits.
type limited struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  *words
	ended chan struct{} // closed when it has, and err is set
	err   error
}

// startLimited starts the trial binary. It is killed at the end of the test at the latest.
func startLimited(t *testing.T, l limits, kubeconfig, manifests string, args ...string) *limited {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(manifests), 0o600))
	p := &limited{t: t, said: &words{}, ended: make(chan struct{})}
	p.cmd = l.command(t, path, append([]string{"--config", dir, "--kubeconfig", kubeconfig, "--quiet", "100ms", "--allow-local", os.TempDir()}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the process said:\n%s", p.said)
		}
	})
	return p
}

// says waits until the process has said something.
func (p *limited) says(text string) {
	p.t.Helper()
	p.eventually(func() bool { return strings.Contains(p.said.String(), text) }, func() string { return "not said: " + text })
}

// eventually waits until f is true, less often than the function of this name, since git is asked
// whenever it looks. A process that has ended is a failure at once.
func (p *limited) eventually(f func() bool, explain func() string) {
	p.t.Helper()
	p.eventuallyWithin(2*patience, f, explain)
}

func (p *limited) eventuallyWithin(limit time.Duration, f func() bool, explain func() string) {
	p.t.Helper()
	for deadline := time.Now().Add(limit); !f(); time.Sleep(200 * time.Millisecond) {
		p.lives()
		if time.Now().After(deadline) {
			require.FailNow(p.t, "it did not come true", "%s", explain())
		}
	}
}

func (p *limited) lives() {
	p.t.Helper()
	select {
	case <-p.ended:
		require.FailNow(p.t, "the process is dead", "%v", p.err)
	default:
	}
}

// stop ends the process as an operator does. It must leave in good order.
func (p *limited) stop() {
	p.t.Helper()
	p.lives()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
		require.NoError(p.t, p.err)
	case <-time.After(patience):
		require.FailNow(p.t, "the process does not end")
	}
}

// descriptors is the number of those that are open.
func (p *limited) descriptors() int {
	p.t.Helper()
	entries, err := os.ReadDir(p.proc("fd"))
	require.NoError(p.t, err)
	return len(entries)
}

// mebibytes reads one of the sizes of /proc/PID/status (proc_pid_status(5)), such as VmHWM.
func (p *limited) mebibytes(name string) int {
	p.t.Helper()
	status, err := os.ReadFile(p.proc("status"))
	require.NoError(p.t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(p.t, err)
			return n >> 10
		}
	}
	require.FailNow(p.t, "no such size", name)
	return 0
}

func (p *limited) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}
