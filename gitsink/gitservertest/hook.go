package gitservertest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Hook installs a hook of githooks(5), such as pre-receive, update or post-receive, in place of the
// one that was there. A script without an interpreter line is run by sh. The client shows what it
// prints in lines that begin with "remote: ". REMOTE_USER is the user of HTTP Basic. An empty
// script removes the hook.
func (r *Repo) Hook(name, script string) {
	r.server.t.Helper()
	if err := r.writeHook(name, script); err != nil {
		r.server.t.Fatalf("gitservertest: repository %s: hook %s: %v", r.name, name, err)
	}
}

func (r *Repo) writeHook(name, script string) error {
	path := filepath.Join(r.dir, "hooks", name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if script == "" {
		return nil
	}
	if !strings.HasPrefix(script, "#!") {
		script = "#!/bin/sh\n" + script
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// A process forked while the script is open for writing would keep it so, and the kernel
	// refuses to run it then.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(script+"\n"), 0o755)
}

// Protect refuses every push to the branch, in GitHub's words followed by text. Other branches of
// the same push are not refused. It takes the place of the update hook; Hook("update", "") ends it.
func (r *Repo) Protect(branch, text string) {
	r.server.t.Helper()
	r.Hook("update", fmt.Sprintf(`[ "$1" = %[1]s ] || exit 0
printf 'error: GH006: Protected branch update failed for %%s.\nerror: %%s\n' %[1]s %[2]s >&2
exit 1`, shellQuote("refs/heads/"+branch), shellQuote(text)))
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// RefUpdate is one line of the input of a pre-receive hook: a reference, and its hashes before and
// after the push. A hash of zeros means that there is no such reference.
type RefUpdate struct {
	Ref, Old, New string
}

// OnPreReceive has f decide about each push, over any transport, before a reference moves. An error
// refuses the whole push, and the client shows its text in lines that begin with "remote: ". A push
// waits for f. Concurrent pushes call f concurrently. It takes the place of the pre-receive hook;
// nil ends it.
func (r *Repo) OnPreReceive(f func(updates []RefUpdate) error) {
	r.server.t.Helper()
	if f == nil {
		r.Hook("pre-receive", "")
		return
	}
	if err := r.callbacks.start(r.server.home, f); err != nil {
		r.server.t.Fatalf("gitservertest: repository %s: %v", r.name, err)
	}
	r.Hook("pre-receive", r.callbacks.script())
}

// callbacks answers hooks from the test process. ID is the process id of a hook:
//
//  1. The hook writes its input into the file ID.told, makes the pipe ID.answer, and writes "ask
//     ID" into the common pipe.
//  2. The test process writes a line into ID.answer: "ok", or another one after it has written the
//     text of the refusal into ID.text.
//  3. The hook writes "got ID" into the common pipe, and removes its files.
//
// The test process keeps both ends of every pipe open. So neither side loses what the other has
// written, nor waits for a side that has died.
type callbacks struct {
	mu   sync.Mutex // guards what follows
	f    func([]RefUpdate) error
	dir  string
	pipe *os.File
	done sync.WaitGroup
}

func (c *callbacks) script() string {
	return fmt.Sprintf(`cd %s || exit 1
cat >$$.told && mkfifo $$.answer && echo ask $$ >pipe && read -r answer <$$.answer
[ "$answer" = ok ] || cat $$.text >&2
echo got $$ >pipe
rm -f $$.told $$.answer $$.text
[ "$answer" = ok ]`, shellQuote(c.dir))
}

func (c *callbacks) start(home string, f func([]RefUpdate) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.f = f
	if c.pipe != nil {
		return nil
	}
	dir, err := os.MkdirTemp(home, "hooks")
	if err != nil {
		return err
	}
	pipe := filepath.Join(dir, "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfifo %s: %w: %s", pipe, err, out)
	}
	if c.pipe, err = os.OpenFile(pipe, os.O_RDWR, 0); err != nil {
		return err
	}
	c.dir = dir
	c.done.Go(func() { c.listen(c.pipe) })
	return nil
}

// stop ends listen by a word of its own: not every system interrupts a read when a pipe is closed.
func (c *callbacks) stop() {
	c.mu.Lock()
	pipe := c.pipe
	c.mu.Unlock()
	if pipe == nil {
		return
	}
	_, _ = pipe.WriteString("stop\n")
	c.done.Wait()
	_ = pipe.Close()
}

func (c *callbacks) listen(pipe *os.File) {
	answers := map[string]*os.File{}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		word, id, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ask":
			answer, err := os.OpenFile(filepath.Join(c.dir, id+".answer"), os.O_RDWR, 0)
			if err != nil {
				continue // the hook is gone
			}
			answers[id] = answer
			c.done.Go(func() { c.call(id, answer) })
		case "got":
			_ = answers[id].Close()
			delete(answers, id)
		case "stop":
			for _, answer := range answers {
				_ = answer.Close()
			}
			return
		}
	}
}

// call answers in any case: an f that ends the test must not leave the hook waiting.
func (c *callbacks) call(id string, answer *os.File) {
	refusal := errors.New("the test's callback ended without a verdict")
	defer func() {
		verdict := "ok\n"
		if refusal != nil {
			verdict = "refused\n"
			if err := os.WriteFile(filepath.Join(c.dir, id+".text"), []byte(refusal.Error()+"\n"), 0o600); err != nil {
				verdict = "lost\n"
			}
		}
		_, _ = answer.WriteString(verdict)
	}()
	told, err := os.ReadFile(filepath.Join(c.dir, id+".told"))
	if err != nil {
		refusal = err
		return
	}
	var updates []RefUpdate
	for line := range strings.Lines(string(told)) {
		if f := strings.Fields(line); len(f) == 3 {
			updates = append(updates, RefUpdate{Old: f[0], New: f[1], Ref: f[2]})
		}
	}
	c.mu.Lock()
	f := c.f
	c.mu.Unlock()
	refusal = f(updates)
}
