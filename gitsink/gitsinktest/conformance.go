package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// The parts of the checks: plans, and comparisons of what they did.

// put plans one commit that writes files: path, content, path, content.
func put(files ...string) gitsink.Plan {
	return propose(gitsink.Commit{Message: "put", Changes: writes(files...)})
}

func writes(files ...string) []gitsink.Change {
	var changes []gitsink.Change
	for i := 0; i < len(files); i += 2 {
		changes = append(changes, gitsink.Change{Path: files[i], Data: []byte(files[i+1])})
	}
	return changes
}

func removals(paths ...string) []gitsink.Change {
	var changes []gitsink.Change
	for _, path := range paths {
		changes = append(changes, gitsink.Change{Path: path, Remove: true})
	}
	return changes
}

// propose plans these commits, whatever the tree.
func propose(commits ...gitsink.Commit) gitsink.Plan {
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return commits, nil }
}

// look is a plan without commits that returns what is wrong with the tree.
func look(at func(ctx context.Context, base gitsink.Tree) error) gitsink.Plan {
	return func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) { return nil, at(ctx, base) }
}

// contents are files of a store: path, content, path, content.
func contents(files ...string) map[string]gitservertest.File {
	set := map[string]gitservertest.File{}
	for i := 0; i < len(files); i += 2 {
		set[files[i]] = gitservertest.File{Content: files[i+1]}
	}
	return set
}

// seed commits files to the branch main as somebody else.
func (e *env) seed(files ...string) { e.Observer.Commit("main", contents(files...), "outside") }

// holds returns an error unless a branch has exactly these files: path, content, path, content.
func (e *env) holds(branch string, files ...string) error {
	return e.holdsFiles(branch, contents(files...))
}

func (e *env) holdsFiles(branch string, want map[string]gitservertest.File) error {
	return differ("the branch "+branch, e.Observer.Files(branch), want)
}

// differ returns an error that names the paths in which two sets of files differ.
func differ(where string, got, want map[string]gitservertest.File) error {
	all := maps.Clone(got)
	maps.Copy(all, want)
	var faults []error
	for _, path := range slices.Sorted(maps.Keys(all)) {
		g, found := got[path]
		w, wanted := want[path]
		switch {
		case !wanted:
			faults = append(faults, fmt.Errorf("%s: %q is there, %s, and should not", where, path, describe(g)))
		case !found:
			faults = append(faults, fmt.Errorf("%s: %q is not there, want %s", where, path, describe(w)))
		case g != w:
			faults = append(faults, fmt.Errorf("%s: %q is %s, want %s", where, path, describe(g), describe(w)))
		}
	}
	return errors.Join(faults...)
}

func describe(f gitservertest.File) string {
	if len(f.Content) > 200 {
		return fmt.Sprintf("%s %q... (%d bytes)", f.Mode, f.Content[:200], len(f.Content))
	}
	return fmt.Sprintf("%s %q", f.Mode, f.Content)
}

// equal returns an error unless got is what is wanted.
func equal(what string, got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: %.1000q, want %.1000q", what, got, want)
	}
	return nil
}

// subjects are the first lines of the messages of a branch, oldest first.
func (e *env) subjects(branch string) []string {
	var subjects []string
	for _, c := range e.log(branch) {
		subjects = append(subjects, c.Subject)
	}
	slices.Reverse(subjects)
	return subjects
}

// refused returns what is wrong with the error of an Apply that must fail in this class, for this
// destination.
func refused(d destination.Destination, err, class error) error {
	if !errors.Is(err, class) {
		return fmt.Errorf("Apply returned %v, want an error that matches %v", err, class) //nolint:errorlint // it may be nil
	}
	return proper(d, err)
}

// proper returns an error unless that of Apply is an *Error with the destination.
func proper(d destination.Destination, err error) error {
	var e *gitsink.Error
	if !errors.As(err, &e) || e.Destination != d || e.Op == "" {
		return fmt.Errorf("Apply returned a %T (%w), want an *Error with the operation and the destination", err, err)
	}
	return nil
}

// survived runs something on a goroutine of its own and returns its error, or that it panicked or
// ended its goroutine.
func survived(do func() error) error {
	ended := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("a panic: %v", r)
			}
			ended <- err
		}()
		err = do()
	}()
	return <-ended
}

var errEnded = errors.New("the end of the goroutine")

// watched is a plan whose runs are counted.
type watched struct {
	plan       gitsink.Plan
	runs       atomic.Int64
	running    atomic.Int64
	overlapped atomic.Bool // it ran concurrently with itself
}

func watch(plan gitsink.Plan) *watched { return &watched{plan: plan} }

func (w *watched) run(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
	defer w.running.Add(-1)
	if w.running.Add(1) > 1 {
		w.overlapped.Store(true)
	}
	w.runs.Add(1)
	return w.plan(ctx, base)
}

// agrees returns an error unless a result has the number of runs of the plan.
func (w *watched) agrees(r gitsink.Result) error {
	if w.overlapped.Load() {
		return errors.New("the plan was called while it ran")
	}
	if r.Attempts != int(w.runs.Load()) {
		return fmt.Errorf("the result's Attempts is %d, but the plan was run %d times", r.Attempts, w.runs.Load())
	}
	return nil
}

// onFirst makes a plan that does something in its first run, before it looks at the tree.
func onFirst(do func() error, plan gitsink.Plan) *watched {
	w := &watched{}
	w.plan = func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		if w.runs.Load() == 1 {
			if err := do(); err != nil {
				return nil, err
			}
		}
		return plan(ctx, base)
	}
	return w
}
