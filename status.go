package kubescribe

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Status is the state of a Mirror.
type Status struct {
	Destinations map[destination.Ref]DestinationStatus
	Queue        queue.Stats
	Err          error // what discovery could not tell, as groups that failed
}

// DestinationStatus is the state of one destination. It is a copy: nothing in it may be changed.
type DestinationStatus struct {
	// Status is what is known from writing to the folder. Of a destination that is not valid it has
	// Err alone, which says why. Held are the deletions that wait for Approve, Unadopted the files
	// that would go after Adopt, Uncovered those that would go by Prune.
	gitsink.Status
	// Rules is the number of valid rules that send objects here. InvalidRules are the others, which
	// are left out.
	Rules        int
	InvalidRules []types.NamespacedName
	// Synced: everything that the rules ask for has been listed and written, held and unadopted
	// files apart, no files are Excluded, and the cluster serves all types that the rules name.
	Synced bool
	// Approved: an approval waits for its sweep.
	Approved bool
	// PruneOrdered: an order to prune waits for its sweep. LastPrune is what became of the last
	// one; nil if there was none.
	PruneOrdered bool
	LastPrune    *gitsink.Pruned
	// BranchErr is why Options.Watchdog could not look at the branch; nil if it could, or if
	// something was written since.
	BranchErr error
	// Line is what waits to be written.
	Line queue.KeyStats
	// Watch is how far the events follow the cluster.
	Watch source.DestinationStatus

	idle bool // nothing waits, but there may be types that could not be listed
}

// RuleStatus is what is wrong with a rule.
type RuleStatus struct {
	// Err says why the rule is not valid; it is left out then. See ruleset.RuleSet.Err.
	Err error
	// Faults are the types that the rule names and does not get. Its other types are followed.
	Faults []*ruleset.TypeError
	// Presets leave objects or fields out of what the rule selects: those that it names, and those
	// that apply by default, as to the Secrets of Helm and of tokens. They are no fault.
	Presets []ruleset.Preset
}

// RuleStatus returns what is wrong with a rule. Nothing is wrong with one that SetRules does not
// know, and the types are not known before discovery has answered.
func (m *Mirror) RuleStatus(name types.NamespacedName) RuleStatus {
	m.mu.Lock()
	st := RuleStatus{Err: m.rules.Err(name), Presets: m.rules.Presets(name)}
	m.mu.Unlock()
	for _, fault := range m.watcher.Faults() {
		if fault.Rule == name {
			st.Faults = append(st.Faults, fault)
		}
	}
	return st
}

// Status returns the state of everything, destinations that are not valid included.
func (m *Mirror) Status() Status {
	st := Status{Destinations: map[destination.Ref]DestinationStatus{}, Queue: m.queue.Stats(), Err: m.watcher.Err()}
	for _, ref := range m.destinations() {
		if one, ok := m.DestinationStatus(ref); ok {
			st.Destinations[ref] = one
		}
	}
	return st
}

// DestinationStatus returns the state of one destination. For one that is not valid it says why, in
// Err; false if the rules have none of this name.
func (m *Mirror) DestinationStatus(ref destination.Ref) (DestinationStatus, bool) {
	m.mu.Lock()
	d, ok := m.set.Get(ref)
	st := DestinationStatus{Status: m.written[ref]}
	fault := m.set.Err(ref)
	st.Rules, st.InvalidRules = m.ruled[ref].valid, m.ruled[ref].invalid
	if a := m.approvals[ref]; a != nil {
		st.Approved, st.PruneOrdered = a.sweep != nil, len(a.prunes) > 0
	}
	if pruned, ordered := m.pruned[ref]; ordered {
		st.LastPrune = &pruned
	}
	st.BranchErr = m.unseen[ref]
	m.mu.Unlock()
	if !ok {
		return DestinationStatus{Status: gitsink.Status{Err: fault}}, fault != nil
	}
	st.Destination = d
	// The order matters: an event leaves the watcher before it is seen in its line, and the line
	// before it is done.
	var waiting bool
	st.Watch, _ = m.watcher.Status(ref)
	st.Line, waiting = m.queue.Line(d)
	st.idle = st.Watch.Idle() && !waiting
	st.Synced = st.idle && st.Watch.Complete == st.Watch.Streams && st.Excluded == nil && len(st.Watch.Faults) == 0
	return st, true
}
