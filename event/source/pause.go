package source

import (
	"context"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The bounds of the pause after a failure.
const (
	minPause = 500 * time.Millisecond
	maxPause = time.Minute
)

// pause doubles with each failure in a row, until a watch has delivered something. A listing does
// not end the row: a server that allows to list a type but not to watch it would have to list it
// all the time. The zero value is ready.
type pause struct{ next time.Duration }

func (p *pause) reset() { p.next = 0 }

// rest waits until ctx ends or it is time to ask again after err, which may be nil.
func (p *pause) rest(ctx context.Context, err error) {
	p.next = max(p.next, minPause)
	restAfter(ctx, p.next, err)
	p.next = min(2*p.next, maxPause)
}

// unlessFirst rests only if the failure before was answered in the same way. A new listing after
// 410 helps at once, but not the second one in a row.
func (p *pause) unlessFirst(ctx context.Context, err error) {
	if p.next == 0 {
		p.next = minPause
		return
	}
	p.rest(ctx, err)
}

// restAfter rests for d, or for as long as the server asks for if that is longer. client-go has
// obeyed a Retry-After ten times by then; but an error that comes as an event of a watch it only
// hands on.
func restAfter(ctx context.Context, d time.Duration, err error) {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		if asked := time.Duration(seconds) * time.Second; asked*4 > d*3 {
			// Rest may take off a quarter of what the server asked for.
			d = asked*4/3 + time.Millisecond
		}
	}
	rest(ctx, d)
}

// rest waits for d, more or less a quarter, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d*3/4 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
