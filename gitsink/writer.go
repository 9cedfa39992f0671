package gitsink

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// Writer turns batches into plans for a sink: it splits them by destination, folds events in order,
// lays them out in files, encrypts Secrets, and looks for orphans while the plan runs. Create it
// with NewWriter. It may be used concurrently.
type Writer struct {
	sink    GitSink
	source  string
	opts    WriterOptions
	strays  strays
	surveys surveys
}

// NewWriter returns a Writer. The source names the cluster that is written down, in a way that no
// other cluster shares; it goes into the OwnerFile.
func NewWriter(sink GitSink, source string, opts *WriterOptions) (*Writer, error) {
	if source == "" {
		return nil, errors.New("gitsink: NewWriter: the source is empty; name the cluster, for example by the UID of its kube-system namespace")
	}
	w := &Writer{sink: sink, source: source, opts: opts.withDefaults(), surveys: newSurveys()}
	if err := w.opts.Validate(); err != nil {
		return nil, err
	}
	return w, nil
}

// Handle is a queue.Handler. It writes each destination's part of the batch with one call of the
// sink. If some parts fail, or some objects cannot be encrypted at the moment, it returns a
// *queue.PartialError with just their events. If nothing was written, it returns what went wrong.
func (w *Writer) Handle(ctx context.Context, b queue.Batch) error {
	var left []event.Event
	var faults []error
	for _, part := range split(b.Events) {
		again, err := w.apply(ctx, b, part)
		left = append(left, again...)
		if err != nil {
			faults = append(faults, err)
		}
	}
	switch err := errors.Join(faults...); {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrLeaseLost), len(left) == len(b.Events):
		return err
	default:
		return &queue.PartialError{Events: left, Err: err}
	}
}

// split groups events by destination; each group keeps their order. Where there is one destination,
// as in each line of the default queue, nothing is copied: batches of many destinations may be in
// hand while a remote hangs.
func split(events []event.Event) [][]event.Event {
	if len(events) > 0 && !slices.ContainsFunc(events[1:], func(e event.Event) bool { return e.Destination != events[0].Destination }) {
		return [][]event.Event{events}
	}
	var parts [][]event.Event
	index := map[destination.Destination]int{}
	for _, e := range events {
		i, ok := index[e.Destination]
		if !ok {
			i = len(parts)
			index[e.Destination] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], e)
	}
	return parts
}

var errNotPlanned = errors.New("the sink says that it has written, and has not run the plan")

// apply writes the events of one destination and returns those that have to be tried again.
func (w *Writer) apply(ctx context.Context, lease queue.Lease, events []event.Event) ([]event.Event, error) {
	d := events[0].Destination
	var last *planRun // the one that counted
	result, err := w.sink.Apply(ctx, d, func(ctx context.Context, base Tree) ([]Commit, error) {
		if !lease.Held(ctx) {
			return nil, queue.ErrLeaseLost
		}
		var err error
		last, err = w.plan(ctx, d, cancelableTree{base, ctx}, events)
		if ctx.Err() != nil { // the plan may be for a part of the tree
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		return last.commits, nil
	})
	if err == nil && last == nil {
		err = &Error{Op: "plan", Destination: d, Err: errNotPlanned}
	}
	if err = w.strays.judge(d, err); err != nil {
		w.opts.OnReport(Report{Status: Status{Destination: d, Err: err}, Result: result})
		return events, err
	}
	report := last.landed(result, time.Now())
	for _, e := range events {
		if e.Operation == event.SeedSync && last.seen != nil {
			e.Inventory.Landed(last.seen)
		}
	}
	w.opts.OnReport(report)
	return last.again, errors.Join(last.skips.again...)
}
