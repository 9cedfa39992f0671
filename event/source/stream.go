package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// streamKey identifies a stream: a type, read in one version, in one namespace or in all.
type streamKey struct {
	of        ruleset.Type
	namespace string
}

// stream lists and watches one type. Its goroutine alone delivers objects of its scope; the fields below the line are
// guarded by the ledger's mu.
type stream struct {
	watch  ruleset.Watch // its Coverage is below the line, too
	client dynamic.NamespaceableResourceInterface
	to     receiver
	lists  chan struct{} // a place in it is the right to list
	page   int64
	pause  pause

	initialEvents bool // listings come by watches
	paging        *paging
	broken        bool // its last listing by a watch broke off

	probing bool // it only asks whether the server allows it by now

	newest  string        // the newest version that it was told
	era     atomic.Uint64 // in which its listing began
	rewinds *rewinds

	anew  chan struct{}     // capacity 1: some of outdated, or everything, has to be listed again
	again atomic.Bool       // everything
	ahead map[string]string // of namespaces that are ahead of the watch, the resource version of their listing

	// ---
	begun    uint64 // the clock when the listing began
	complete bool   // the listing is complete, and the ledger has followed the watch since
	settled  bool   // the first listing has completed or failed
	err      error  // why it is not complete
	open     bool   // probing, it was allowed

	outdated map[string]struct{} // namespaces whose objects are matched otherwise now, and have to be listed again
	updating []string            // those of them that the running listing settles

	resend map[*target]uint64 // who gets everything of the next listing, and the clock when that was asked for
}

// receiver is what a stream delivers to. Calls come from the stream's goroutine.
type receiver interface {
	begin(s *stream)                                                                     // a listing begins
	object(ctx context.Context, s *stream, obj *unstructured.Unstructured, how arrival)  // it lives
	deleted(ctx context.Context, s *stream, obj *unstructured.Unstructured, how arrival) // it lives no more
	completed(ctx context.Context, s *stream)                                            // the listing is complete: what it did not deliver is dead
	outdated(s *stream) (namespaces []string, since uint64)                              // what has to be listed again, and the time, for relisted
	relisted(ctx context.Context, s *stream, namespace string, since uint64)             // it was: what was not delivered since is dead
	allowed(s *stream)                                                                   // a probing stream is allowed
	failed(s *stream, err error)                                                         // the stream stands still and will try again
}

// arrival says how a stream learnt of an object.
type arrival int

const (
	listed arrival = iota
	added
	modified
	removed
)

func (s *stream) key() streamKey { return streamKey{s.watch.Resource, s.watch.Namespace} }

func (s *stream) scope() event.Collection {
	t := s.watch.Resource
	return event.Collection{Group: t.Group, Resource: t.Resource, Namespace: s.watch.Namespace, All: s.watch.Namespace == ""}
}

func (s *stream) groupResource() schema.GroupResource { return groupResource(s.watch.Resource) }

func groupResource(t ruleset.Type) schema.GroupResource {
	return schema.GroupResource{Group: t.Group, Resource: t.Resource}
}

// refused tells whether the server denies the stream what it may allow in the single namespaces that it is there for. The
// caller holds the ledger's mu.
func (s *stream) refused() bool {
	return s.watch.Namespace == "" && apierrors.IsForbidden(s.err) &&
		slices.ContainsFunc(s.watch.Coverage, func(c ruleset.Coverage) bool { return c.Collection.Namespace != "" })
}

// outdates tells whether something of a coverage is outdated. The caller holds the ledger's mu.
func (s *stream) outdates(c ruleset.Coverage) bool {
	_, ok := s.outdated[c.Collection.Namespace]
	return ok || c.Collection.All && len(s.outdated) > 0
}

// standsStill tells whether nothing of the stream can be read at the moment. The caller holds the ledger's mu.
func (s *stream) standsStill() bool { return s.probing || !s.complete && s.err != nil }

// in returns the client for one namespace; "" is all of them, or cluster scope.
func (s *stream) in(namespace string) dynamic.ResourceInterface { return s.client.Namespace(namespace) }

func clientFor(client dynamic.Interface, t ruleset.Type) dynamic.NamespaceableResourceInterface {
	return client.Resource(schema.GroupVersionResource{Group: t.Group, Version: t.Version, Resource: t.Resource})
}

// run lists, then watches until it has to list again, until ctx ends.
func (s *stream) run(ctx context.Context) {
	if s.probing {
		s.probe(ctx)
		return
	}
	for ctx.Err() == nil {
		at, err := s.list(ctx)
		if err == nil {
			err = s.follow(ctx, at)
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errWentBack) || isFuture(err) {
			s.wentBack()
		}
		switch {
		case errors.Is(err, errAgain):
			continue
		case gone(err), isFuture(err), errors.Is(err, errWentBack):
			s.pause.unlessFirst(ctx, err)
			continue
		}
		s.to.failed(s, err)
		s.pause.rest(ctx, err)
	}
}

