package kubescribe

import "github.com/kubescribe/kubescribe/gitsink"

// observe takes down what became of a batch.
func (m *Mirror) observe(r gitsink.Report) {
	ref := r.Destination.Ref
	m.mu.Lock()
	if d, _ := m.set.Get(ref); d != r.Destination {
		m.mu.Unlock()
		return // it changed meanwhile; what it is now will report
	}
	m.written[ref] = m.written[ref].With(r.Status)
	m.consume(r)
	m.mu.Unlock()
	m.log(r)
	if r.Err == nil && r.Result.Foreign {
		if err := m.watcher.Sweep(ref); err != nil {
			m.opts.Logger.V(1).Info("cannot compare the folder anew", "destination", ref, "reason", err.Error())
			return
		}
		m.opts.Logger.Info("somebody else has written to the folder, so it is compared anew", "destination", ref)
	}
}

func (m *Mirror) log(r gitsink.Report) {
	log := m.opts.Logger.WithValues("destination", r.Destination.Ref)
	if len(r.Result.Commits) > 0 { // the Runner speaks of failures
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
	if r.Swept() && len(r.Filtered) > 0 {
		log.Info("files are written as they are, though .gitattributes has a filter for them", "filter", r.Filtered[0].String())
	}
	if r.Pruned != nil && r.Pruned.Removed > 0 {
		log.Info("pruned what no rule covers any more", "count", r.Pruned.Removed)
	}
}
