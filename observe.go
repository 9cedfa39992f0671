package kubescribe

import (
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// observe takes down what became of a batch.
func (m *Mirror) observe(r gitsink.Report) {
	ref := r.Destination.Ref
	m.mu.Lock()
	if d, _ := m.set.Get(ref); d != r.Destination {
		m.mu.Unlock()
		return // it changed meanwhile; what it is now will report
	}
	before := m.written[ref]
	now := before.With(r.Status)
	m.written[ref] = now
	delete(m.unseen, ref) // this was the newest look at the branch
	if r.Pruned != nil {
		m.pruned[ref] = *r.Pruned
	}
	m.consume(r)
	m.mu.Unlock()
	m.log(r)
	m.logLeftOut(before, now)
	if r.Err == nil && r.Result.Foreign {
		m.compareAnew(ref)
	}
}

// compareAnew has a folder compared that somebody else has changed.
func (m *Mirror) compareAnew(ref destination.Ref) {
	if err := m.watcher.Sweep(ref); err != nil {
		m.opts.Logger.V(1).Info("cannot compare the folder anew", "destination", ref, "reason", err.Error())
		return
	}
	m.opts.Logger.Info("somebody else has written to the folder, so it is compared anew", "destination", ref)
}

// logLeftOut says what cannot be written, whenever that changes: a hundred thousand objects may be
// in it.
func (m *Mirror) logLeftOut(before, now gitsink.Status) {
	log := m.opts.Logger.WithValues("destination", now.Destination.Ref)
	switch {
	case now.SkippedCount == 0 && before.SkippedCount > 0:
		log.Info("every object can be written again")
	case now.SkippedCount > 0 && !sameSkipped(before, now):
		var first, reason string
		if len(now.Skipped) > 0 { // those that were named may be written by now, and others not
			first, reason = now.Skipped[0].Resource.ID.String(), now.Skipped[0].Err.Error()
		}
		log.Info("objects left out, since they cannot be written", "count", now.SkippedCount, "first", first, "reason", reason)
	}
}

func sameSkipped(a, b gitsink.Status) bool {
	return a.SkippedCount == b.SkippedCount && slices.EqualFunc(a.Skipped, b.Skipped, func(a, b gitsink.Skipped) bool {
		return a.Resource.ID == b.Resource.ID && a.Err.Error() == b.Err.Error()
	})
}

func (m *Mirror) log(r gitsink.Report) {
	log := m.opts.Logger.WithValues("destination", r.Destination.Ref)
	if len(r.Result.Commits) > 0 { // the Runner speaks of failures
		log.Info("pushed", "commits", len(r.Result.Commits), "tip", r.Result.Tip, "orphansRemoved", r.Removed)
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
	if r.Kustomizations != nil && r.Swept() {
		log.Info("kustomizations of somebody else are left as they are", "count", r.Kustomizations.Count, "sample", r.Kustomizations.Sample)
	}
	if r.Uncovered != nil {
		log.V(1).Info("files that no rule covers any more stay", "count", r.Uncovered.Count, "sample", r.Uncovered.Sample)
	}
	if r.Swept() && len(r.Filtered) > 0 {
		log.Info("files are written as they are, though .gitattributes has a filter for them", "filter", r.Filtered[0].String())
	}
	if r.Pruned != nil && r.Pruned.Removed > 0 {
		log.Info("pruned what no rule covers any more", "count", r.Pruned.Removed)
	}
}
