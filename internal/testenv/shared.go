package testenv

import (
	"context"
	"sync"
	"testing"
)

// Shared is one API server for the tests of a package, started by the first test that asks for it.
// The zero value is ready to use, as a package variable together with TestMain; see the package
// comment.
type Shared struct {
	// Options of the start; set before the first test. Default: nil, the defaults of Start.
	Options *Options

	only only[*Env]
}

// Runner is what [testing.M] and goleak.VerifyTestMain have in common.
type Runner interface{ Run() int }

// Main returns a Runner that runs the tests of m and then stops the server. Without it the server
// outlives the tests, until the test binary ends.
func (s *Shared) Main(m Runner) Runner { return runnerThen{m, s.only.stop} }

// Start returns the server, and skips the test if KUBEBUILDER_ASSETS is unset. It starts the server
// once: if that fails, every test that asks for it fails.
func (s *Shared) Start(t testing.TB) *Env {
	t.Helper()
	programs := assets(t)
	// Not the test's context: this test may be over while others use the server.
	env, err := s.only.start(func() (*Env, error) { return start(context.WithoutCancel(t.Context()), programs, s.Options) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.showLogs(t) })
	return env
}

// only is a server that the first who asks starts, and that nobody starts again.
type only[S interface{ stop() }] struct {
	once   sync.Once
	server S
	runs   bool
	err    error // of the one start; everybody who asks gets it at once
}

func (o *only[S]) start(f func() (S, error)) (S, error) {
	o.once.Do(func() {
		o.server, o.err = f()
		o.runs = o.err == nil
	})
	return o.server, o.err
}

func (o *only[S]) stop() {
	if o.runs {
		o.server.stop()
	}
}

// runnerThen runs the tests and then ends what they have started.
type runnerThen struct {
	tests Runner
	end   func()
}

func (r runnerThen) Run() int {
	defer r.end()
	return r.tests.Run()
}
