package loopback

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// RunGit runs a git process that serves one client, and returns its exit status. What the client
// says is copied on a goroutine of copying, which ends when in does.
func RunGit(copying *sync.WaitGroup, git *exec.Cmd, in io.Reader, out, words io.Writer) uint32 {
	git.Stdout, git.Stderr = out, words
	stdin, err := git.StdinPipe()
	if err == nil {
		err = git.Start()
	}
	if err != nil {
		_, _ = fmt.Fprintln(words, err)
		return 126
	}
	// Not for Cmd to wait for: a client may keep its side open until it has read the exit status.
	copying.Go(func() {
		_, _ = io.Copy(stdin, in)
		_ = stdin.Close()
	})
	if err := git.Wait(); err != nil {
		return uint32(max(git.ProcessState.ExitCode(), 1))
	}
	return 0
}
