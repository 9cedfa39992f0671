package source

import (
	"context"
	"errors"
	"sync"
	"time"
)

// rooms waits until any of several targets has room in the queue. It belongs to the goroutine of a
// walk. Its own goroutines have ended when end returns.
type rooms struct {
	walk    *walk
	ctx     context.Context // of the goroutines
	cancel  context.CancelFunc
	group   sync.WaitGroup
	awaited map[*target]bool
	found   chan found
}

// found is the answer for one target.
type found struct {
	to  *target
	err error
}

// errNoRoom says that nobody had room for too long.
var errNoRoom = errors.New("no target has room")

func newRooms(ctx context.Context, k *walk) *rooms {
	r := &rooms{walk: k, awaited: map[*target]bool{}, found: make(chan found)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

func (r *rooms) end() {
	r.cancel()
	r.group.Wait()
}

// await adds targets to those that are waited for.
func (r *rooms) await(targets []*target) {
	for _, to := range targets {
		if r.awaited[to] {
			continue
		}
		r.awaited[to] = true
		r.group.Go(func() {
			err := r.walk.out.Room(r.ctx, to.destination)
			select {
			case r.found <- found{to, err}:
			case <-r.ctx.Done():
			}
		})
	}
}

// wait returns when one has room, or somebody has joined the walk. It returns errNoRoom if late
// comes first; a nil channel never does.
func (r *rooms) wait(ctx context.Context, late <-chan time.Time) error {
	select {
	case f := <-r.found:
		delete(r.awaited, f.to)
		return f.err
	case <-r.walk.joined:
		return nil
	case <-late:
		return errNoRoom
	case <-ctx.Done():
		return ctx.Err()
	}
}
