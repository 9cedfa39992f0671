package source

import (
	"context"
	"errors"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	clientrest "k8s.io/client-go/rest"
)

// maxObject is about the size from which an object is not read, in bytes of JSON. etcd takes no
// more than 1.5 MiB by default; an aggregated API server may have a storage of its own.
const maxObject = 16 << 20

// ErrTooLarge is matched by the error for an answer of the API server of which one object has more
// than 16 MiB. Its type cannot be followed.
var ErrTooLarge = errors.New("source: an object of the API server has more than 16 MiB")

// restClientFor returns a client for whatever path a request names. It has the content type of the
// dynamic client: JSON.
func restClientFor(config *clientrest.Config) (clientrest.Interface, error) {
	config = dynamic.ConfigFor(config)
	config.GroupVersion, config.APIPath = nil, "/each-request-has-an-absolute-path"
	return clientrest.UnversionedRESTClientFor(config)
}

// parameters writes options into the query of a URL.
var parameters = func() runtime.ParameterCodec {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, metav1.Unversioned)
	return runtime.NewParameterCodec(known)
}()

// restCollection is a collection of a REST client.
type restCollection struct {
	client    clientrest.Interface
	of        schema.GroupVersionResource
	namespace string
}

// path returns the path of the collection, or of one object of it.
func (c restCollection) path(name ...string) []string {
	path := []string{"api", c.of.Version}
	if c.of.Group != "" {
		path = []string{"apis", c.of.Group, c.of.Version}
	}
	if c.namespace != "" {
		path = append(path, "namespaces", c.namespace)
	}
	return append(append(path, c.of.Resource), name...)
}

func (c restCollection) ask(ctx context.Context, opts metav1.ListOptions) (io.ReadCloser, error) {
	return c.client.Get().AbsPath(c.path()...).
		SetHeader("Accept", "application/json").
		SpecificallyVersionedParams(&opts, parameters, metav1.Unversioned).
		Stream(ctx)
}

func (c restCollection) list(ctx context.Context, opts metav1.ListOptions, f func(*object) error) (page, error) {
	body, err := c.ask(ctx, opts)
	if err != nil {
		return page{}, err
	}
	defer body.Close()
	got, err := readList(body, f)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // what it has done to the body says less
	}
	return got, err
}

func (c restCollection) get(ctx context.Context, name string, f func(*object)) error {
	body, err := c.client.Get().AbsPath(c.path(name)...).SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(http.MaxBytesReader(nil, body, maxObject))
	if err != nil {
		return readError(err)
	}
	return withParsed(data, func(o *object) error { f(o); return nil })
}

func (c restCollection) watch(ctx context.Context, opts metav1.ListOptions) (apiwatch.Interface, error) {
	opts.Watch = true
	ctx, cancel := context.WithCancel(ctx)
	body, err := c.ask(ctx, opts)
	if err != nil {
		cancel()
		return nil, err
	}
	return newWatchStream(body, cancel), nil
}
