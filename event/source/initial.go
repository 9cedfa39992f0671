package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// A watch with sendInitialEvents sends all objects first and then goes on: a listing and a watch in
// one. Only one object at a time is in memory. A page has 250, each up to 1 MiB, and is in memory
// twice while it is decoded. Servers that do not know sendInitialEvents are asked for pages.

// The bounds of a listing by a watch. A server that ignores sendInitialEvents may send objects, but
// never the bookmark that ends them.
const (
	openTimeout    = time.Minute      // until the watch is open
	initialTimeout = 10 * time.Second // until the next initial event
	initialBound   = 5 * time.Minute  // until the last one
	pagingTime     = time.Hour        // for which such a server is asked for pages
)

var (
	errNoInitialEvents = errors.New("the server sends no initial events")
	errBrokenOff       = errors.New("the watch did not open, or broke off, before all initial events were there")
)

// paging remembers which API groups have to be listed in pages. Each group is served by one server.
// The API server itself serves the core group and nearly all the others. So if the core group needs
// pages, all are listed in pages: that is never wrong, and to try each group would cost time.
type paging struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *paging) needed(group string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return now.Before(p.until[group]) || now.Before(p.until[""])
}

func (p *paging) remember(group string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	p.until[group] = time.Now().Add(pagingTime)
}

// listOnce delivers a listing, in the way that the server can.
func (r *reflector) listOnce(ctx context.Context) (listing, resumePoint, error) {
	if !r.initialEvents || r.broken || r.paging.needed(r.of.Group) {
		li, at, err := r.pages(ctx)
		r.broken = r.broken && err != nil
		return li, at, err
	}
	li, at, err := r.initial(ctx)
	if errors.Is(err, errNoInitialEvents) && ctx.Err() == nil {
		r.paging.remember(r.of.Group)
		return r.pages(ctx)
	}
	// It may break off each time, if there is more than fits into its time. Pages come next, once.
	r.broken = errors.Is(err, errBrokenOff)
	return li, at, err
}

// initial delivers a listing by a watch, which stays open. The unset resource version asks for a
// consistent read, see eachPage.
func (r *reflector) initial(ctx context.Context) (li listing, at resumePoint, err error) {
	leave, err := enter(ctx, r.lists)
	if err != nil {
		return listing{}, resumePoint{}, err
	}
	defer leave()
	li = r.begin()
	yes, opts := true, watchOptions()
	opts.SendInitialEvents, opts.ResourceVersionMatch = &yes, metav1.ResourceVersionMatchNotOlderThan
	open, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(openTimeout, cancel) // a server may answer with the first event
	w, err := r.in(r.namespace).watch(open, opts)
	if !late.Stop() && ctx.Err() == nil {
		// client-go may have waited for a busy server, so nothing is known of what it can do.
		err = errBrokenOff
	}
	if err == nil {
		at = resumePoint{watch: &cancelled{w, cancel}}
		if at.version, err = r.initialListing(ctx, w); err == nil {
			return li, at, nil
		}
	}
	if w != nil {
		w.Stop()
	}
	cancel()
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) {
		err = fmt.Errorf("%w: %w", errNoInitialEvents, err)
	}
	return li, resumePoint{}, err
}

// cancelled is a watch whose context ends with it.
type cancelled struct {
	apiwatch.Interface
	cancel context.CancelFunc
}

// Stop implements the Interface of watches.
func (c *cancelled) Stop() {
	c.Interface.Stop()
	c.cancel()
}

// initialListing delivers objects until the bookmark that ends the listing, and returns the
// resource version of the bookmark: there the watch goes on. Changes of the meantime may come
// before it.
func (r *reflector) initialListing(ctx context.Context, w apiwatch.Interface) (version string, err error) {
	quiet, bound := time.NewTimer(initialTimeout), time.NewTimer(initialBound)
	defer quiet.Stop()
	defer bound.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-quiet.C:
			return "", errNoInitialEvents
		case <-bound.C:
			return "", errBrokenOff
		case e, ok := <-w.ResultChan():
			if !ok {
				return "", errBrokenOff
			}
			if version, err = r.initialEvent(ctx, e); version != "" || err != nil {
				return version, err
			}
			if e.Type == apiwatch.Added { // other events are no sign that the listing goes on
				quiet.Reset(initialTimeout)
			}
		}
	}
}

// initialEvent delivers one event. It returns a resource version if that was the last one.
func (r *reflector) initialEvent(ctx context.Context, e apiwatch.Event) (version string, err error) {
	if e.Type == apiwatch.Error {
		return "", apierrors.FromObject(e.Object)
	}
	err = with(e.Object, func(obj *object) error {
		switch e.Type {
		case apiwatch.Added:
			r.handler.upsert(ctx, obj, listed)
		case apiwatch.Modified:
			r.handler.upsert(ctx, obj, modified)
		case apiwatch.Deleted:
			r.handler.delete(ctx, obj, removed)
		case apiwatch.Bookmark:
			if obj.text("metadata", "annotations", metav1.InitialEventsAnnotationKey) == "true" {
				version = obj.version
			}
		}
		return nil
	})
	return version, err
}
