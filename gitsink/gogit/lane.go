package gogit

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// laneOverhead is charged to a lane for what its store does not count.
const laneOverhead = 16 << 10

// lane is one branch of one repository. While calls wait for it, it has a worker, and only one:
// nothing else writes the branch from this process.
type lane struct {
	key       destination.RemoteBranch
	withdrawn chan struct{} // gets a token when a waiting call has gone

	// Guarded by lanes.mu.
	waiting []*call // in the order of their coming, in no group yet
	working bool
	used    int64 // when the last worker left, in departures
	bytes   int64 // charged when the last worker left

	// The worker's.
	store   *object.Store
	noScope bool                      // the server gives no trees by their names, whatever it says
	seen    map[string]lastSeenFolder // by base folder
	unknown []unknownPush             // pushes of unknown outcome, the oldest first
	// Commits of unknown pushes that have turned out to have landed, by base folder.
	landed map[string][]landedCommit
}

// lastSeenFolder is the tree of a base folder as it was left, to recognise the work of others.
type lastSeenFolder struct {
	is    object.ID
	maybe object.ID // what a push of unknown outcome would make it; else the same
}

// lanes are the lanes in use and those remembered for the next use. It may be used concurrently.
type lanes struct {
	max int64

	mu         sync.Mutex // guards what follows
	all        map[destination.RemoteBranch]*lane
	idle       int64 // bytes of all lanes without a worker
	departures int64
}

func newLanes(maxBytes int64) *lanes {
	return &lanes{max: maxBytes, all: map[destination.RemoteBranch]*lane{}}
}

// submit lets a call wait for its lane. If it returns a lane, the caller has to start a worker
// for it.
func (ls *lanes) submit(c *call) *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[c.lane]
	if l == nil {
		l = &lane{
			key: c.lane, withdrawn: make(chan struct{}, 1), bytes: laneOverhead, store: object.NewStore(),
			seen: map[string]lastSeenFolder{}, landed: map[string][]landedCommit{},
		}
		ls.all[c.lane] = l
		ls.idle += l.bytes
	}
	l.waiting = append(l.waiting, c)
	if l.working {
		c.held = nil
		return nil
	}
	l.working = true
	ls.idle -= l.bytes
	return l
}

// withdraw takes a call back that is in no group yet.
func (ls *lanes) withdraw(c *call) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[c.lane]
	if l == nil {
		return false
	}
	i := slices.Index(l.waiting, c)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	select {
	case l.withdrawn <- struct{}{}:
	default:
	}
	return true
}

// next returns the call that has waited longest, which goes on waiting. Without one the worker is
// dismissed.
func (ls *lanes) next(l *lane) *call {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(l.waiting) > 0 {
		return l.waiting[0]
	}
	l.waiting = nil
	l.working = false
	ls.departures++
	l.used = ls.departures
	l.bytes = laneOverhead + l.store.Memory()
	ls.idle += l.bytes
	for ls.idle > ls.max {
		ls.forget(ls.oldest())
	}
	return nil
}

// waits reports whether a call waits that may go with others of the key.
func (ls *lanes) waits(l *lane, key groupKey) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.ContainsFunc(l.waiting, func(c *call) bool { return c.key == key })
}

// take returns the waiting calls of the key, which wait no longer.
func (ls *lanes) take(l *lane, key groupKey) []*call {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var taken, left []*call
	for _, c := range l.waiting {
		if c.key == key {
			taken = append(taken, c)
		} else {
			left = append(left, c)
		}
	}
	l.waiting = left
	return taken
}

// putBack lets calls wait again, before all others.
func (ls *lanes) putBack(l *lane, calls []*call) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.waiting = slices.Concat(calls, l.waiting)
}

func (ls *lanes) forget(l *lane) {
	ls.idle -= l.bytes
	delete(ls.all, l.key)
}

// oldest is the lane without a worker that was used least recently. One that knows of pushes
// which may land yet comes last: without that knowledge their commits would be made twice.
func (ls *lanes) oldest() *lane {
	var oldest *lane
	for _, l := range ls.all {
		if !l.working && (oldest == nil || l.before(oldest)) {
			oldest = l
		}
	}
	return oldest
}

func (l *lane) before(other *lane) bool {
	if doubtful, others := l.hasUnknown(), other.hasUnknown(); doubtful != others {
		return others
	}
	return l.used < other.used
}

func (l *lane) hasUnknown() bool { return len(l.unknown) > 0 || len(l.landed) > 0 }

// clear forgets the lanes without a worker.
func (ls *lanes) clear() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		if !l.working {
			ls.forget(l)
		}
	}
}

// unknownPush is a push whose outcome is unknown. It can still land as long as the branch is at
// old.
type unknownPush struct {
	old, tip object.ID
	parts    []unknownPart
}

type unknownPart struct {
	call    *call // nil once its group has ended
	folder  string
	commits []landedCommit
}

// landedCommit is a commit of a push that has turned out to have landed, by what its plan wanted
// of it.
type landedCommit struct {
	hash   object.ID
	digest digest
}

// forgetCalls lets go of the calls, which are over.
func (l *lane) forgetCalls() {
	for _, d := range l.unknown {
		for i := range d.parts {
			d.parts[i].call = nil
		}
	}
}

// countLanded is how many commits at the beginning of a plan hold, in turn, all that were found.
// In between may be some that have changed nothing then, and so have not become commits. What was
// found first may be unlike the plan's: a Writer adds the OwnerFile to the first commit of a
// folder, and once that has landed, no more.
func countLanded(commits []gitsink.Commit, known []landedCommit) int {
	if len(known) == 0 {
		return 0
	}
	digests := make([]digest, 0, len(commits))
	for _, commit := range commits {
		digests = append(digests, digestOf(commit))
	}
	for ; len(known) > 0; known = known[1:] {
		left := known
		for i, d := range digests {
			if left[0].digest == d {
				left = left[1:]
			}
			if len(left) == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// digest is what a plan wanted of a commit, to know it again.
type digest [sha256.Size]byte

func digestOf(c gitsink.Commit) digest {
	h := sha256.New()
	for _, s := range []gitsink.Signature{c.Author, c.Committer} {
		fmt.Fprintf(h, "%q %q %d\n", s.Name, s.Email, s.When.Unix())
	}
	fmt.Fprintf(h, "%q\n", c.Message)
	for _, change := range c.Changes {
		fmt.Fprintf(h, "%q %t %q %d\n", change.Path, change.Remove, change.From, len(change.Data))
		h.Write(change.Data)
	}
	return digest(h.Sum(nil))
}
