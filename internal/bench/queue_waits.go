package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

const (
	perEvent   = 100 * time.Microsecond // what the worker of a flood takes for an event
	quietEvery = 20 * time.Millisecond  // how often the quiet key has an event
)

// measureFlood has one worker, a key that is flooded as fast as it takes events, and a quiet one
// whose waits are measured from when an event came in until the worker has it.
func measureFlood(ctx context.Context, system lineupMaker, lasting time.Duration) (queueRow, error) {
	q := system.make(2)
	var going sync.WaitGroup
	flood, stop := context.WithTimeout(ctx, lasting)
	defer stop()
	going.Go(func() {
		began := time.Now()
		for i := 0; flood.Err() == nil; time.Sleep(perEvent) {
			// Ten times as fast as the worker, by the clock: a sleep may take far longer than it
			// should.
			for due := int(10 * time.Since(began) / perEvent); i < due && flood.Err() == nil; i++ {
				e := queueEvent("app", "flooded", fmt.Sprint("object", i%1_000_000))
				e.Content = event.NewContent([]byte("t"))
				q.add(e)
			}
		}
	})
	var added []time.Time // of the quiet key
	going.Go(func() {
		for i := 0; flood.Err() == nil; i++ {
			e := queueEvent("app", "quiet", fmt.Sprint("object", i))
			e.Content, e.Time = event.NewContent([]byte("t")), time.Now()
			added = append(added, e.Time)
			q.add(e)
			time.Sleep(quietEvery)
		}
	})
	var waits []float64
	going.Go(func() {
		for flood.Err() == nil {
			events, done := q.take()
			if events == nil {
				return
			}
			for _, e := range events {
				if e.Destination.Ref.Name == "quiet" {
					waits = append(waits, milliseconds(time.Since(e.Time)))
				}
			}
			spend(flood, time.Duration(len(events))*perEvent)
			done()
		}
	})
	<-flood.Done()
	end := time.Now()
	q.close()
	going.Wait()
	if err := ctx.Err(); err != nil {
		return queueRow{}, err
	}
	// What never came has waited until the end.
	for _, at := range added[min(len(waits), len(added)):] {
		waits = append(waits, max(0.001, milliseconds(end.Sub(at))))
	}
	return queueRow{Case: caseFlood, System: system.name, Keys: 2, Events: len(waits), Wait: slices.Max(waits), Typical: middle(waits)}, nil
}

// spend takes its time, like a push.
func spend(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

const (
	hungQuiet   = 10 * time.Millisecond // the window of both repositories
	keyPatience = 2 * time.Second       // after which a batch is said never to come
)

// measureHungRunner has a Runner whose handler hangs for a thousand destinations of one repository,
// and measures how long after it was due a batch of another repository reaches it.
func measureHungRunner(ctx context.Context, destinations int) (queueRow, error) {
	q := queue.NewSharded(&queue.Options{Window: queue.Window{Debounce: hungQuiet}})
	h := newHanging()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	runner := queue.NewRunner(q, func(_ context.Context, b queue.Batch) error { h.handle(b.Events[0].Destination); return nil }, nil)
	go func() { ended <- runner.Start(running) }()
	for i := range destinations {
		if err := q.Add(ctx, queueEvent("hung", fmt.Sprint("destination", i), "object")); err != nil {
			stop()
			return queueRow{}, err
		}
	}
	waits, err := h.waits(ctx, func(name string) error { return q.Add(ctx, queueEvent("other", name, "object")) })
	stop()
	close(h.hang)
	if errEnd := <-ended; err == nil {
		err = errEnd
	}
	return queueRow{Case: caseHungKeys, System: systemRunner, Keys: destinations, Events: len(waits), Wait: slices.Max(waits), Typical: middle(waits)}, err
}

// measureHungPool is the same with 64 workers on a workqueue that knows no groups.
func measureHungPool(ctx context.Context, destinations int) (queueRow, error) {
	q := workqueue.NewTypedDelayingQueue[destination.Destination]()
	h := newHanging()
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for {
				d, shutdown := q.Get()
				if shutdown {
					return
				}
				h.handle(d)
				q.Done(d)
			}
		})
	}
	for i := range destinations {
		q.AddAfter(queueEvent("hung", fmt.Sprint("destination", i), "object").Destination, hungQuiet)
	}
	waits, err := h.waits(ctx, func(name string) error {
		q.AddAfter(queueEvent("other", name, "object").Destination, hungQuiet)
		return nil
	})
	close(h.hang)
	q.ShutDown()
	workers.Wait()
	return queueRow{Case: caseHungKeys, System: systemPool, Keys: destinations, Events: len(waits), Wait: slices.Max(waits), Typical: middle(waits)}, err
}

// hanging is a handler that hangs for the repository hung and tells when it has another one.
type hanging struct {
	hang    chan struct{}
	arrived chan string
}

func newHanging() *hanging {
	return &hanging{hang: make(chan struct{}), arrived: make(chan string, 100)}
}

func (h *hanging) handle(d destination.Destination) {
	if d.Repository != "https://git.example.com/other" {
		<-h.hang
		return
	}
	select {
	case h.arrived <- d.Ref.Name:
	default:
	}
}

// waits adds one event after another once the hung repository hangs, and returns how many
// milliseconds after it was due each arrived, up to the first that never did.
func (h *hanging) waits(ctx context.Context, add func(name string) error) ([]float64, error) {
	spend(ctx, 50*hungQuiet)
	var waits []float64
	for i := range 20 {
		began := time.Now()
		if err := add(fmt.Sprint("destination", i)); err != nil {
			return []float64{0}, err
		}
		timer := time.NewTimer(keyPatience)
		select {
		case <-h.arrived:
			waits = append(waits, max(0.001, milliseconds(time.Since(began)-hungQuiet)))
		case <-timer.C:
			waits = append(waits, math.MaxFloat64)
		case <-ctx.Done():
			return []float64{0}, ctx.Err()
		}
		timer.Stop()
		if waits[i] == math.MaxFloat64 {
			break
		}
	}
	return waits, nil
}