// gone tells whether the server has forgotten the resource version: only a new listing helps, and it helps at once.
func gone(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// errExpired is returned by a listing whose continue token expired, again and again.
var errExpired = errors.New("the continue token expired before the listing was complete")

// list delivers a whole listing and returns where the watch goes on. A listing that breaks off in the middle is begun anew
// and never completed from what there was: half a listing looks like a mass deletion.
func (s *stream) list(ctx context.Context) (at place, err error) {
	for range 3 {
		at, err = s.listOnce(ctx)
		if err == nil {
			if older(at.version, s.newest) {
				return place{}, errWentBack
			}
			s.saw(at.version)
			s.to.completed(ctx, s)
			return at, nil
		}
		if !gone(err) {
			return place{}, err
		}
	}
	return place{}, fmt.Errorf("%w: %w", errExpired, &notGone{err})
}

// pages delivers a listing page by page.
func (s *stream) pages(ctx context.Context) (place, error) {
	s.begin()
	asked := time.Now()
	version, err := eachPage(ctx, s.lists, s.in(s.watch.Namespace), s.page, func(items []unstructured.Unstructured) error {
		for i := range items {
			s.to.object(ctx, s, &items[i], listed)
		}
		return ctx.Err()
	})
	return place{version: version, asked: asked}, err
}

func (s *stream) begin() {
	s.again.Store(false)
	s.era.Store(s.rewinds.era.Load())
	s.to.begin(s)
	clear(s.ahead)
}

// notGone hides the status of an error, so that run pauses on it.
type notGone struct{ err error }

// Error implements error.
func (e *notGone) Error() string { return e.err.Error() }

// place is where a listing ends and a watch goes on.
type place struct {
	version string
	watch   apiwatch.Interface // stands there; nil: it has to be opened
	asked   time.Time          // when the listing was, until a watch has been open
}

// follow watches from a place on, reconnecting where it left off, until the server has forgotten where that was or
// refuses.
func (s *stream) follow(ctx context.Context, at place) error {
	for ctx.Err() == nil {
		if s.again.Load() || s.doubted() {
			return errAgain
		}
		from := at.version
		lived, err := s.watchOnce(ctx, &at)
		if at.version != from || lived >= maxPause {
			s.pause.reset()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !transient(err):
			return err
		case err != nil:
			s.to.failed(s, err)
			s.pause.rest(ctx, err)
		case lived < time.Second: // a server that closes at once must not be asked in a tight loop
			s.pause.rest(ctx, nil)
		}
	}
	return ctx.Err()
}

// watchOnce delivers what one watch sends, moves the place along, and returns how long the watch
// was open. One that was open before its place was known needs no verifying, nor does one that
// follows its listing at once.
func (s *stream) watchOnce(ctx context.Context, at *place) (time.Duration, error) {
	w, asked := at.watch, at.asked
	at.watch, at.asked = nil, time.Time{}
	verify := w == nil
	if w == nil {
		var err error
		opts := watchOptions()
		opts.ResourceVersion = at.version
		// A connection that has gone silent is not waited for: the server's own end of the watch would not arrive either.
		open, cancel := context.WithTimeout(ctx, time.Duration(*opts.TimeoutSeconds)*time.Second+watchGrace)
		defer cancel()
		if w, err = s.in(s.watch.Namespace).Watch(open, opts); err != nil {
			return 0, err
		}
	}
	defer w.Stop()
	began := time.Now()
	if verify && began.Sub(asked) > fastestRestore {
		if err := s.verify(ctx); err != nil {
			return time.Since(began), err
		}
	}
	err := s.deliver(ctx, w, &at.version)
	return time.Since(began), err
}

// watchGrace is for how long a watch is waited for after its server should have ended it.
const watchGrace = 30 * time.Second

func watchOptions() metav1.ListOptions {
	timeout := int64(300 + rand.N(300)) // seconds; reflectors spread their reconnects the same way
	return metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: &timeout}
}

// relist is an error after which everything has to be listed, although a watch could go on.
type relist struct{ error }

// Unwrap lets errors.Is and errors.As see the cause.
func (e *relist) Unwrap() error { return e.error }

// transient tells whether a watch that could not be opened may be opened later from the same version: what is known of
// the cluster is old then, not wrong.
func transient(err error) bool {
	var list *relist
	return !errors.As(err, &list) && !gone(err) && !isFuture(err) && !errors.Is(err, errWentBack) && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) && !apierrors.IsNotFound(err) &&
		!apierrors.IsMethodNotSupported(err)
}

// deliver hands over what a watch sends until it ends. It moves version along.
func (s *stream) deliver(ctx context.Context, w apiwatch.Interface, version *string) error {
	for {
		var e apiwatch.Event
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.anew:
			if err := s.listAnew(ctx); err != nil {
				return &relist{err}
			}
			continue
		case next, ok := <-w.ResultChan():
			if !ok {
				return nil
			}
			e = next
		}
		if e.Type == apiwatch.Error {
			return apierrors.FromObject(e.Object)
		}
		obj, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			return &relist{fmt.Errorf("the watch sent a %T", e.Object)}
		}
		if older(obj.GetResourceVersion(), *version) {
			return errWentBack
		}
		switch {
		case s.stale(obj):
		case e.Type == apiwatch.Added:
			s.to.object(ctx, s, obj, added)
		case e.Type == apiwatch.Modified:
			s.to.object(ctx, s, obj, modified)
		case e.Type == apiwatch.Deleted:
			s.to.deleted(ctx, s, obj, removed)
		}
		*version = obj.GetResourceVersion()
		s.saw(*version)
	}
}
