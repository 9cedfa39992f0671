package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// What the checks are made of: events with short names, and comparisons of what comes out.

// dst is a destination of a repository, with a folder of its own.
func dst(repository, name string) destination.Destination {
	return destination.Destination{
		Ref:           destination.Ref{Namespace: "queuetest", Name: name},
		RepositoryRef: destination.Ref{Namespace: "queuetest", Name: repository},
		Repository:    "https://git.example.com/" + repository,
		Branch:        "main",
		BaseFolder:    name,
	}
}

var prod, dev, other = dst("app", "prod"), dst("app", "dev"), dst("site", "other")

func write(d destination.Destination, name, content string) event.Event {
	return event.Event{
		Destination: d,
		Operation:   event.Update,
		Resource:    event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "shop", Name: name}, Version: "v1", Kind: "ConfigMap"},
		Content:     event.NewContent([]byte(content)),
		Time:        time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func listed(d destination.Destination, name string) event.Event {
	e := write(d, name, "1")
	e.Listed = true
	return e
}

func when(c event.Precondition, content string) event.Event {
	e := write(prod, "a", content)
	e.Precondition = c
	return e
}

func remove(d destination.Destination, name string) event.Event {
	e := write(d, name, "")
	e.Operation, e.Content = event.Delete, nil
	return e
}

func seedSync(d destination.Destination) event.Event {
	return event.Event{Destination: d, Operation: event.SeedSync, Inventory: nothing}
}

var nothing = event.NewInventory(nil, func(event.Collection) ([]event.Resource, error) { return nil, nil })

// text names an event: "a=1" is a write, "-a" a delete, "sync" a SeedSync.
func text(e event.Event) string {
	switch e.Operation {
	case event.SeedSync:
		return "sync"
	case event.Delete:
		return "-" + e.Resource.Name
	}
	return fmt.Sprintf("%s=%.20s", e.Resource.Name, e.Content.Bytes())
}

func texts(events []event.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, text(e))
	}
	return strings.Join(all, " ")
}

// add puts events in, for which there must be room.
func (e *env) add(q queue.Queue, events ...event.Event) error {
	for _, ev := range events {
		e.moved = time.Now()
		if err := q.TryAdd(ev); err != nil {
			return fmt.Errorf("TryAdd of %s: %w", text(ev), err)
		}
	}
	return nil
}

// full wants TryAdd to refuse an event with ErrFull.
func (e *env) full(q queue.Queue, ev event.Event) error {
	if err := q.TryAdd(ev); !errors.Is(err, queue.ErrFull) {
		return fmt.Errorf("TryAdd of %s returned %s, want ErrFull", text(ev), said(err))
	}
	return nil
}

// next waits for the next batch.
func (e *env) next(q queue.Queue) (queue.Batch, error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.patience)
	defer cancel()
	b, err := q.Next(ctx)
	e.moved = time.Now()
	switch {
	case err != nil && ctx.Err() != nil:
		return b, fmt.Errorf("no batch came: %w", err)
	case err != nil:
		return b, fmt.Errorf("Next: %w", err)
	case len(b.Events) == 0:
		return b, errors.New("Next returned a batch without events")
	case b.Lease == nil:
		return b, errors.New("Next returned a batch without a Lease")
	}
	return b, nil
}

// expect wants the next batch to hold these events.
func (e *env) expect(q queue.Queue, want string) (queue.Batch, error) {
	b, err := e.next(q)
	if err == nil && texts(b.Events) != want {
		err = fmt.Errorf("the batch is %q, want %q", texts(b.Events), want)
	}
	return b, err
}

// done expects a batch and settles it.
func (e *env) done(q queue.Queue, want string) error {
	b, err := e.expect(q, want)
	if err != nil {
		return err
	}
	return settled(b.Done(e.ctx))
}

// retry expects a batch and puts it back.
func (e *env) retry(q queue.Queue, want string, cause error) error {
	b, err := e.expect(q, want)
	if err != nil {
		return err
	}
	return settled(b.Retry(e.ctx, cause))
}

func settled(err error) error {
	if err != nil {
		return fmt.Errorf("settling: %w", err)
	}
	return nil
}

// none wants no batch to come for so many ticks.
func (e *env) none(q queue.Queue, ticks float64) error {
	ctx, cancel := context.WithTimeout(e.ctx, time.Duration(ticks*float64(e.tick)))
	defer cancel()
	b, err := q.Next(ctx)
	switch {
	case err == nil:
		return fmt.Errorf("the batch %q came, want none", texts(b.Events))
	case !errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("Next returned %w, want the context's error", err)
	}
	return nil
}

// empty wants the queue to hold nothing of these destinations.
func (e *env) empty(q queue.Queue, destinations ...destination.Destination) error {
	return e.eventually(func() error {
		for _, d := range destinations {
			if s, ok := q.Line(d); ok {
				return fmt.Errorf("the line of %s is still there: %+v", d.Ref, s)
			}
		}
		if s := q.Stats(); s.Waiting+s.InHand+s.Lines > 0 {
			return fmt.Errorf("what is gone is in Stats: %+v", s)
		}
		return nil
	})
}

// shows wants the line of a destination to look like this.
func (e *env) shows(q queue.Queue, d destination.Destination, fault func(s queue.KeyStats) string) error {
	return e.eventually(func() error {
		s, ok := q.Line(d)
		if !ok {
			return fmt.Errorf("there is no line of %s", d.Ref)
		}
		if f := fault(s); f != "" {
			return fmt.Errorf("the line of %s: %s: %+v", d.Ref, f, s)
		}
		return nil
	})
}

// first returns the first error of steps that build on each other.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// same wants an event to come out as it went in, but for Live.
func same(got, want event.Event) error {
	if (got.Inventory == nil) != (want.Inventory == nil) {
		return fmt.Errorf("%s: Inventory came out as %v", text(want), got.Inventory)
	}
	if !slices.Equal(got.Content.Bytes(), want.Content.Bytes()) || !got.Time.Equal(want.Time) {
		return fmt.Errorf("%s: came out with the content %q and the time %v", text(want), got.Content.Bytes(), got.Time)
	}
	if !got.Sensitive.Same(want.Sensitive) { // else it is written in plain
		return fmt.Errorf("%s: came out with %v for what is sensitive", text(want), got.Sensitive)
	}
	for _, e := range []*event.Event{&got, &want} {
		e.Inventory, e.Content, e.Sensitive, e.Time = nil, nil, nil, time.Time{}
	}
	if fmt.Sprintf("%#v", fields(got)) != fmt.Sprintf("%#v", fields(want)) {
		return fmt.Errorf("%s: came out as %#v", text(want), fields(got))
	}
	return nil
}

// fields are an event for %#v, which shows no more of an event than its name.
func fields(e event.Event) any {
	type plain event.Event
	return plain(e)
}

// said is an error in a message where it may be nil.
func said(err error) string { return fmt.Sprint(err) }

var errPush = errors.New("the push failed")
