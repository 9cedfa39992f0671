package smart

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// StartProcess runs the service for a repository on this machine, in one of the folders. It ends
// with the stream.
func StartProcess(ep *transport.Endpoint, which Service, folders []string) (Conn, error) {
	folder, err := localRepository(ep.Path, folders)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("git", strings.TrimPrefix(string(which), "git-"), folder)
	cmd.Env = processEnv(os.LookupEnv)
	words := &lockedBuffer{}
	cmd.Stderr = words
	cmd.WaitDelay = time.Second // a hook may leave a process behind that holds stderr open
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cmd.Err = err // so Start closes the pipe that was made: descriptors have run out
		return nil, cmd.Start()
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("a repository on this machine needs the git command: %w", err)
	}
	return &pipeConn{
		in: in, out: out, words: words,
		wait: func() bool {
			var exit *exec.ExitError
			return errors.As(cmd.Wait(), &exit) && exit.Exited() // rather than killed
		},
		cut: func() {
			_ = cmd.Process.Kill()
			_ = out.Close()
		},
	}, nil
}

// passed are the variables of this process that git and the hooks of a repository get: where
// programs, files and git's own configuration are, so that safe.directory is the administrator's
// to say. Nothing else is theirs to read, tokens in the environment least of all, and no other
// variable of git's may lead it to another repository or program.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME",
	"GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
}

// processEnv is the environment of git. It speaks English, or its words would not be known.
func processEnv(lookup func(string) (string, bool)) []string {
	env := []string{"LC_ALL=C"}
	for _, name := range passed {
		if value, ok := lookup(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
