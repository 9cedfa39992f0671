package gogit

import (
	"context"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/destination"
)

// laneOverhead is charged to a lane for what its store does not count.
const laneOverhead = 16 << 10

// lane is one branch of one repository, written by one Apply at a time.
type lane struct {
	key  destination.Lane
	turn chan struct{} // holds a token while the lane is free

	// Guarded by lanes.mu.
	users int   // holder and those that wait
	used  int64 // when it was released last, in releases
	bytes int64 // charged when it was released last

	// Whoever took the token may touch what follows.
	store *store
	seen  map[string]sighting // by base folder
}

// sighting is the tree of a base folder as it was left, to recognise the work of others.
type sighting struct {
	is    plumbing.Hash
	maybe plumbing.Hash // what a push of unknown outcome would make it; else the same
}

// lanes are the lanes in use and those remembered for the next use. It may be used concurrently.
type lanes struct {
	max int64

	mu       sync.Mutex // guards what follows
	all      map[destination.Lane]*lane
	idle     int64 // bytes of all lanes without users
	releases int64
}

func newLanes(maxBytes int64) *lanes {
	return &lanes{max: maxBytes, all: map[destination.Lane]*lane{}}
}

// acquire waits for the lane until ctx ends. Lanes do not wait for each other.
func (ls *lanes) acquire(ctx context.Context, key destination.Lane) (*lane, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := ls.join(key)
	select {
	case <-l.turn:
		return l, nil
	case <-ctx.Done():
		ls.leave(l)
		return nil, ctx.Err()
	}
}

func (ls *lanes) join(key destination.Lane) *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[key]
	if l == nil {
		l = &lane{key: key, turn: make(chan struct{}, 1), bytes: laneOverhead, store: newStore(), seen: map[string]sighting{}}
		l.turn <- struct{}{}
		ls.all[key] = l
		ls.idle += l.bytes
	}
	if l.users == 0 {
		ls.idle -= l.bytes
	}
	l.users++
	return l
}

// release gives the lane to the next in line.
func (ls *lanes) release(l *lane) {
	bytes := laneOverhead + l.store.memory()
	ls.mu.Lock()
	l.bytes = bytes
	ls.mu.Unlock()
	l.turn <- struct{}{}
	ls.leave(l)
}

// leave forgets the least recently used idle lanes as long as they take more memory than they may.
func (ls *lanes) leave(l *lane) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.users--
	if l.users > 0 {
		return
	}
	ls.releases++
	l.used = ls.releases
	ls.idle += l.bytes
	for ls.idle > ls.max {
		oldest := ls.oldest()
		ls.idle -= oldest.bytes
		delete(ls.all, oldest.key)
	}
}

func (ls *lanes) oldest() *lane {
	var oldest *lane
	for _, l := range ls.all {
		if l.users == 0 && (oldest == nil || l.used < oldest.used) {
			oldest = l
		}
	}
	return oldest
}

// clear forgets the lanes that nobody uses.
func (ls *lanes) clear() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for key, l := range ls.all {
		if l.users == 0 {
			ls.idle -= l.bytes
			delete(ls.all, key)
		}
	}
}
