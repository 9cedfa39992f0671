package clustertest

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Backup is what a cluster was at one moment, as a snapshot of its etcd is.
type Backup struct {
	version     uint64
	resources   map[schema.GroupResource]backedUp
	terminating map[string]bool
}

type backedUp struct {
	def     *definition
	objects map[key]*object
}

// Backup returns the cluster as it is now. It may be restored any number of times.
func (c *Cluster) Backup() *Backup {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &Backup{version: c.version, resources: map[schema.GroupResource]backedUp{}, terminating: maps.Clone(c.terminating)}
	for gr, r := range c.resources {
		b.resources[gr] = backedUp{r.def, maps.Clone(r.objects)}
	}
	return b
}

// Restore sets objects, types and the resourceVersion counter back to a [Backup]. Later writes get
// resourceVersions that other states had before. Running watches break, and continue tokens expire.
// A watch can still start at a resourceVersion before the backup. A watch that starts at one that
// the counter has not reached again is refused; with silent it opens, and sends nothing until then.
// Real servers do either.
func (c *Cluster) Restore(b *Backup, silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.resources {
		r.log.append(entry{kind: breakWatch, version: c.version})
	}
	c.version, c.silentFuture, c.snapshots = b.version, silent, nil
	c.terminating = maps.Clone(b.terminating)
	resources := map[schema.GroupResource]*resource{}
	for gr, saved := range b.resources {
		r := &resource{def: saved.def, objects: maps.Clone(saved.objects), dirty: map[key]struct{}{}}
		for k := range r.objects {
			r.dirty[k] = struct{}{}
		}
		r.log = &eventLog{limit: c.options.History, floor: b.version, changed: make(chan struct{})}
		if old := c.resources[gr]; old != nil {
			r.log.resume(old.log, b.version)
		}
		resources[gr] = r
	}
	c.resources = resources
}

// resume takes over what another log holds up to a version.
func (l *eventLog) resume(from *eventLog, version uint64) {
	n := slices.IndexFunc(from.entries, func(e entry) bool { return e.version > version })
	if n < 0 {
		n = len(from.entries)
	}
	for _, e := range from.entries[:n] {
		if e.isChange() {
			e.number = l.end()
			l.entries = append(l.entries, e)
		}
	}
	l.floor = from.floor
}
