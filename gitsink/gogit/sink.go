package gogit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/queue"
)

// Sink is a gitsink.GitSink on go-git. Its contract is the package comment. Make one with New.
type Sink struct {
	opts     Options
	meters   *meters
	tracer   *spans.Tracer
	freshFor time.Duration // freshAnswer
	lanes    *lanes
	limits   *rateLimits
	https    *smart.HTTP
	caps     cachedCaps
	contacts contacts
	asker    *asker

	workers sync.WaitGroup // of the lanes
	closing context.Context
	close   context.CancelFunc
}

var _ gitsink.GitSink = (*Sink)(nil)

// New makes a Sink. It opens nothing; close it all the same.
func New(opts *Options) *Sink {
	o := opts.withDefaults()
	s := &Sink{
		opts: o, freshFor: freshAnswer, lanes: newLanes(o.CacheBytes), limits: newRateLimits(), https: smart.NewHTTP(o.Transport),
		caps: cachedCaps{all: map[capsKey]*knownCaps{}},
	}
	s.meters, s.tracer = newMeters(&s.opts), spans.New(o.TracerProvider, scope)
	s.asker = &asker{opts: &s.opts, left: leftovers{counts: map[destination.Ref]int{}}}
	s.contacts = newContacts(&s.opts, s.workers.Go)
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// closeWait is longer than anything takes that heeds its context.
const closeWait = 15 * time.Second

// Close ends what is under way, forgets all lanes and closes idle connections. What does not end
// within 15 seconds is left behind, and so is an Auth, Signer or RateLimit that was before and
// still goes on: then the error matches queue.ErrLeftBehind.
func (s *Sink) Close() error {
	s.close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.workers.Wait()
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	var err error
	select {
	case <-ended:
	case <-timer.C:
		err = fmt.Errorf("gogit: Close: something goes on after %s: %w", closeWait, queue.ErrLeftBehind)
	}
	if n := s.asker.left.all(); n > 0 && err == nil {
		err = fmt.Errorf("gogit: Close: %d questions to Options go on: %w", n, queue.ErrLeftBehind)
	}
	s.lanes.clear()
	s.https.Close()
	return errors.Join(err, s.meters.end())
}

// errClosed is what is left of a call that comes after Close, and of a plan that runs then.
var errClosed = errors.New("the sink is closed")
