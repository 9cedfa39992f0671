package kubescribe

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/orphan"
)

// newsInterval is how often the status of every destination is looked at, for what no batch tells:
// types that are forbidden, the end of a backoff, faults of rules.
const newsInterval = 5 * time.Second

// news tells OnStatus of the destinations whose status has changed, and the log of those that are
// in sync for the first time or again. A batch in hand would always show a destination that is not
// synced, so it is told of one when a batch has been settled.
type news struct {
	tell func(destination.Ref, DestinationStatus)
	log  logr.Logger
	told map[destination.Ref]verdict // belongs to the goroutine of follow, and so does seeding
	seeding

	mu      sync.Mutex
	settled map[destination.Ref]struct{}
	wake    chan struct{} // capacity 1
}

func newNews(log logr.Logger, tell func(destination.Ref, DestinationStatus)) *news {
	return &news{
		tell: tell, log: log, told: map[destination.Ref]verdict{},
		settled: map[destination.Ref]struct{}{}, wake: make(chan struct{}, 1),
	}
}

// of says that a batch of a destination was settled. It never waits.
func (n *news) of(ref destination.Ref) {
	n.mu.Lock()
	n.settled[ref] = struct{}{}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take returns the destinations of which a batch was settled since the last call.
func (n *news) take() (refs []destination.Ref) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for ref := range n.settled {
		refs = append(refs, ref)
	}
	clear(n.settled)
	return refs
}

// follow tells what changes until ctx ends, and what has changed by then.
func (n *news) follow(ctx context.Context, m *Mirror) {
	ticker := time.NewTicker(newsInterval)
	defer ticker.Stop()
	for {
		m.measures.turn()
		select {
		case <-ctx.Done():
			n.lookAtAll(m)
			return
		case <-n.wake:
			n.look(m, n.take())
		case <-ticker.C:
			n.lookAtAll(m)
		}
	}
}

// lookAtAll looks at the destinations of the rules, and forgets all others.
func (n *news) lookAtAll(m *Mirror) {
	refs, known := m.destinations(), map[destination.Ref]bool{}
	for _, ref := range refs {
		known[ref] = true
	}
	maps.DeleteFunc(n.told, func(ref destination.Ref, _ verdict) bool { return !known[ref] })
	n.seeding.reset()
	n.look(m, refs)
	n.seeding.say(n.log, time.Now())
}

// look tells of those destinations of which something else is to be said than before.
func (n *news) look(m *Mirror, refs []destination.Ref) {
	for _, ref := range refs {
		st, ok := m.DestinationStatus(ref)
		if !ok {
			continue // it has gone from the rules
		}
		n.lookAt(ref, &st)
	}
}

func (n *news) lookAt(ref destination.Ref, st *DestinationStatus) {
	n.seeding.count(st)
	before, told := n.told[ref]
	now := verdictOn(st)
	if now.said = before.said; now.lineErr != "" {
		now.said = ""
	}
	if now.synced && now.said != now.reason {
		now.said = now.reason
		n.say(ref, st)
	}
	if !told || !reflect.DeepEqual(before, now) {
		n.told[ref] = now
		n.tell(ref, *st)
	}
}

// say has the log tell that a destination is in sync, and what somebody has to decide all the same.
func (n *news) say(ref destination.Ref, st *DestinationStatus) {
	ready, reason, message := st.Ready()
	if ready {
		n.log.Info("in sync", "destination", ref, "tip", st.Tip)
		return
	}
	n.log.Info("in sync but for what somebody has to decide", "destination", ref, "reason", reason, "message", message, "tip", st.Tip)
}

// verdict is what of a status OnStatus is told the change of. It leaves out what changes with every
// event: the numbers of what waits.
type verdict struct {
	said                     Reason // with which the log says that it is in sync; "": it does not
	synced, approved, parked bool
	err, lineErr, watchErr   string
	branchErr, pruned        string
	pruneOrdered             bool
	tip                      string
	seed, commit             time.Time
	held                     orphan.Found
	excluded, uncovered      orphan.Found
	unadopted                []string
	filtered                 int
	skipped, incomplete      []string
	refused, skippedCount    int
	faults                   []string
	reason                   Reason
}

func verdictOn(st *DestinationStatus) verdict {
	v := verdict{
		synced: st.Synced, approved: st.Approved, parked: !st.Line.Parked.IsZero(),
		err: text(st.Err), lineErr: text(st.Line.Err), watchErr: text(st.Watch.Err),
		tip: st.Tip, seed: st.LastSeed, commit: st.LastCommit,
		unadopted: st.Unadopted, filtered: len(st.Filtered), refused: st.Watch.RefusedCount, skippedCount: st.SkippedCount,
	}
	_, v.reason, _ = st.Ready()
	v.branchErr, v.pruneOrdered = text(st.BranchErr), st.PruneOrdered
	if st.LastPrune != nil {
		v.pruned = fmt.Sprint(st.LastPrune.Removed, text(st.LastPrune.Err))
	}
	if st.Held != nil {
		v.held = st.Held.Found
	}
	if st.Excluded != nil {
		v.excluded = *st.Excluded
	}
	if st.Uncovered != nil {
		v.uncovered = *st.Uncovered
	}
	for _, s := range st.Skipped {
		v.skipped = append(v.skipped, s.Resource.ID.String()+": "+text(s.Err))
	}
	for _, part := range slices.Concat(st.Watch.Incomplete, st.Watch.NotFollowed) {
		v.incomplete = append(v.incomplete, fmt.Sprint(part.Collection, ": ", part.Err))
	}
	for _, fault := range st.Watch.Faults {
		v.faults = append(v.faults, fault.Error())
	}
	return v
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
