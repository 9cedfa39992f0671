package clustertest

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// FaultRequest is a request as a hook of [Cluster.Fail] sees it.
type FaultRequest struct {
	// Verb is the verb of RBAC: get, list, watch, create, update, patch, delete or
	// deletecollection. It is "discover" for /api, /apis and the documents below; Resource then has
	// group and version at most.
	Verb        string
	Resource    schema.GroupVersionResource
	Subresource string
	Namespace   string
	Name        string
	// of list, watch and deletecollection; with the continue token and resourceVersion
	Options metav1.ListOptions
	Page    int // of a list: 1 without a continue token
}

// Fault is what goes wrong with a request. The zero value changes nothing.
type Fault struct {
	// Hold delays the request until it is closed, the client gives up or the cluster is closed.
	Hold <-chan struct{}
	// Error is the answer. An error of k8s.io/apimachinery/pkg/api/errors is sent with its Status,
	// any other error is a 500. A Status with RetryAfterSeconds sends Retry-After: client-go then
	// waits and asks again by itself.
	Error error
	// Drop breaks the connection without an answer. client-go and net/http repeat a read after
	// that.
	Drop bool
	// Cut breaks the connection in the middle of the answer. It has no effect on a watch. client-go
	// does not repeat a request after that.
	Cut bool
	// AfterEvents is the number of events that a watch sends before the fault. Error is then an
	// ERROR event; without Error and Drop the watch ends as if its time was over. Default: 0, the
	// request fails at once.
	AfterEvents int
	// Short is the number of objects after which a page of a list ends, whatever limit the client
	// asked for. A continue token leads to the rest, as a server may do. Default: 0, the page is as
	// long as was asked for.
	Short int
}

type hook struct {
	decide func(FaultRequest) *Fault
}

// Fail has decide name the fault of each request, nil for none, until remove is called. If there
// are several hooks, the first installed one that names a fault wins. Hooks are called
// concurrently, before the request touches the store. They may call all methods of the Cluster but
// Close.
func (c *Cluster) Fail(decide func(FaultRequest) *Fault) (remove func()) {
	h := &hook{decide}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(slices.Clone(c.hooks), h) // faultFor iterates over the slice without the lock
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hooks = slices.DeleteFunc(slices.Clone(c.hooks), func(other *hook) bool { return other == h })
	}
}

type requestKey struct {
	verb     string
	resource schema.GroupResource
}

// Requests returns the number of requests so far with this verb for this type, failed ones
// included. The verbs are those of [FaultRequest].
func (c *Cluster) Requests(verb string, gr schema.GroupResource) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[requestKey{verb, gr}]
}

// faultFor counts the request and asks the hooks.
func (c *Cluster) faultFor(req FaultRequest) *Fault {
	c.mu.Lock()
	c.requests[requestKey{req.Verb, req.Resource.GroupResource()}]++
	hooks := c.hooks
	c.mu.Unlock()
	for _, h := range hooks {
		if f := h.decide(req); f != nil {
			return f
		}
	}
	return nil
}

// hold waits as the fault demands, and reports whether the client still waits for its answer.
func (f *Fault) hold(ctx context.Context) bool {
	if f == nil || f.Hold == nil {
		return true
	}
	select {
	case <-f.Hold:
		return true
	case <-ctx.Done():
		return false
	}
}

// halved keeps an answer back in order to send half of it.
type halved struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write implements io.Writer.
func (h *halved) Write(data []byte) (int, error) { return h.body.Write(data) }

// breakOff sends the first half and breaks the connection.
func (h *halved) breakOff() {
	h.Header().Del("Content-Length")
	_, _ = h.ResponseWriter.Write(h.body.Bytes()[:h.body.Len()/2]) // the connection ends anyway
	_ = http.NewResponseController(h.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// ExpireWatches ends the running watches of a type with an ERROR event 410 Expired, once they have
// sent the events so far.
func (c *Cluster) ExpireWatches(gr schema.GroupResource) { c.order(gr, watch.Error) }

// CutWatches breaks the connections of the running watches of a type, once they have sent the
// events so far.
func (c *Cluster) CutWatches(gr schema.GroupResource) { c.order(gr, breakWatch) }

// Bookmark sends a bookmark to the running watches of a type that allow bookmarks, after the events
// so far.
func (c *Cluster) Bookmark(gr schema.GroupResource) { c.order(gr, watch.Bookmark) }

func (c *Cluster) order(gr schema.GroupResource, kind watch.EventType) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.resources[gr]; r != nil {
		r.log.append(entry{kind: kind, version: c.version})
	}
}

// Compact forgets the history: every resourceVersion and continue token handed out so far is
// answered with 410. A running watch that has sent everything goes on; any other ends with 410.
func (c *Cluster) Compact() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.snapshots = nil
	for _, r := range c.resources {
		r.log.forget(c.version)
	}
}
