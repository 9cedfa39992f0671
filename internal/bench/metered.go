package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/kubescribe/kubescribe/queue"
)

// systemMetered is kubescribe with a MeterProvider of OpenTelemetry's SDK: what metrics cost.
const systemMetered = "metered"

func newMeterProvider() metric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func newMeteredSink(_ context.Context, job workerJob) (system, error) {
	return &warmSink{sink: sinkWith(newMeterProvider()), dst: destinationOf(job)}, nil
}

func newMeteredQueue(int) lineup { return shardedWith(newMeterProvider()) }

func shardedWith(provider metric.MeterProvider) lineup {
	ctx, cancel := context.WithCancel(context.Background())
	return &sharded{
		q: queue.NewSharded(&queue.Options{
			Window:    queue.Window{Debounce: time.Millisecond, Count: 3, Bytes: 100},
			MaxEvents: 1 << 30, MaxBytes: 1 << 40, MeterProvider: provider,
		}),
		ctx: ctx, cancel: cancel,
	}
}
