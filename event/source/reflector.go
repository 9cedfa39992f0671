package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/ruleset"
)

// reflector lists and watches one type, in one namespace or in all. It belongs to one goroutine,
// which alone delivers objects of its namespaces. It keeps no objects and shares no state: all that
// it reads goes to its handler.
type reflector struct {
	of        ruleset.Type
	namespace string // "": all, or cluster scope
	client    *Client
	handler   handler
	wake      <-chan struct{} // something is due
	lists     chan struct{}   // a place in it is the right to list
	page      int64
	pause     pause
	meters    *meters
	tracer    *spans.Tracer
	origins   *origins

	initialEvents bool // listings come by watches
	paging        *paging
	broken        bool // its last listing by a watch broke off

	newest string // the newest resource version that it was told
	// listedAt has the resource version of the last relist of a namespace. The watch's events at or
	// below it are skipped.
	listedAt map[string]string
}

// handler takes what a reflector reads. Calls come from the reflector's goroutine.
type handler interface {
	// began is called when a listing of everything begins.
	began() listing
	// upsert delivers an object that lives, delete one that does not.
	upsert(ctx context.Context, obj *object, how arrival)
	delete(ctx context.Context, obj *object, how arrival)
	// listed is called when a listing is complete: what it did not deliver is dead.
	listed(ctx context.Context, li listing)
	// due returns what has to be listed again.
	due() (everything bool, single []listing)
	// failed is called when the reflector stands still, or finds that the server's clock went back.
	failed(err error)
	// follows is called when a watch is open that goes on where an earlier one ended.
	follows()
}

// in returns the collection of one namespace; "" is all of them, or cluster scope.
func (r *reflector) in(namespace string) collection { return clientFor(r.client, r.of, namespace) }

// errRelist ends a watch whose reflector has to list everything once more.
var errRelist = errors.New("everything is to be listed again")

// run lists, then watches until it has to list again, until ctx ends.
func (r *reflector) run(ctx context.Context) {
	for ctx.Err() == nil {
		at, err := r.list(ctx)
		if err == nil {
			err = r.follow(ctx, at)
		}
		if ctx.Err() != nil {
			return
		}
		if wentBack(err) {
			r.newest = ""
			r.handler.failed(err)
		}
		switch {
		case errors.Is(err, errRelist):
		case gone(err), wentBack(err):
			r.pause.unlessFirst(ctx, err)
		default:
			r.handler.failed(err)
			r.pause.rest(ctx, err)
		}
	}
}

