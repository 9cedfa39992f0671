package kubescribe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// Status is the state of a Mirror.
type Status struct {
	Destinations map[destination.Ref]DestinationStatus
	Queue        queue.Stats
	Err          error // what discovery could not tell: groups that failed, types that do not exist
}

// DestinationStatus is the state of one destination.
type DestinationStatus struct {
	Destination destination.Destination // zero if it is not valid
	// Synced: everything that the rules ask for has been listed and written, held and unadopted files apart, and no files are
	// Excluded.
	Synced bool
	// Err is why the destination is not valid or why the last try to write failed; nil after a success.
	Err error
	// LastSeed is when the folder was last compared with all that lives, LastCommit when a commit was last pushed.
	LastSeed, LastCommit time.Time
	Tip                  string               // the branch's commit when it was last looked at
	Held                 *orphan.TooManyError // deletions that wait for Approve
	Approved             bool                 // an approval waits for its sweep
	Unadopted            []string             // files that would go if the folder were adopted; see Adopt
	Uncovered            *orphan.Found        // files that stay, though no rule covers them any more; see Prune
	// Excluded are the folders below this one in which files of our types and namespaces stay whatever becomes of their objects,
	// since somebody has put a gitsink.OwnerFile there. Remove that file, or those beside it.
	Excluded *orphan.Found
	Skipped  []gitsink.Skipped // objects that the last batch left out
	// Filtered are lines of a .gitattributes with a filter that our files do not go through,
	// gitsink.MaxFiltered at most: all that the last sweep has found, and what was met since. See Options.RefuseFiltered.
	Filtered []gitsink.Filtered
	Line     queue.KeyStats           // what waits to be written
	Watch    source.DestinationStatus // how far the events follow the cluster

	written bool // nothing waits, but there may be types that could not be listed
}

// written is what the reports of the writer add up to.
type written struct {
	to                   destination.Destination
	err                  error
	lastSeed, lastCommit time.Time
	tip                  string
	held                 *orphan.TooManyError
	unadopted            []string
	uncovered, excluded  *orphan.Found
	skipped              []gitsink.Skipped
	filtered             []gitsink.Filtered
}

// report takes down what became of a batch.
func (m *Mirror) report(r gitsink.Report) {
	ref := r.Destination.Ref
	m.mu.Lock()
	if d, _ := m.set.Get(ref); d != r.Destination {
		m.mu.Unlock()
		return // it changed meanwhile; its new self will report
	}
	m.written[ref] = m.written[ref].with(r, time.Now())
	m.use(r)
	m.mu.Unlock()
	m.log(r)
	if r.Err == nil && r.Result.Foreign {
		if err := m.watcher.Resync(ref); err != nil {
			m.opts.Logger.V(1).Info("cannot seed anew", "destination", ref, "reason", err.Error())
		}
	}
	st, _ := m.DestinationStatus(ref)
	m.opts.OnStatus(ref, st)
}

func (w written) with(r gitsink.Report, now time.Time) written {
	w.to, w.err = r.Destination, r.Err
	if r.Err != nil {
		return w
	}
	w.tip, w.skipped = r.Result.Tip, r.Skipped
	if len(r.Result.Commits) > 0 {
		w.lastCommit = now
	}
	if r.Synced {
		w.lastSeed, w.held, w.unadopted, w.uncovered = now, r.Held, r.Unadopted, r.Uncovered
	}
	// A sweep looks at all files and folders, a batch of changes at those that it meets: what that
	// finds comes beside what is known, and takes nothing away.
	if r.Synced {
		w.filtered, w.excluded = r.Filtered, r.Excluded
		return w
	}
	w.filtered = withFiltered(w.filtered, r.Filtered)
	if r.Excluded != nil && (w.excluded == nil || w.excluded.Count < r.Excluded.Count) {
		w.excluded = r.Excluded
	}
	return w
}

// withFiltered returns what is known with what is new. The slice that is known is left as it is: a
// caller of Status may hold it.
func withFiltered(known, found []gitsink.Filtered) []gitsink.Filtered {
	known = slices.Clip(known)
	for _, f := range found {
		if len(known) < gitsink.MaxFiltered && !slices.Contains(known, f) {
			known = append(known, f)
		}
	}
	return known
}

