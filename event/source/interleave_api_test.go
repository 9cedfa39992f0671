package source

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// gatedAPI is an API server in which every request, every page of a listing and every event of a
// watch happens when the schedule says so. It is used from one bubble of testing/synctest; the
// schedule's mu guards all but requests.
type gatedAPI struct {
	dynamic.Interface
	version  int
	states   int // the number of states ever written; a rewind gives versions out again
	history  []happening
	requests chan *gatedRequest // to be picked up by the schedule
	watches  []*gatedWatch
	told     map[string]int // of each object, the state that a listing or a watch has told last
	initial  initialMode

	refusesFuture bool           // a watch from a future version; else it opens and says nothing
	asked         map[string]int // by scope of the watch, the version that it was asked for last
	caught        bool           // somebody was told of the last rewind
}

// happening is a version of an object. The object's uid says which state it is: no other one ever
// has the same.
type happening struct {
	version  int
	resource string
	kind     apiwatch.EventType
	object   *unstructured.Unstructured
}

// initialMode is what the server makes of sendInitialEvents.
type initialMode int

const (
	refusesInitial initialMode = iota
	ignoresInitial             // the objects come, but not the bookmark that ends them
	servesInitial
	initialModes
)

type gatedRequest struct {
	ctx                context.Context
	verb               string
	resource, ns, name string
	options            metav1.ListOptions
	done               chan struct{}
	list               *unstructured.UnstructuredList
	object             *unstructured.Unstructured
	watch              *gatedWatch
	err                error
}

type gatedWatch struct {
	*apiwatch.FakeWatcher // for Stop
	events                chan apiwatch.Event
	resource, ns          string
	at                    int
	over                  atomic.Bool
	outlived              bool                         // a rewind
	initial               []happening                  // to be sent first
	sent                  []*unstructured.Unstructured // not told yet, as far as is known
}

func (w *gatedWatch) ResultChan() <-chan apiwatch.Event { return w.events }

func (w *gatedWatch) Stop() { w.over.Store(true) }

func newGatedAPI() *gatedAPI {
	return &gatedAPI{requests: make(chan *gatedRequest, 100), told: map[string]int{}, asked: map[string]int{}}
}

func (a *gatedAPI) Resource(gvr schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return &gatedResource{api: a, resource: gvr.Resource}
}

type gatedResource struct {
	dynamic.NamespaceableResourceInterface
	api          *gatedAPI
	resource, ns string
}

func (r *gatedResource) Namespace(ns string) dynamic.ResourceInterface {
	return &gatedResource{api: r.api, resource: r.resource, ns: ns}
}

func (r *gatedResource) ask(ctx context.Context, verb, name string, opts metav1.ListOptions) *gatedRequest {
	q := &gatedRequest{ctx: ctx, verb: verb, resource: r.resource, ns: r.ns, name: name, options: opts, done: make(chan struct{})}
	r.api.requests <- q
	select {
	case <-q.done:
	case <-ctx.Done():
		return &gatedRequest{err: ctx.Err()}
	}
	return q
}

func (r *gatedResource) List(ctx context.Context, opts metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	q := r.ask(ctx, "list", "", opts)
	return q.list, q.err
}

func (r *gatedResource) Get(ctx context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	q := r.ask(ctx, "get", name, metav1.ListOptions{})
	return q.object, q.err
}

func (r *gatedResource) Watch(ctx context.Context, opts metav1.ListOptions) (apiwatch.Interface, error) {
	q := r.ask(ctx, "watch", "", opts)
	if q.err != nil {
		return nil, q.err
	}
	return q.watch, nil
}

// ServerGroupsAndResources implements Discovery.
func (a *gatedAPI) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	verbs := metav1.Verbs{"get", "list", "watch"}
	return nil, []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: verbs},
		{Name: "namespaces", Kind: "Namespace", Verbs: verbs},
	}}}, nil
}

// write makes a new version of an object; with apiwatch.Deleted the last one.
func (a *gatedAPI) write(resource string, kind apiwatch.EventType, obj *unstructured.Unstructured) {
	a.version++
	a.states++
	obj = obj.DeepCopy()
	obj.SetUID(types.UID(strconv.Itoa(a.states)))
	obj.SetResourceVersion(strconv.Itoa(a.version))
	a.history = append(a.history, happening{a.version, resource, kind, obj})
}

// rewind sets the cluster back to what it was at a version. Watches end, or go on and say nothing
// before the version has come to where they stand. What a watch has sent is on its way, also if it
// tells of what has never been now.
func (a *gatedAPI) rewind(version int, ends bool) {
	a.version, a.caught = version, false
	a.history = slices.DeleteFunc(a.history, func(h happening) bool { return h.version > version })
	for _, w := range a.watches {
		w.outlived = true
		if ends && !w.over.Swap(true) {
			close(w.events)
		}
	}
}

// present returns the state of each object that ever was, also of those that are deleted.
func (a *gatedAPI) present() map[string]int {
	present := map[string]int{}
	for _, h := range a.history {
		present[h.resource+"/"+h.object.GetNamespace()+"/"+h.object.GetName()] = stateOf(h.object)
	}
	return present
}

func stateOf(obj *unstructured.Unstructured) int {
	state, _ := strconv.Atoi(string(obj.GetUID()))
	return state
}

