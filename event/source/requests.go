package source

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
)

// Where somebody measures, the clients of a Watcher count what they ask the API server. They look
// at the answer alone: the bytes on the way are nobody's business here.

// The verbs of requests, and the classes of their answers, as attributes have them.
const (
	verbGet = iota
	verbList
	verbWatch // it is opened
	verbDiscover
)

var (
	verbs   = [...]string{"get", "list", "watch", "discover"}
	classes = [...]string{"2xx", "4xx", "5xx", "partial", "none"}
)

const (
	classOK      = iota
	classRefused // what the server says is the client's fault
	classServer  // its own
	classPartial // of discovery: some groups did not answer
	classNone    // no answer came, or it was not waited for
)

// requests are the numbers of those that have ended, by verb and class.
type requests [len(verbs)][len(classes)]atomic.Uint64

func (r *requests) ended(verb int, err error) { r[verb][classOf(err)].Add(1) }

func classOf(err error) int {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return classOK
	case discovery.IsGroupDiscoveryFailedError(err):
		return classPartial
	case errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError:
		return classServer
	case errors.As(err, &status) && status.Status().Code >= http.StatusBadRequest:
		return classRefused
	}
	return classNone
}

// countedClient returns a client that counts its requests.
func countedClient(c *Client, r *requests) *Client {
	return &Client{func(of schema.GroupVersionResource, namespace string) collection {
		return countedCollection{c.in(of, namespace), r}
	}}
}

type countedCollection struct {
	collection
	requests *requests
}

func (c countedCollection) list(ctx context.Context, opts metav1.ListOptions, f func(*object) error) (page, error) {
	got, err := c.collection.list(ctx, opts, f)
	c.requests.ended(verbList, err)
	return got, err
}

func (c countedCollection) get(ctx context.Context, name string, f func(*object)) error {
	err := c.collection.get(ctx, name, f)
	c.requests.ended(verbGet, err)
	return err
}

func (c countedCollection) watch(ctx context.Context, opts metav1.ListOptions) (apiwatch.Interface, error) {
	w, err := c.collection.watch(ctx, opts)
	c.requests.ended(verbWatch, err)
	return w, err
}

// countedDiscovery counts each question for all types as one request, though it may be several.
type countedDiscovery struct {
	Discovery
	requests *requests
}

// ServerGroupsAndResources implements Discovery.
func (c countedDiscovery) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	groups, lists, err := c.Discovery.ServerGroupsAndResources()
	c.requests.ended(verbDiscover, err)
	return groups, lists, err
}