// gone reports whether the server has forgotten the resource version: only a new listing helps, and
// it helps at once.
func gone(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// errExpired is returned by a listing whose continue token expired, again and again.
var errExpired = errors.New("the continue token expired before the listing was complete")

// resumePoint is where a listing ends and a watch goes on.
type resumePoint struct {
	version string
	watch   apiwatch.Interface // stands there; nil: it has to be opened
	asked   time.Time          // when the listing was, until a watch has been open
}

// list delivers a whole listing and returns where the watch goes on. A listing that breaks off in
// the middle is begun anew and never completed from what there was: half a listing looks like a
// mass deletion.
func (r *reflector) list(ctx context.Context) (at resumePoint, err error) {
	for range 3 {
		var li listing
		inside, of := r.look(ctx, listsCollection, r.namespace)
		li, at, err = r.listOnce(inside)
		if err == nil {
			err = r.compare(at.version)
		}
		of.ended(ctx, err)
		if err == nil {
			r.handler.listed(ctx, li)
			return at, nil
		}
		if !gone(err) {
			return resumePoint{}, err
		}
	}
	return resumePoint{}, fmt.Errorf("%w: %w", errExpired, &notGone{err})
}

// pages delivers a listing page by page.
func (r *reflector) pages(ctx context.Context) (listing, resumePoint, error) {
	li := r.begin()
	asked := time.Now()
	version, err := eachPage(ctx, r.lists, r.in(r.namespace), r.page, func(obj *object) error {
		r.handler.upsert(ctx, obj, listed)
		return ctx.Err()
	})
	return li, resumePoint{version: version, asked: asked}, err
}

func (r *reflector) begin() listing {
	clear(r.listedAt)
	return r.handler.began()
}

// notGone hides the status of an error, so that run pauses on it.
type notGone struct{ err error }

// Error implements error.
func (e *notGone) Error() string { return e.err.Error() }

// follow watches from a point on, reconnecting where it left off, until the server has forgotten
// where that was or refuses.
func (r *reflector) follow(ctx context.Context, at resumePoint) error {
	for ctx.Err() == nil {
		if everything, _ := r.handler.due(); everything {
			return errRelist
		}
		from := at.version
		lived, err := r.watch(ctx, &at)
		if at.version != from || lived >= maxPause {
			r.pause.reset()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !transient(err):
			return err
		case err != nil:
			r.handler.failed(err)
			r.pause.rest(ctx, err)
		case lived < time.Second: // a server that closes at once must not be asked in a tight loop
			r.pause.rest(ctx, nil)
		}
	}
	return ctx.Err()
}

// watch is watchOnce, in the eyes of who measures and traces.
func (r *reflector) watch(ctx context.Context, at *resumePoint) (time.Duration, error) {
	inside, span := r.tracer.Root(ctx, "kubescribe.watch")
	if span.Traced() {
		span.Set(spans.Resource.String(groupResource(r.of).String()), spans.Namespace.String(r.namespace))
	}
	r.origins.note(r.of, r.namespace, span, false)
	lived, err := r.watchOnce(inside, at)
	outcome := outcomeOf(ctx, err)
	r.meters.watched(outcome)
	span.End(outcome, failure(outcome))
	return lived, err
}

// watchOnce delivers what one watch sends, moves the point along, and returns how long the watch
// was open. One that was open before its point was known needs no verifying, nor does one that
// follows its listing at once.
func (r *reflector) watchOnce(ctx context.Context, at *resumePoint) (time.Duration, error) {
	w, asked := at.watch, at.asked
	at.watch, at.asked = nil, time.Time{}
	verify := w == nil
	if w == nil {
		var err error
		opts := watchOptions()
		opts.ResourceVersion = at.version
		// A connection that has gone silent is not waited for: the server's own end of the watch
		// would not arrive either.
		open, cancel := context.WithTimeout(ctx, time.Duration(*opts.TimeoutSeconds)*time.Second+watchGrace)
		defer cancel()
		if w, err = r.in(r.namespace).watch(open, opts); err != nil {
			return 0, err
		}
	}
	defer w.Stop()
	began := time.Now()
	if verify && began.Sub(asked) > fastestRestore {
		if err := r.verify(ctx); err != nil {
			return time.Since(began), err
		}
	}
	if verify {
		r.handler.follows()
	}
	err := r.deliver(ctx, w, &at.version)
	return time.Since(began), err
}

// watchGrace is for how long a watch is waited for after its server should have ended it.
const watchGrace = 30 * time.Second

func watchOptions() metav1.ListOptions {
	timeout := int64(300 + rand.N(300)) // seconds, spread as by client-go's reflectors
	return metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: &timeout}
}

// startOver is an error after which everything has to be listed, although a watch could go on.
type startOver struct{ error }

// Unwrap lets errors.Is and errors.As see the cause.
func (e *startOver) Unwrap() error { return e.error }

// transient reports whether a watch that could not be opened may be opened later from the same
// version: what is known of the cluster is old then, not wrong.
func transient(err error) bool {
	var list *startOver
	return !errors.As(err, &list) && !gone(err) && !wentBack(err) && !apierrors.IsForbidden(err) &&
		!apierrors.IsUnauthorized(err) && !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err)
}

// deliver hands over what a watch sends until it ends. It moves version along.
func (r *reflector) deliver(ctx context.Context, w apiwatch.Interface, version *string) error {
	for {
		var e apiwatch.Event
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
			if err := r.relist(ctx); err != nil {
				return &startOver{err}
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
		err := with(e.Object, func(obj *object) error { return r.hear(ctx, e.Type, obj, version) })
		switch {
		case errors.Is(err, errNoObject): // it may have been a delete
			return &startOver{err}
		case err != nil:
			return err
		}
	}
}

// hear hands over what one event of a watch says.
func (r *reflector) hear(ctx context.Context, kind apiwatch.EventType, obj *object, version *string) error {
	if older(obj.version, *version) {
		return errWentBack
	}
	switch {
	case r.overtaken(obj):
	case kind == apiwatch.Added:
		r.handler.upsert(ctx, obj, added)
	case kind == apiwatch.Modified:
		r.handler.upsert(ctx, obj, modified)
	case kind == apiwatch.Deleted:
		r.handler.delete(ctx, obj, removed)
	}
	*version = obj.version
	r.saw(obj.version)
	return nil
}