// state returns the objects that lived at a version, by name.
func (a *gatedAPI) state(resource, ns string, version int) []unstructured.Unstructured {
	living := map[string]*unstructured.Unstructured{}
	for _, h := range a.history {
		if h.version > version || h.resource != resource || ns != "" && h.object.GetNamespace() != ns {
			continue
		}
		key := h.object.GetNamespace() + "/" + h.object.GetName()
		if living[key] = h.object; h.kind == apiwatch.Deleted {
			delete(living, key)
		}
	}
	var list []unstructured.Unstructured
	for _, obj := range living {
		list = append(list, *obj.DeepCopy())
	}
	slices.SortFunc(list, func(a, b unstructured.Unstructured) int {
		return slices.Compare([]string{a.GetNamespace(), a.GetName()}, []string{b.GetNamespace(), b.GetName()})
	})
	return list
}

// answer serves a request, with the state of the cluster as it is now.
func (a *gatedAPI) answer(q *gatedRequest, fault error) {
	defer close(q.done)
	if q.err = fault; fault != nil {
		return
	}
	switch q.verb {
	case "list":
		q.list, q.err = a.page(q)
	case "watch":
		at, _ := strconv.Atoi(q.options.ResourceVersion)
		a.asked[q.resource+"/"+q.ns] = at
		if at > a.version && a.refusesFuture {
			a.caught = true
			q.err = tooLarge(at)
			return
		}
		q.watch = &gatedWatch{events: make(chan apiwatch.Event, 1000), resource: q.resource, ns: q.ns, at: at}
		if q.options.SendInitialEvents != nil {
			if a.initial == refusesInitial {
				q.err = apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil)
				return
			}
			q.watch.at, q.watch.initial = a.version, a.initialEvents(q)
		}
		a.watches = append(a.watches, q.watch)
	case "get":
		for _, obj := range a.state(q.resource, q.ns, a.version) {
			if obj.GetName() == q.name {
				q.object = &obj
				return
			}
		}
		q.err = apierrors.NewNotFound(schema.GroupResource{Resource: q.resource}, q.name)
	}
}

func tooLarge(version int) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d", version), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	return err
}

// page returns a page of a listing. Its continue token has the version and the last object, as a
// real one has, so that what lives in both histories is in a listing that a rewind tears.
func (a *gatedAPI) page(q *gatedRequest) (*unstructured.UnstructuredList, error) {
	at, last, more := strings.Cut(q.options.Continue, " ")
	version := a.version
	if more {
		version, _ = strconv.Atoi(at)
	}
	if version > a.version {
		return nil, apierrors.NewResourceExpired("the continue token is of another time")
	}
	if q.options.FieldSelector != "" { // no object has this name
		a.caught = a.caught || a.version < a.asked[q.resource+"/"+q.ns]
		list := &unstructured.UnstructuredList{Object: map[string]any{}}
		list.SetResourceVersion(strconv.Itoa(version))
		return list, nil
	}
	rest := slices.DeleteFunc(a.state(q.resource, q.ns, version), func(obj unstructured.Unstructured) bool {
		return more && obj.GetNamespace()+"/"+obj.GetName() <= last
	})
	to := min(len(rest), int(q.options.Limit))
	list := &unstructured.UnstructuredList{Object: map[string]any{}, Items: rest[:to]}
	list.SetResourceVersion(strconv.Itoa(version))
	for i := range list.Items {
		a.tell(q.resource, &list.Items[i])
	}
	if to < len(rest) {
		list.SetContinue(fmt.Sprintf("%d %s/%s", version, rest[to-1].GetNamespace(), rest[to-1].GetName()))
	}
	return list, nil
}

// initialEvents are the state of now, and the bookmark that ends them.
func (a *gatedAPI) initialEvents(q *gatedRequest) (events []happening) {
	for _, obj := range a.state(q.resource, q.ns, a.version) {
		events = append(events, happening{a.version, q.resource, apiwatch.Added, &obj})
	}
	end := newObject("v1", "ConfigMap", "", "", map[string]any{})
	end.SetResourceVersion(strconv.Itoa(a.version))
	end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	if a.initial == ignoresInitial {
		return events
	}
	return append(events, happening{a.version, q.resource, apiwatch.Bookmark, end})
}

// next returns what a watch has to say next.
func (a *gatedAPI) next(w *gatedWatch) (happening, bool) {
	if len(w.initial) > 0 {
		return w.initial[0], true
	}
	for _, h := range a.history {
		if h.version > w.at && h.resource == w.resource && (w.ns == "" || h.object.GetNamespace() == w.ns) {
			return h, true
		}
	}
	return happening{}, false
}

func (a *gatedAPI) deliver(w *gatedWatch) {
	if h, ok := a.next(w); ok {
		w.at = h.version
		if len(w.initial) > 0 {
			w.initial = w.initial[1:]
		}
		w.sent = append(w.sent, h.object)
		w.events <- apiwatch.Event{Type: h.kind, Object: h.object.DeepCopy()}
	}
}

// hear notes what was taken from the watches.
func (a *gatedAPI) hear() {
	for _, w := range a.watches {
		for len(w.sent) > len(w.events) {
			a.tell(w.resource, w.sent[0])
			w.sent = w.sent[1:]
		}
	}
}

func (a *gatedAPI) tell(resource string, obj *unstructured.Unstructured) {
	a.told[resource+"/"+obj.GetNamespace()+"/"+obj.GetName()] = stateOf(obj)
}
