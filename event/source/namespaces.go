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

// namespaces keeps the labels of all namespaces, for rules with a namespaceSelector. It has a lock
// of its own, since objects are matched without the Watcher's. Its reflector feeds no target.
type namespaces struct {
	client  dynamic.ResourceInterface
	changed chan<- struct{} // there are moves
	ready   chan struct{}   // closed when all labels are known

	mu    sync.Mutex
	known map[string]map[string]string
	// Could not be read: objects were matched as without labels.
	missed map[string]bool
	moves  map[string][]map[string]string // the labels that a namespace has had since take
}

func newNamespaces(client dynamic.ResourceInterface, changed chan<- struct{}) *namespaces {
	return &namespaces{
		client: client, changed: changed, ready: make(chan struct{}),
		known: map[string]map[string]string{}, missed: map[string]bool{}, moves: map[string][]map[string]string{},
	}
}

// labels returns the labels of a namespace; nil for none. It asks the server for a namespace that
// is not known yet: the reflector of namespaces may be behind that of the objects.
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
		n.missed[name] = true // its objects are listed again when the reflector tells the labels
		n.mu.Unlock()
		return nil
	}
	return n.put(obj)
}

// put remembers the labels of a namespace and returns them. What the reflector has told meanwhile
// stays: objects were matched by it, and would not be matched again if it told the same as put.
func (n *namespaces) put(obj *unstructured.Unstructured) map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if labels, ok := n.known[obj.GetName()]; ok {
		return labels
	}
	labels := obj.GetLabels()
	n.known[obj.GetName()] = labels
	return labels
}

// upsert takes what the reflector says of a namespace.
func (n *namespaces) upsert(obj *unstructured.Unstructured, how arrival) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, labels := obj.GetName(), obj.GetLabels()
	old, known := n.known[name]
	missed := n.missed[name]
	delete(n.missed, name)
	n.known[name] = labels
	if missed || ready(n.ready) && !maps.Equal(old, labels) && (known || how != added) {
		n.moved(name, old, labels)
	}
}

// moved notes that the labels of a namespace have changed. The caller holds mu.
func (n *namespaces) moved(name string, before, after map[string]string) {
	if n.moves[name] == nil {
		n.moves[name] = []map[string]string{before}
	}
	n.moves[name] = append(n.moves[name], after)
	signal(n.changed)
}

// take returns the namespaces whose labels have changed since the last call, each with all labels
// that it had meanwhile. Objects there may have moved in or out of a rule.
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

// release lets the reflectors begin that wait for the labels: they are known, or no rule looks at
// them any more.
func (n *namespaces) release() {
	if !ready(n.ready) {
		close(n.ready)
	}
}
