package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// testCase is a top-level test, and what it looks at.
type testCase struct {
	suite *suite
	name  string
	file  string // hash of the file that it is in
	// Without what its process takes to start, which a loaded machine makes the most of.
	took  time.Duration
	fails bool // also without a mutant
	reach []byte
}

// cases lists the tests, fuzz targets with their seeds and examples of a suite.
func (s *suite) cases(ctx context.Context) ([]*testCase, error) {
	out, err := run(ctx, s.Dir, s.binary, "-test.list", ".")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, name := range append(append([]string{}, s.TestGoFiles...), s.XTestGoFiles...) {
		source, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range parsed.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				files[fn.Name.Name] = hash(source)
			}
		}
	}
	var all []*testCase
	for name := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
			all = append(all, &testCase{suite: s, name: name, file: files[name]})
		}
	}
	return all, nil
}

// verdict is how a run of tests has ended.
type verdict struct {
	failed bool
	by     string // the test that failed, if that is known
	took   time.Duration
	output string
}

var failure = regexp.MustCompile(`(?m)^(?:--- FAIL: |\t)((?:Test|Fuzz|Example)[^ /\n]*) \(`)

// run runs tests of the suite in a process of their own until one fails. Its processes and files
// are gone when it returns.
func (s *suite) run(ctx context.Context, names []string, limit time.Duration, env ...string) (verdict, error) {
	scratch, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	cmd := exec.CommandContext(ctx, s.binary, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$", "-test.failfast", "-test.timeout", limit.String())
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return verdict{}, err
	}
	stuck := time.AfterFunc(limit+10*time.Second, func() { _ = cmd.Cancel() })
	err = cmd.Wait()
	stuck.Stop()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it has left behind
	if ctx.Err() != nil {
		return verdict{}, ctx.Err()
	}
	v := verdict{failed: err != nil, took: time.Since(began), output: said.String()}
	if m := failure.FindStringSubmatch(v.output); m != nil {
		v.by = m[1]
	} else if len(names) == 1 {
		v.by = names[0]
	}
	return v, nil
}

// alone returns what a test says that it took, or what its process did if it does not say.
func (v verdict) alone(name string) time.Duration {
	m := regexp.MustCompile(`(?m)^--- [A-Z]+: ` + regexp.QuoteMeta(name) + ` \(([0-9.]+s)\)`).FindStringSubmatch(v.output)
	if m == nil {
		return v.took
	}
	took, err := time.ParseDuration(m[1])
	if err != nil {
		return v.took
	}
	return max(took, time.Millisecond)
}

// tail keeps the first and the last of what is written: a test that fails in a loop may say much.
type tail struct{ first, last bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const most = 64 << 10
	n := min(len(p), most-t.first.Len())
	t.first.Write(p[:n])
	t.last.Write(p[n:])
	if t.last.Len() > 2*most {
		t.last.Next(t.last.Len() - most)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.first.String() + t.last.String() }

// look runs a test alone and notes which mutants it reaches.
func (t *testCase) look(ctx context.Context, mutants int) error {
	f, err := os.CreateTemp("", "reach")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := f.Truncate(int64(mutants) + 1); err != nil {
		return err
	}
	_ = f.Close()
	v, err := t.suite.run(ctx, []string{t.name}, 10*time.Minute, "MUTANT_REACH="+f.Name())
	if err != nil {
		return err
	}
	t.took, t.fails = v.alone(t.name), v.failed
	if v.failed {
		fmt.Fprintf(os.Stderr, "%s fails without a mutant and is not asked:\n%s\n", t.name, v.output)
	}
	t.reach, err = os.ReadFile(f.Name())
	return err
}
