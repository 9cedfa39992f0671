package gitsink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// CommitPer says how the events of a batch are grouped into commits.
type CommitPer int

// The groupings.
const (
	PerBatch  CommitPer = iota // one commit for all; the default
	PerAuthor                  // one for each run of events of one author
	PerEvent                   // one for each event that changes something; use it with a queue that keeps every event
)

// Validate returns an error if c is none of the above.
func (c CommitPer) Validate() error {
	if c < PerBatch || c > PerEvent {
		return fmt.Errorf("gitsink: CommitPer %d: use Batch (%d), PerAuthor (%d) or PerEvent (%d)", c, PerBatch, PerAuthor, PerEvent)
	}
	return nil
}

// WriterOptions change what a Writer does. Nil and the zero value mean the defaults.
type WriterOptions struct {
	// Layout says in which file an object is kept. Default: event.DefaultLayout.
	Layout event.Layout
	// Encryptor encrypts Secrets; without one they are left out and reported. Default: none.
	Encryptor event.Encryptor
	// Message makes the commit message of the events that changed something. Default: what happened, in a line, and the
	// objects below it.
	Message func(destination.Destination, []event.Event) string
	// Committer of all commits. Default: the sink's.
	Committer Signature
	// CommitPer groups events into commits. Default: Batch.
	CommitPer CommitPer
	// Orphans returns the options for a destination. It is called with each plan. Default: orphan's defaults.
	Orphans func(destination.Ref) orphan.Options
	// Prune returns what bounds the removal of files that no rule of a destination covers any more, or nil: then they stay
	// and are reported. It is called with each plan and counts where there is a SeedSync. Default: nil.
	Prune func(destination.Ref) *orphan.Options
	// Adopt tells whether a folder that is not ours is taken over. It is called with each plan. Default: never.
	Adopt func(destination.Ref) bool
	// RefuseFiltered leaves objects out whose file a .gitattributes gives a filter, such as git-crypt or LFS, with an error
	// that matches ErrPath: files are written as they are, no filter is run. Default: they are written and reported.
	RefuseFiltered bool
	// OnReport is told what became of a batch, once for each of its destinations. Calls may be concurrent. Default: none.
	OnReport func(Report)
}

// Report is what became of one destination's part of a batch.
type Report struct {
	Destination destination.Destination
	Result      Result
	Err         error // nothing was written; the events are tried again
	Skipped     []Skipped
	Synced      bool                 // a SeedSync was carried out, held deletions apart
	Removed     int                  // orphans that were removed
	Held        *orphan.TooManyError // orphans that were not, because there are too many
	Unadopted   []string             // orphans that were not, because the folder is not adopted
	Adopted     bool                 // the folder is ours
	Orphans     orphan.Options       // what bounded the search for them
	Uncovered   *orphan.Found        // files that could be ours and that no rule covers any more; they stay. Of a SeedSync only
	Pruned      *Pruned              // what became of them if they were to be pruned
	Filtered    []Filtered           // the filters that our files should have gone through and did not; MaxFiltered at most
	// Excluded are the folders below ours, each with a slash at its end, that have an OwnerFile of their own, and in which that
	// kept files from being deleted or, by a SeedSync, from being looked at. They may have lost their object.
	Excluded *orphan.Found
}

// Pruned is what became of an order to prune.
type Pruned struct {
	Removed int
	// Err is why nothing was removed: ErrUnadopted, an error that matches orphan.ErrTooMany, or orphan.ErrNever.
	Err error
}

// Skipped is an object that was left out of a commit.
type Skipped struct {
	Resource event.Resource
	Err      error
	Retry    bool // it goes back into its line
}

// Writer turns batches into plans for a sink: it splits them by destination, folds events in order, lays them out in
// files, encrypts Secrets, and asks for orphans while the plan runs. Create it with NewWriter. It may be used concurrently.
type Writer struct {
	sink   GitSink
	source string
	opts   WriterOptions
	strays strays
}

// NewWriter returns a Writer. The source names the cluster that is written down, in a way that no other cluster shares; it
// goes into the OwnerFile.
func NewWriter(sink GitSink, source string, opts *WriterOptions) (*Writer, error) {
	if source == "" {
		return nil, errors.New("gitsink: NewWriter: the source is empty; name the cluster, for example by the UID of its kube-system namespace")
	}
	w := &Writer{sink: sink, source: source}
	if opts != nil {
		w.opts = *opts
	}
	if err := w.opts.CommitPer.Validate(); err != nil {
		return nil, err
	}
	if w.opts.Layout == nil {
		w.opts.Layout = event.DefaultLayout
	}
	if w.opts.Orphans == nil {
		w.opts.Orphans = func(destination.Ref) orphan.Options { return orphan.Options{} }
	}
	if w.opts.Prune == nil {
		w.opts.Prune = func(destination.Ref) *orphan.Options { return nil }
	}
	if w.opts.Adopt == nil {
		w.opts.Adopt = func(destination.Ref) bool { return false }
	}
	if w.opts.OnReport == nil {
		w.opts.OnReport = func(Report) {}
	}
	return w, nil
}

// Handle is a queue.Handler. It writes each destination's part of the batch with one call of the sink. If some parts fail,
// or some objects cannot be encrypted at the moment, it returns a *queue.PartialError with just their events; if nothing was
// written, what went wrong.
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

// split groups events by destination; each group keeps their order. Where there is one destination, as in each line of the
// default queue, nothing is copied: batches of many destinations may be in hand while a remote hangs.
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
	var last *draft // what the plan that counted, the last one, found
	result, err := w.sink.Apply(ctx, d, func(ctx context.Context, base Tree) ([]Commit, error) {
		if !lease.Held(ctx) {
			return nil, queue.ErrLeaseLost
		}
		var err error
		last, err = w.plan(ctx, d, attentive{base, ctx}, events)
		if ctx.Err() != nil { // the draft may be of a part of the tree
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
		w.opts.OnReport(Report{Destination: d, Result: result, Err: err})
		return events, err
	}
	report := last.report
	report.Destination, report.Result = d, result
	w.opts.OnReport(report)
	var faults []error
	for _, s := range report.Skipped {
		if s.Retry {
			faults = append(faults, fmt.Errorf("%s: %w", s.Resource.ID, s.Err))
		}
	}
	return last.again, errors.Join(faults...)
}

// attentive is a Tree that shows no more paths once the context of the plan has ended: nobody knows how many a sink yields.
// Nothing may be made of what was seen then.
type attentive struct {
	Tree
	ctx context.Context // of the plan, which this does not outlive
}

// Paths implements Tree.
func (t attentive) Paths(prefix string) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		for path, e := range t.Tree.Paths(prefix) {
			if t.ctx.Err() != nil || !yield(path, e) {
				return
			}
		}
	}
}

// ReadAbove implements AncestorTree; nothing is above a Tree that does not show it.
func (t attentive) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	if above, ok := t.Tree.(AncestorTree); ok {
		return above.ReadAbove(ctx, name)
	}
	return nil, nil
}
