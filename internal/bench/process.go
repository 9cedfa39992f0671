package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// roleVariable makes this program a child process: a server or a worker.
const roleVariable = "KUBESCRIBE_BENCH_ROLE"

var errNoChild = errors.New("this process is nobody's child")

// roles are what a child process can be. Each works until in ends.
var roles = map[string]func(ctx context.Context, in *json.Decoder, out *json.Encoder) error{
	"cluster": serveCluster,
	"serve":   serve,
	"watch":   watchWork,
	"work":    work,
}

// child does the work of a child process until standard input ends, or returns errNoChild at once.
func child(ctx context.Context) error {
	name := os.Getenv(roleVariable)
	if name == "" {
		return errNoChild
	}
	role, ok := roles[name]
	if !ok {
		return fmt.Errorf("%s=%q is no role", roleVariable, name)
	}
	err := role(ctx, json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout))
	if errors.Is(err, io.EOF) { // the parent has no more to ask
		return nil
	}
	return err
}

// process is this program run once more in a role. It answers one message with one message and ends
// with the parent.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	in    *json.Encoder
	out   *json.Decoder
}

// start starts a child process in a clean environment whose home is the folder home: program, or if
// that is "" this one.
func start(ctx context.Context, program, role, name, home string) (*process, error) {
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		program = self
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir, cmd.Stderr = home, os.Stderr
	cmd.Env = append(environment(home), roleVariable+"="+role)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{name: name, cmd: cmd, stdin: stdin, in: json.NewEncoder(stdin), out: json.NewDecoder(stdout)}, nil
}

// call sends the message and waits for the answer.
func (p *process) call(message, answer any) error {
	err := p.in.Encode(message)
	if err == nil {
		err = p.out.Decode(answer)
	}
	if err != nil {
		return fmt.Errorf("%s ended: %w", p.name, err)
	}
	return nil
}

// stop ends the process and waits until it has ended.
func (p *process) stop() error {
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// environment is that of every process that takes part: no configuration of Git but the
// repository's own, and nothing that could lead a request away from loopback.
func environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "TMPDIR=" + home,
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=" + authorName, "GIT_AUTHOR_EMAIL=" + authorEmail,
		"GIT_COMMITTER_NAME=" + authorName, "GIT_COMMITTER_EMAIL=" + authorEmail,
	}
}

// git runs the git command in a folder and returns what it prints.
func git(ctx context.Context, dir string, stdin io.Reader, env []string, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, env, stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
