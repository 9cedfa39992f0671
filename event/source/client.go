package source

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	clientrest "k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/ruleset"
)

// Client reads the objects of a cluster. NewClient makes the one for production, FromDynamic one
// for tests with a fake. It may be used concurrently.
type Client struct {
	// in returns a type, in one namespace or, with "", in all.
	in func(of schema.GroupVersionResource, namespace string) collection
}

// NewClient returns a Client that reads with client-go's REST client: authentication, TLS, warnings
// and the answers of Priority and Fairness are as in every client of the config. Lists and watches
// are read as they arrive, one object at a time. config is not changed.
func NewClient(config *clientrest.Config) (*Client, error) {
	client, err := restClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("source: NewClient: %w", err)
	}
	return &Client{func(of schema.GroupVersionResource, namespace string) collection {
		return restCollection{client, of, namespace}
	}}, nil
}

// FromDynamic returns a Client that reads with a dynamic one, as a fake is. It takes several times
// the CPU and the memory of NewClient, since each page is decoded into maps.
func FromDynamic(client dynamic.Interface) *Client {
	return &Client{func(of schema.GroupVersionResource, namespace string) collection {
		return dynamicCollection{client.Resource(of).Namespace(namespace)}
	}}
}

// collection is how the objects of a type, in one namespace or in all, are asked for.
type collection interface {
	// list asks for a page and hands over its objects one by one, while they arrive. An object is
	// valid until f returns. An error of f ends the page.
	list(ctx context.Context, opts metav1.ListOptions, f func(*object) error) (page, error)
	// get hands over one object.
	get(ctx context.Context, name string, f func(*object)) error
	// watch opens a watch. Its events have an object that read understands.
	watch(ctx context.Context, opts metav1.ListOptions) (apiwatch.Interface, error)
}

// page is what a page says beside its objects.
type page struct {
	next    string // the token for the next one; "": it is the last
	version string // of the listing
}

// clientFor returns the collection of a type, in one namespace or in all.
func clientFor(c *Client, t ruleset.Type, namespace string) collection {
	return c.in(schema.GroupVersionResource{Group: t.Group, Version: t.Version, Resource: t.Resource}, namespace)
}

// dynamicCollection is a collection of a dynamic client.
type dynamicCollection struct{ of dynamic.ResourceInterface }

func (c dynamicCollection) list(ctx context.Context, opts metav1.ListOptions, f func(*object) error) (page, error) {
	list, err := c.of.List(ctx, opts)
	if err != nil {
		return page{}, err
	}
	for i := range list.Items {
		if err := withLoaded(list.Items[i].Object, f); err != nil {
			return page{}, err
		}
		list.Items[i].Object = nil
	}
	return page{list.GetContinue(), list.GetResourceVersion()}, nil
}

func (c dynamicCollection) get(ctx context.Context, name string, f func(*object)) error {
	obj, err := c.of.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return withLoaded(obj.Object, func(o *object) error { f(o); return nil })
}

func (c dynamicCollection) watch(ctx context.Context, opts metav1.ListOptions) (apiwatch.Interface, error) {
	return c.of.Watch(ctx, opts)
}
