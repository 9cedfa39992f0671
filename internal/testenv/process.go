package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute // for one server to become ready, on a busy machine
	// Between SIGTERM and SIGKILL; kube-apiserver would wait for open watches.
	stopGrace    = time.Second
	pollInterval = 20 * time.Millisecond // between two looks at a server that starts
	probeTimeout = 2 * time.Second       // for one look
	tailLines    = 40                    // of a server's log that a failure shows
)

// process is a started server. It is alive until exited is closed.
type process struct {
	name   string
	log    string // file that gets both output streams; a restarted server appends to it
	cmd    *exec.Cmd
	exited chan struct{}
}

// startProcess runs the program with args alone: an empty environment, so that no ETCD_ or proxy
// variable of the caller changes what the server does, and dir as working folder.
func startProcess(program, dir string, args ...string) (*process, error) {
	return startProcessWith([]string{}, program, dir, args...)
}

// startProcessWith is startProcess with env as the environment, for servers that run programs of
// the machine.
func startProcessWith(env []string, program, dir string, args ...string) (*process, error) {
	name := filepath.Base(program)
	p := &process{name: name, log: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = dieWithParent()

	started := make(chan error, 1)
	go func() {
		defer log.Close()
		defer close(p.exited)
		// Linux ties the death signal to the thread that started the process, not to the whole
		// parent; without the lock the server would be killed if the Go runtime ended that thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in p.cmd.ProcessState
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("testenv: starting %s: %w", program, err)
	}
	return p, nil
}

// waitReady calls probe until it succeeds. It gives up when the process has exited, after
// startTimeout, or when ctx ends; the error carries the probe's last error and the tail of the log.
func (p *process) waitReady(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, probeTimeout)
		if err := probe(attempt); err == nil || ctx.Err() == nil || last == nil {
			last = err // but that the time is over does not replace what was wrong until then
		}
		cancel()
		select {
		case <-p.exited: // even if the probe succeeded: then it was another process that answered
			return fmt.Errorf("testenv: %s exited before it was ready (%s)\n%s", p.name, p.cmd.ProcessState, tail(p.log))
		default:
		}
		if last == nil {
			return nil
		}
		select {
		case <-p.exited:
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("testenv: %s is not ready: %w\n%s", p.name, errors.Join(ctx.Err(), last), tail(p.log))
		}
	}
}

// stop ends the process, after that much grace by force, and returns when it is gone. It may be
// called again.
func (p *process) stop(grace time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it is gone
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// tail returns the end of a log file, with a heading.
func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("--- no log: %v", err)
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	if skip := len(lines) - tailLines; skip > 0 {
		lines = lines[skip:]
	}
	return fmt.Sprintf("--- end of %s:\n%s", filepath.Base(path), strings.Join(lines, "\n"))
}
