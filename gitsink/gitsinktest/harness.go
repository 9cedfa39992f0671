package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Harness makes the sinks and stores of [TestGitSink].
type Harness struct {
	// New makes a sink that writes to the store. The kit closes the sink before the test ends.
	// Several sinks of one store must share nothing but the store, as two processes do. A limit on
	// the rate of pushes must be switched off. Required.
	New func(t testing.TB, s Store) gitsink.GitSink

	// Store makes an empty store. It is called once for each check, one check after another, always
	// before New. Default: a bare repository on a [gitservertest.Server], reached over HTTP.
	Store func(t testing.TB) Store
}

// Store is what the sinks of one check write to.
type Store struct {
	// Repository is the URL for destinations. Required.
	Repository string

	// Observer looks at the store. Checks of commits and branches are skipped unless it is a
	// [Historian]. Required.
	Observer Observer

	// Refuse makes the store decline every write of a sink with these words; empty words end that.
	// Nil: the checks that need it are skipped.
	Refuse func(words string)

	// Down cuts the store off from its sinks, Up ends that. Nil: the checks that need them are
	// skipped.
	Down, Up func()
}

// need is what a check asks of a store.
type need int

const (
	history need = 1 << iota // the Observer is a Historian
	refusal                  // Refuse
	outage                   // Down and Up
)

// lacks names something that the check needs and the store does not have; "" if there is nothing.
func (n need) lacks(s Store) string {
	_, historian := s.Observer.(Historian)
	switch {
	case n&history != 0 && !historian:
		return "its Observer is no Historian"
	case n&refusal != 0 && s.Refuse == nil:
		return "it has no Refuse"
	case n&outage != 0 && (s.Down == nil || s.Up == nil):
		return "it has no Down and Up"
	}
	return ""
}

// check is one promise of a sink.
type check struct {
	name    string // a sentence
	promise string // quoted from the documentation
	needs   need
	run     func(ctx context.Context, e *env) error
}

// checks returns all checks of the kit.
func checks() []check {
	var all []check
	for _, some := range [][]check{treeChecks, changeChecks, commitChecks, planChecks, movedChecks, concurrencyChecks, failureChecks} {
		all = append(all, some...)
	}
	return all
}

// patience is how long a check waits for something. Nothing that works takes as long.
const patience = time.Minute

// TestGitSink checks that a sink keeps the contract of package gitsink. Each check is a subtest on
// a store of its own. A check that fails quotes the promise that was broken.
func TestGitSink(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.against(t, h, patience); errors.Is(err, errSkipped) {
				t.Skip(err)
			} else if err != nil {
				t.Errorf("%v\n%q", err, c.promise)
			}
		})
	}
}

var (
	errSkipped = errors.New("the store cannot be used for this check")
	errHangs   = errors.New("it hangs")
)

// against runs the check. A check that hangs is left behind.
func (c check) against(t testing.TB, h Harness, patience time.Duration) error {
	t.Helper()
	if h.Store == nil {
		h.Store = serverStore
	}
	store := h.Store(t)
	if lack := c.needs.lacks(store); lack != "" {
		return fmt.Errorf("%w: %s", errSkipped, lack)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e := &env{Store: store, t: t, make: h.New, patience: patience}
	ended := make(chan error, 1)
	go func() {
		var err error
		defer func() { ended <- errors.Join(err, e.close()) }()
		err = survived(func() error { return c.run(ctx, e) })
	}()
	timer := time.NewTimer(4 * patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return errHangs
	}
}

func serverStore(t testing.TB) Store {
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app.git")
	store := RepoStore(t, repo, repo.URL())
	store.Down, store.Up = server.Down, server.Up
	return store
}

// env gives a check its store and its sinks.
type env struct {
	Store
	t        testing.TB
	make     func(testing.TB, Store) gitsink.GitSink
	patience time.Duration
	sinks    []gitsink.GitSink
}

// sink makes a sink, which is closed after the check.
func (e *env) sink() gitsink.GitSink {
	s := e.make(e.t, e.Store)
	e.sinks = append(e.sinks, s)
	return s
}

func (e *env) close() error {
	var faults []error
	for _, s := range e.sinks {
		if err := s.Close(); err != nil {
			faults = append(faults, fmt.Errorf("Close: %w", err))
		}
	}
	e.sinks = nil
	return errors.Join(faults...)
}

// to returns the destination of a folder on the branch main.
func (e *env) to(folder string) destination.Destination { return e.on("main", folder) }

func (e *env) on(branch, folder string) destination.Destination {
	return destination.Destination{
		Ref:        destination.Ref{Namespace: "gitsinktest", Name: "dest-" + blobHash(branch + ":" + folder)[:8]},
		Repository: e.Repository, Branch: branch, BaseFolder: folder,
		RepositoryRef: destination.Ref{Namespace: "gitsinktest", Name: "repository"},
	}
}

// historian returns the Observer of a check that needs a history.
func (e *env) historian() Historian { return e.Observer.(Historian) }

// log returns the commits of a branch, none if there is no such branch.
func (e *env) log(branch string) []gitservertest.CommitInfo {
	for _, name := range e.historian().Branches() {
		if name == branch {
			return e.historian().Log(branch)
		}
	}
	return nil
}

// soon reports whether something happens before the check loses patience.
func (e *env) soon(happens <-chan struct{}) bool {
	timer := time.NewTimer(e.patience)
	defer timer.Stop()
	select {
	case <-happens:
		return true
	case <-timer.C:
		return false
	}
}
