package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/queue"
)

// Hostile is an attack that a sink has to survive: a repository that somebody has pushed to in
// order to harm its readers, or a server that answers in order to harm its clients. The branch is
// main.
type Hostile struct {
	// Name is a sentence, and names the subtest.
	Name string
	// Promise is quoted from the documentation.
	Promise string
	// Make makes the repository or server, and returns its URL. The cost of making it is not
	// measured.
	Make func(t testing.TB) (url string)
	// BaseFolder is the base folder of the destination.
	BaseFolder string
	// Protocol is the scheme of the URL. A sink that does not speak it leaves the case out.
	// Default: "http".
	Protocol string
	// Want is an error that the error of an Apply must match. Default: the Apply must succeed.
	Want error
	// Not is an error that it must not match, such as gitsink.ErrUnavailable where an answer came.
	// Default: it may match any.
	Not error
	// Says are parts of the text of that error. The text is always one line of 4 KiB at most,
	// without credentials.
	Says []string
	// Judge returns what is wrong after the Apply, in the repository or with the requests. Default:
	// nothing is.
	Judge func(gitsink.Report) error
	// Memory is the number of bytes by which the heap may grow. Default: 50 MB.
	Memory uint64
	// Cut is the time after which the context of an Apply ends. Default: Time.
	Cut time.Duration
	// Time is the longest that an Apply may take. Default: a minute.
	Time time.Duration

	patience time.Duration // how long the test waits for what should be over by then. Default: 20 s
}

// maxRetryAfter is the longest time for which a server may send a sink away.
const maxRetryAfter = time.Hour

// maxErrorText is the greatest length of an error, in bytes: people read it in a status.
const maxErrorText = 4 << 10

// TestHostile checks that a Writer on the sink survives each case: it succeeds or fails in time as
// the case says, takes no more memory than it may, and leaves no goroutine behind when it is
// closed. newSink makes a sink with its defaults, except that a limit on the rate of pushes must be
// switched off. Every case is a subtest. They run one after another, since the test measures the
// memory and the goroutines of the whole process.
//
// A sink that does not survive may end the process, by lack of memory. Where that must not happen,
// run the test in a process of its own.
func TestHostile(t *testing.T, newSink func(testing.TB) gitsink.GitSink, cases []Hostile) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.against(t, newSink); err != nil {
				t.Errorf("%v\n%q", err, c.Promise)
			}
		})
	}
}

// against runs the case twice with one sink: the second time the sink has caches from the first.
func (h Hostile) against(t testing.TB, newSink func(testing.TB) gitsink.GitSink) error {
	t.Helper()
	if h.Memory == 0 {
		h.Memory = 50e6
	}
	if h.Time == 0 {
		h.Time = time.Minute
	}
	if h.Cut == 0 {
		h.Cut = h.Time
	}
	if h.patience == 0 {
		// a sink may look for the outcome of a push when its context has ended
		h.patience = 20 * time.Second
	}
	url := h.Make(t)
	goroutines := runtime.NumGoroutine()
	watch := watchMemory(h.Memory)
	sink := newSink(t)
	var faults []error
	for try := 1; try <= 2; try++ {
		began := time.Now()
		err := h.try(t, sink, url)
		if took := time.Since(began); took > h.Time {
			err = errors.Join(err, fmt.Errorf("it took %s", took))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("try %d: %w", try, err))
		}
	}
	faults = append(faults, sink.Close())
	if peak := watch(); peak > h.Memory {
		faults = append(faults, fmt.Errorf("it took %d bytes of memory, more than %d", peak, h.Memory))
	} else {
		t.Logf("%d bytes of memory", peak)
	}
	return errors.Join(append(faults, h.settled(goroutines))...)
}

// try lets a Writer write one object and sweep the folder.
func (h Hostile) try(t testing.TB, sink gitsink.GitSink, url string) error {
	var report gitsink.Report
	w, err := gitsink.NewWriter(sink, "cluster", &gitsink.WriterOptions{OnReport: func(r gitsink.Report) { report = r }})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), h.Cut)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Handle(ctx, queue.Batch{Lease: stillHeld{}, Events: h.events(url)}) }()
	timer := time.NewTimer(h.Time + h.patience)
	defer timer.Stop()
	select {
	case err = <-ended:
	case <-timer.C:
		return errHangs
	}
	if fault := h.examine(err); fault != nil {
		return fault
	}
	if h.Judge != nil {
		return h.Judge(report)
	}
	return nil
}

// examine looks at the error of an Apply.
func (h Hostile) examine(err error) error {
	switch {
	case h.Want == nil && err != nil:
		return fmt.Errorf("it failed: %w", err)
	case h.Want != nil && !errors.Is(err, h.Want):
		return fmt.Errorf("the error is %v, want one that matches %v", err, h.Want) //nolint:errorlint // it may be nil
	case h.Want == nil:
		return nil
	case h.Not != nil && errors.Is(err, h.Not):
		return fmt.Errorf("the error matches %w: %w", h.Not, err)
	}
	text := err.Error()
	if len(text) > maxErrorText {
		return fmt.Errorf("the error is %d bytes long: %.1000s", len(text), text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(text) {
		return fmt.Errorf("the error is more than a line of text: %.1000q", text)
	}
	for _, secret := range secretsOfLogin() {
		if strings.Contains(text, secret) {
			return errors.New("the error holds credentials")
		}
	}
	for _, part := range h.Says {
		if !strings.Contains(text, part) {
			return fmt.Errorf("the error does not say %q: %w", part, err)
		}
	}
	if delayed := (*gitsink.Error)(nil); errors.As(err, &delayed) && delayed.RetryAfter > maxRetryAfter {
		return fmt.Errorf("it is not to be tried again within %s, more than %s", delayed.RetryAfter, maxRetryAfter)
	}
	return nil
}

// hostileFile is what the Writer writes into the base folder.
const hostileFile = "default/configmaps/kept.yaml"

func (h Hostile) events(url string) []event.Event {
	d := destination.Destination{
		Ref: destination.Ref{Namespace: "gitsinktest", Name: "hostile"}, Repository: url, Branch: "main", BaseFolder: h.BaseFolder,
	}
	kept := event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "default", Name: "kept"}, Version: "v1", Kind: "ConfigMap"}
	live := event.NewInventory([]event.Collection{{Resource: "configmaps", All: true}}, func(event.Collection) ([]event.Resource, error) {
		return []event.Resource{kept}, nil
	})
	return []event.Event{
		{Destination: d, Operation: event.Update, Resource: kept, Content: event.NewContent([]byte("kept: true\n"))},
		{Destination: d, Operation: event.SeedSync, Inventory: live},
	}
}

type stillHeld struct{ queue.Lease }

// Held implements queue.Lease.
func (stillHeld) Held(context.Context) bool { return true }

// settled waits until there are no more goroutines than before.
func (h Hostile) settled(before int) error {
	for deadline := time.Now().Add(h.patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			return fmt.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
	return nil
}

// watchMemory begins to measure the heap. peak ends that, and returns by how much the heap has
// grown at most. The collector works the harder the nearer the heap comes to the bound: on a busy
// machine it would be behind, and garbage would count as if it was held.
func watchMemory(bound uint64) (peak func() uint64) {
	percent := debug.SetGCPercent(20)
	before := heap.Live()
	limit := debug.SetMemoryLimit(before + int64(bound)/2)
	most := heap.Watch()
	return func() uint64 {
		defer debug.SetGCPercent(percent)
		defer debug.SetMemoryLimit(limit)
		return uint64(max(0, most()-before))
	}
}
