package testenv

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// orphanVariable makes TestServersDieWithATestBinaryThatIsKilled the binary to be killed.
const orphanVariable = "TESTENV_KILL_ME"

func TestServersDieWithATestBinaryThatIsKilled(t *testing.T) {
	if dir := os.Getenv(orphanVariable); dir != "" {
		p := startShell(t, dir, "exec sleep 600")
		fmt.Printf("server %d\n", p.cmd.Process.Pid)
		<-p.exited
		return
	}
	binary := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	binary.Env = append(os.Environ(), orphanVariable+"="+t.TempDir())
	out, err := binary.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, binary.Start())
	var server int
	for lines := bufio.NewScanner(out); server == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "server %d", &server)
	}
	require.NotZero(t, server, "the binary started no server")
	require.True(t, runs(server))

	require.NoError(t, binary.Process.Kill())
	require.Error(t, binary.Wait())
	require.Eventually(t, func() bool { return !runs(server) }, 10*time.Second, 5*time.Millisecond)
}

// runs is false for a process that is gone, or dead and not yet waited for; see proc_pid_stat(5).
func runs(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}
