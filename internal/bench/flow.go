package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// flow is the library as its users have it: a queue, a Runner, a Writer and a sink.
type flow struct {
	sink    gitsink.GitSink
	queue   *queue.Sharded
	stop    context.CancelFunc
	ended   chan error
	written chan struct{}
	missing atomic.Int64          // events that are not written yet
	fault   atomic.Pointer[error] // the last one
}

// patience is how long a round may take.
const patience = 5 * time.Minute

// newFlow starts a flow. A line is due with so many events, so that no time is spent waiting for
// more.
func newFlow(ctx context.Context, due int) (*flow, error) {
	sink := newSink()
	w, err := gitsink.NewWriter(sink, "bench", nil)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	f := &flow{
		sink: sink, queue: queue.NewSharded(&queue.Options{Window: queue.Window{Count: due}}),
		stop: stop, ended: make(chan error, 1), written: make(chan struct{}, 1),
	}
	write := func(ctx context.Context, b queue.Batch) error {
		err := w.Handle(ctx, b)
		if err != nil {
			f.fault.Store(&err)
		} else if f.missing.Add(-int64(len(b.Events))) == 0 {
			f.written <- struct{}{}
		}
		return err
	}
	runner := queue.NewRunner(f.queue, write, nil)
	go func() { f.ended <- runner.Start(ctx) }()
	return f, nil
}

// write adds the events and returns when all of them are pushed.
func (f *flow) write(ctx context.Context, events []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f.missing.Add(int64(len(events)))
	for _, e := range events {
		if err := f.queue.Add(ctx, e); err != nil {
			return err
		}
	}
	select {
	case <-f.written:
		return nil
	case err := <-f.ended:
		return fmt.Errorf("the runner ended: %w", err)
	case <-ctx.Done():
		if fault := f.fault.Load(); fault != nil {
			return fmt.Errorf("%d events are not written: %w", f.missing.Load(), *fault)
		}
		return ctx.Err()
	}
}

// close ends the flow when everything is written.
func (f *flow) close() error {
	f.stop()
	return errors.Join(<-f.ended, f.sink.Close())
}

// update is an event that changes ConfigMap number i.
func update(d destination.Destination, i int, content []byte) event.Event {
	return event.Event{
		Destination: d, Operation: event.Update, Content: event.NewContent(content), Time: time.Now(),
		Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "default", Name: fmt.Sprintf("obj-%04d", i)}, Version: "v1", Kind: "ConfigMap"},
	}
}

// updatePath is where that is written to, below the base folder.
func updatePath(i int) string { return fmt.Sprintf("default/configmaps/obj-%04d.yaml", i) }

// destinationAt is the destination of a folder on a branch of a repository.
func destinationAt(url, branch, folder string) destination.Destination {
	repository := strings.TrimSuffix(path.Base(url), ".git")
	return destination.Destination{
		Ref:           destination.Ref{Namespace: repository, Name: branch + "." + path.Base(folder)},
		RepositoryRef: destination.Ref{Namespace: "bench", Name: repository},
		Repository:    url, Branch: branch, BaseFolder: folder,
	}
}
