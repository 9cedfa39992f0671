package gogit

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// startProcess runs the service for a repository on this machine. It ends with the stream.
func startProcess(ep *transport.Endpoint, which service) (wire, error) {
	cmd := exec.Command("git", strings.TrimPrefix(string(which), "git-"), ep.Path)
	words := &lockedBuffer{}
	cmd.Stderr = words
	cmd.WaitDelay = time.Second // a hook may leave a process behind that holds stderr open
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cmd.Err = err // it does not start then, but closes the pipe that was made: descriptors have run out
		return nil, cmd.Start()
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("a repository on this machine needs the git command: %w", err)
	}
	return &stream{
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