func (m *Mirror) log(r gitsink.Report) {
	log := m.opts.Logger.WithValues("destination", r.Destination.Ref)
	if len(r.Result.Commits) > 0 { // of failures the Runner speaks
		log.Info("pushed", "commits", len(r.Result.Commits), "tip", r.Result.Tip, "orphansRemoved", r.Removed)
	}
	for _, s := range r.Skipped {
		log.Info("object left out", "object", s.Resource.ID.String(), "reason", s.Err.Error())
	}
	if r.Held != nil {
		log.Info("deletions held back; approve them", "count", r.Held.Count, "of", r.Held.Files, "sample", r.Held.Sample)
	}
	if len(r.Unadopted) > 0 {
		log.Info("files without an object stay, since the folder is not adopted", "count", len(r.Unadopted))
	}
	if r.Excluded != nil {
		log.Info("files stay, since their folders have an owner of their own",
			"count", r.Excluded.Count, "sample", r.Excluded.Sample)
	}
	if r.Uncovered != nil {
		log.V(1).Info("files that no rule covers any more stay", "count", r.Uncovered.Count, "sample", r.Uncovered.Sample)
	}
	if r.Synced && len(r.Filtered) > 0 {
		log.Info("files are written as they are, though .gitattributes has a filter for them", "filter", r.Filtered[0].String())
	}
	if r.Pruned != nil && r.Pruned.Removed > 0 {
		log.Info("pruned what no rule covers any more", "count", r.Pruned.Removed)
	}
}

// Status returns the state of everything.
func (m *Mirror) Status() Status {
	st := Status{Destinations: map[destination.Ref]DestinationStatus{}, Queue: m.queue.Stats(), Err: m.watcher.Err()}
	m.mu.Lock()
	set := m.set
	m.mu.Unlock()
	for d := range set.All() {
		st.Destinations[d.Ref], _ = m.DestinationStatus(d.Ref)
	}
	return st
}

// DestinationStatus returns the state of one destination. For one that is not valid it says why, in Err; false if the rules
// have none of this name.
func (m *Mirror) DestinationStatus(ref destination.Ref) (DestinationStatus, bool) {
	m.mu.Lock()
	d, ok := m.set.Get(ref)
	w, err := m.written[ref], m.set.Err(ref)
	g := m.grants[ref]
	approved := g != nil && g.approve != nil
	m.mu.Unlock()
	if !ok {
		return DestinationStatus{Err: err}, err != nil
	}
	st := DestinationStatus{
		Destination: d, Err: w.err, LastSeed: w.lastSeed, LastCommit: w.lastCommit, Tip: w.tip,
		Held: w.held, Approved: approved, Unadopted: w.unadopted, Uncovered: w.uncovered, Excluded: w.excluded, Skipped: w.skipped,
		Filtered: w.filtered,
	}
	var waiting bool
	// The order matters: an event leaves the watcher before it is seen in its line, and the line before it is done.
	st.Watch, _ = m.watcher.Status(ref)
	st.Line, waiting = m.queue.Line(d)
	st.written = st.Watch.Idle() && !waiting
	st.Synced = st.written && st.Watch.Complete == st.Watch.Streams && st.Excluded == nil
	return st, true
}

// waitInterval is how often WaitSynced looks.
const waitInterval = 20 * time.Millisecond

// WaitSynced waits until every destination is synced, or has failed in a way that trying again cannot cure. It returns the
// failures, or ctx's error.
func (m *Mirror) WaitSynced(ctx context.Context) error {
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for {
		if done, err := m.synced(); done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (m *Mirror) synced() (bool, error) {
	var failed []error
	for _, st := range m.Status().Destinations {
		switch {
		case st.Synced:
		case st.Line.Permanent && !st.Line.Parked.IsZero(): // else it is tried again at the moment, as after Adopt
			failed = append(failed, st.Line.Err)
		case st.written && st.Excluded != nil:
			failed = append(failed, fmt.Errorf("kubescribe: %s: %w: %d folders have a %s of their own, first %q", st.Destination.Ref,
				gitsink.ErrOwned, st.Excluded.Count, gitsink.OwnerFile, st.Excluded.Sample))
		case st.written && refused(st.Watch.Incomplete):
			for _, part := range st.Watch.Incomplete {
				failed = append(failed, fmt.Errorf("kubescribe: %s: %s cannot be listed: %w", st.Destination.Ref, part.Collection, part.Err))
			}
		default:
			return false, nil
		}
	}
	return true, errors.Join(failed...)
}

// refused tells whether the API server will go on saying no to all of them.
func refused(parts []source.Incomplete) bool {
	for _, part := range parts {
		if !apierrors.IsForbidden(part.Err) && !apierrors.IsUnauthorized(part.Err) &&
			!apierrors.IsNotFound(part.Err) && !apierrors.IsMethodNotSupported(part.Err) {
			return false
		}
	}
	return len(parts) > 0
}
