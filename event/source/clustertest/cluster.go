package clustertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Options changes what [New] makes. The zero value is fine.
type Options struct {
	// KubeSystemUID is the UID of the namespace kube-system, by which clusters are commonly told
	// apart. Default: random.
	KubeSystemUID types.UID
	// Scheme has the types that the cluster also serves in protobuf, such as client-go's
	// kubernetes/scheme. Some generated clients accept nothing else. Default: none; protobuf is
	// refused.
	Scheme *runtime.Scheme
	// Seed decides the order wherever the API promises none: of groups and resources in discovery,
	// of the items of a page, of the fields of an object. Default: random; [Cluster.Seed] returns
	// it.
	Seed uint64

	// BookmarkInterval is the time between the bookmarks of a watch that allows them. Default: one
	// minute.
	BookmarkInterval time.Duration
	// History is the number of newest events that each type keeps. A watch cannot start before
	// them. Default: 100,000.
	History int
	// IgnoreSendInitialEvents makes watches those of a server that does not know sendInitialEvents:
	// the bookmark that ends the initial events never comes. Default: false.
	IgnoreSendInitialEvents bool
	// LegacyDiscovery makes discovery that of servers before 1.27, which have no aggregated
	// document. Default: false.
	LegacyDiscovery bool
}

// Cluster is a running API server. New makes one, Close ends it.
type Cluster struct {
	options Options
	url     string
	server  *http.Server
	stop    context.CancelFunc
	stopped chan struct{} // closed when the listener's goroutine is gone
	// inFlight is held for reading by each request; Close takes it for writing to wait for them
	// all.
	inFlight sync.RWMutex

	mu          sync.Mutex // guards all below, and what the resources hold
	version     uint64     // the newest resourceVersion
	resources   map[schema.GroupResource]*resource
	preferred   map[string]string // group: version, where SetPreferredVersion was called
	snapshots   []snapshot        // of lists that have pages left, oldest first
	terminating map[string]bool   // namespaces that wait for their content to go
	hooks       []*hook
	requests    map[requestKey]int
	random      *rand.Rand
	// silentFuture: a watch from a resourceVersion that is not reached yet opens, and sends nothing
	// until then. Otherwise it is refused.
	silentFuture bool
}

// New starts a cluster on a free port of the loopback interface. Nil options mean the defaults. It
// panics if no port is free, as net/http/httptest does.
func New(opts *Options) *Cluster {
	c := &Cluster{
		stopped:     make(chan struct{}),
		resources:   map[schema.GroupResource]*resource{},
		preferred:   map[string]string{},
		terminating: map[string]bool{},
		requests:    map[requestKey]int{},
	}
	if opts != nil {
		c.options = *opts
	}
	if c.options.BookmarkInterval <= 0 {
		c.options.BookmarkInterval = time.Minute
	}
	if c.options.History <= 0 {
		c.options.History = 100_000
	}
	for c.options.Seed == 0 {
		c.options.Seed = rand.Uint64()
	}
	c.random = rand.New(rand.NewPCG(c.options.Seed, 0))
	c.fill()
	c.listen()
	return c
}

// fill registers the built-in types and creates the first namespaces.
func (c *Cluster) fill() {
	for i := range builtins {
		c.register(&builtins[i])
	}
	for _, name := range []string{"kube-system", "kube-public", "kube-node-lease", "default"} {
		namespace := &unstructured.Unstructured{}
		namespace.SetAPIVersion("v1")
		namespace.SetKind("Namespace")
		namespace.SetName(name)
		if name == "kube-system" {
			namespace.SetUID(c.options.KubeSystemUID)
		}
		if _, err := c.create(c.resources[namespaces], namespace, write{manager: "kube-apiserver", direct: true}); err != nil {
			panic(fmt.Sprintf("clustertest: namespace %s: %v", name, err))
		}
	}
}

func (c *Cluster) listen() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("clustertest: no port to listen on: %v", err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.url = "http://" + listener.Addr().String()
	c.stop = cancel
	c.server = &http.Server{
		Handler:           c.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(c.stopped)
		_ = c.server.Serve(listener) // always returns ErrServerClosed after Close
	}()
}

func (c *Cluster) handler() http.Handler {
	if c.options.Scheme == nil {
		return http.HandlerFunc(c.handle)
	}
	codec := newProtobufCodec(c.options.Scheme)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { codec.serve(w, r, c.handle) })
}

// Close breaks all connections, ends all watches, and returns when no request is running any more.
// A second call does nothing.
func (c *Cluster) Close() {
	c.stop()
	_ = c.server.Close() // its only error is the listener's, which is not used again
	<-c.stopped
	c.inFlight.Lock()
	defer c.inFlight.Unlock()
}

// Seed returns the seed that repeats the order: [Options].Seed, or the one that was drawn.
func (c *Cluster) Seed() uint64 { return c.options.Seed }

// shuffle gives a list for which the API promises no order a random one. The caller holds c.mu.
func shuffle[T any](c *Cluster, list []T) {
	c.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// URL returns the server's base URL, such as "http://127.0.0.1:41234".
func (c *Cluster) URL() string { return c.url }

// Config returns a new client configuration for the cluster. Its clients speak JSON and have no
// rate limit.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host:  c.url,
		QPS:   -1,
		Burst: -1,
		ContentConfig: rest.ContentConfig{
			ContentType:        runtime.ContentTypeJSON,
			AcceptContentTypes: runtime.ContentTypeJSON,
		},
	}
}

// Version returns the newest resourceVersion.
func (c *Cluster) Version() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// Apply creates obj, or replaces the stored object of its name whatever resourceVersion obj has.
// Its status is written too; without one the stored status stays. A new object keeps the UID and
// the managedFields that it comes with; otherwise the field manager is "clustertest". obj itself is
// not changed. A type that is not served and a namespace that does not exist are NotFound errors.
func (c *Cluster) Apply(obj *unstructured.Unstructured) error {
	data, err := obj.MarshalJSON() // normalizes the numbers, and copies
	if err != nil {
		return err
	}
	u, err := decodeObject(data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.lookupKind(u.GroupVersionKind())
	if err != nil {
		return err
	}
	u.SetResourceVersion("")
	w := write{manager: "clustertest", direct: true}
	if old := r.objects[key{u.GetNamespace(), u.GetName()}]; old != nil {
		_, err = c.update(r, old, u, w)
		return err
	}
	_, err = c.create(r, u, w)
	return err
}

// Delete deletes an object as a client would: an object with finalizers only gets its
// deletionTimestamp. namespace is empty for cluster-scoped types. An object that does not exist is
// a NotFound error.
func (c *Cluster) Delete(gvr schema.GroupVersionResource, namespace, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.lookup(gvr, "")
	if err != nil {
		return err
	}
	o, err := r.get(namespace, name)
	if err != nil {
		return err
	}
	c.delete(r, o, false)
	return nil
}

// Get returns an object, or a NotFound error. namespace is empty for cluster-scoped types.
func (c *Cluster) Get(gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.lookup(gvr, "")
	if err != nil {
		return nil, err
	}
	o, err := r.get(namespace, name)
	if err != nil {
		return nil, err
	}
	return o.decode(r.def, gvr.Version), nil
}

// List returns all objects of a type in the order of namespace and name.
func (c *Cluster) List(gvr schema.GroupVersionResource) ([]*unstructured.Unstructured, error) {
	c.mu.Lock()
	r, err := c.lookup(gvr, "")
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	def, objects := r.def, r.snapshot()
	c.mu.Unlock()
	list := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		list = append(list, o.decode(def, gvr.Version))
	}
	return list, nil
}
