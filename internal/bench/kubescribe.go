package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

// warmSink is a sink that stays open between the rounds.
type warmSink struct {
	sink gitsink.GitSink
	dst  destination.Destination
}

func newWarmSink(_ context.Context, job workerJob) (system, error) {
	return &warmSink{sink: newSink(), dst: destinationOf(job)}, nil
}

func (w *warmSink) push(ctx context.Context, c change) error { return apply(ctx, w.sink, w.dst, c) }
func (w *warmSink) tidy() error                              { return nil }

// coldSink has a new sink in each round, which knows nothing of the repository.
type coldSink struct{ dst destination.Destination }

func newColdSink(_ context.Context, job workerJob) (system, error) {
	return coldSink{destinationOf(job)}, nil
}

func (s coldSink) push(ctx context.Context, c change) error {
	sink := newSink()
	if err := apply(ctx, sink, s.dst, c); err != nil {
		return err
	}
	return sink.Close()
}

func (s coldSink) tidy() error { return nil }

// newSink is a sink without a pace.
func newSink() gitsink.GitSink { return sinkWith(nil) }

func sinkWith(provider metric.MeterProvider) gitsink.GitSink {
	return gogit.New(&gogit.Options{
		MeterProvider: provider,
		Committer:     gitsink.Signature{Name: authorName, Email: authorEmail},
		RateLimit:     func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} },
	})
}

func destinationOf(job workerJob) destination.Destination {
	return destinationAt(job.URL, branch, job.Folder)
}

func apply(ctx context.Context, sink gitsink.GitSink, dst destination.Destination, c change) error {
	result, err := sink.Apply(ctx, dst, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		return []gitsink.Commit{{Message: message, Changes: []gitsink.Change{{Path: c.Path, Data: c.Content}}}}, nil
	})
	if err == nil && len(result.Commits) != 1 {
		err = fmt.Errorf("%d commits, want 1", len(result.Commits))
	}
	return err
}
