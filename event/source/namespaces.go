package source

import (
	"context"
	"maps"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/ruleset"
)

var namespaceType = ruleset.Type{Version: "v1", Resource: "namespaces", Kind: "Namespace"}

// namespaces keeps the labels of all namespaces, for rules with a namespaceSelector. It has a lock of
// its own, since objects are matched without the Watcher's. A reflector that feeds no target tells it.
type namespaces struct {
	client  dynamic.ResourceInterface
	changed chan<- struct{} // told when there are moves
	ready   chan struct{}   // closed when all labels are known

	mu     sync.Mutex
	known  map[string]map[string]string
	missed map[string]bool                // objects were matched as if these had no labels, since they could not be read
	moves  map[string][]map[string]string // the labels that a namespace has had since take, if they changed
}

func newNamespaces(client dynamic.ResourceInterface, changed chan<- struct{}) *namespaces {
	return &namespaces{
		client: client, changed: changed, ready: make(chan struct{}),
		known: map[string]map[string]string{}, missed: map[string]bool{}, moves: map[string][]map[string]string{},
	}
}

// labels returns the labels of a namespace; nil for none. A namespace whose reflector is
// behind that of its objects is asked for.
func (n *namespaces) labels(ctx context.Context, name string) map[string]string {
	if n == nil || name == "" {
		return nil
	}
	n.mu.Lock()
	labels, ok := n.known[name]
	n.mu.Unlock()
	if ok {
		return labels
	}
	obj, err := n.client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		n.mu.Lock()
		n.missed[name] = true // when its own reflector tells the labels, its objects are listed again
		n.mu.Unlock()
		return nil
	}
	return n.put(obj)
}

// put remembers the labels of a namespace and returns them.
func (n *namespaces) put(obj *unstructured.Unstructured) map[string]string {
	labels := obj.GetLabels()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[obj.GetName()] = labels
	return labels
}

func (n *namespaces) upsert(obj *unstructured.Unstructured, how arrival) {
	n.mu.Lock()
	old, ok := n.known[obj.GetName()]
	missed := n.missed[obj.GetName()]
	delete(n.missed, obj.GetName())
	n.mu.Unlock()
	n.put(obj)
	if missed || ready(n.ready) && !maps.Equal(old, obj.GetLabels()) && (ok || how != added) {
		n.moved(obj.GetName(), old, obj.GetLabels())
	}
}

func (n *namespaces) moved(name string, before, after map[string]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.moves[name] == nil {
		n.moves[name] = []map[string]string{before}
	}
	n.moves[name] = append(n.moves[name], after)
	signal(n.changed)
}

// take returns the moves since the last call, by which objects may have moved in or out of a rule.
func (n *namespaces) take() map[string][]map[string]string {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.moves
	n.moves = map[string][]map[string]string{}
	return taken
}

func ready(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (n *namespaces) delete(obj *unstructured.Unstructured) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, obj.GetName())
}

// release lets reflectors begin that wait for the labels, since these are known, or nobody looks at them any more.
func (n *namespaces) release() {
	if !ready(n.ready) {
		close(n.ready)
	}
}
