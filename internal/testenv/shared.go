package testenv

import (
	"context"
	"sync"
	"testing"
)

// Shared is one API server for the tests of a package, started by the first test that asks for it. The zero value is
// ready to use, as a package variable together with TestMain; see the package comment.
type Shared struct {
	// Options of the start; set before the first test. Default: nil, the defaults of Start.
	Options *Options

	once sync.Once
	env  *Env
	err  error // of the one start; every test that asks fails with it at once
}

// Runner is what [testing.M] and goleak.VerifyTestMain have in common.
type Runner interface{ Run() int }

// Main returns a Runner that runs the tests of m and then stops the server. Without it the server outlives the tests, until
// the test binary ends.
func (s *Shared) Main(m Runner) Runner { return sharedMain{s, m} }

// Start returns the server, and skips the test if KUBEBUILDER_ASSETS is unset. It starts the server once: if that fails,
// every test that asks for it fails.
func (s *Shared) Start(t testing.TB) *Env {
	t.Helper()
	programs := assets(t)
	s.once.Do(func() {
		// Not the test's context: this test may be over while others use the server.
		s.env, s.err = start(context.WithoutCancel(t.Context()), programs, s.Options)
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() { s.env.showLogs(t) })
	return s.env
}

type sharedMain struct {
	shared *Shared
	tests  Runner
}

func (m sharedMain) Run() int {
	defer func() {
		if m.shared.env != nil {
			m.shared.env.stop()
		}
	}()
	return m.tests.Run()
}
