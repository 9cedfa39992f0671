package testenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Backup is a copy of an etcd's data.
type Backup struct{ dir string }

// Backup stops API server and etcd, copies etcd's data, and starts both again. The Env must have an
// etcd of its own.
func (e *Env) Backup(t testing.TB) *Backup {
	t.Helper()
	b := &Backup{dir: t.TempDir()}
	e.aside(t, func() error { return os.CopyFS(filepath.Join(b.dir, "data"), os.DirFS(e.etcd.data())) })
	return b
}

// Restore puts back what Backup copied: the same address serves an earlier state, under resource
// versions that it has given out before, as after a restore of etcd from a snapshot.
func (e *Env) Restore(t testing.TB, b *Backup) {
	t.Helper()
	e.aside(t, func() error {
		return errors.Join(os.RemoveAll(e.etcd.data()), os.CopyFS(e.etcd.data(), os.DirFS(filepath.Join(b.dir, "data"))))
	})
}

// aside does something while neither API server nor etcd runs.
func (e *Env) aside(t testing.TB, do func() error) {
	t.Helper()
	if !e.ownsEtcd {
		t.Fatal("testenv: the etcd belongs to somebody else")
	}
	e.stopServer()
	e.etcd.proc.stop(stopGrace)
	err := errors.Join(do(), e.etcd.resume(t.Context(), e.programs), e.startServer(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
}

func (e *Etcd) data() string { return filepath.Join(e.dir, "data") }

// resume starts a stopped etcd again, at its address.
func (e *Etcd) resume(ctx context.Context, programs string) error {
	port, err := strconv.Atoi(e.url[strings.LastIndexByte(e.url, ':')+1:])
	if err != nil {
		return err
	}
	return e.run(ctx, programs, port)
}
