package gogit

import (
	"context"
	"sync"
)

// refCountedContext is a context that ends when the last of its holders has gone. Without that, a push for which nobody waits
// any more would go on.
type refCountedContext struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex // guards what follows
	refs int        // holders whose own context has not ended
}

// hold makes somebody whose own context is ctx a holder until that ends. stop is context.AfterFunc's: if it returns true, the
// holder has to leave. The caller holds mu.
func (r *refCountedContext) hold(ctx context.Context) (stop func() bool) {
	r.refs++
	return context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refs--; r.refs == 0 {
			r.cancel()
		}
	})
}

// leave takes a holder away whose own context has not ended. The shared context goes on even without holders: others may come.
func (r *refCountedContext) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs--
}
