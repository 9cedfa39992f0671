package source

import (
	"context"
	"maps"
	"sync"

	"github.com/kubescribe/kubescribe/ruleset"
)

var namespaceType = ruleset.Type{Version: "v1", Resource: "namespaces", Kind: "Namespace"}

// namespaces keeps the labels of all namespaces, for rules with a namespaceSelector. It has a lock
// of its own, since objects are matched without the Watcher's. Its reflector feeds no target.
type namespaces struct {
	all     collection
	changed chan<- struct{} // there are moves
	ready   chan struct{}   // closed when all labels are known

	mu    sync.Mutex
	known map[string]map[string]string
	// Could not be read: objects were matched as without labels.
	missed map[string]bool
	moves  map[string][]map[string]string // the labels that a namespace has had since take
}

func newNamespaces(all collection, changed chan<- struct{}) *namespaces {
	return &namespaces{
		all: all, changed: changed, ready: make(chan struct{}),
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
	if err := n.all.get(ctx, name, func(obj *object) { labels = n.put(obj) }); err != nil {
		n.mu.Lock()
		n.missed[name] = true // its objects are listed again when the reflector tells the labels
		n.mu.Unlock()
		return nil
	}
	return labels
}

// put remembers the labels of a namespace and returns them. What the reflector has told meanwhile
// stays: objects were matched by it, and would not be matched again if it told the same as put.
func (n *namespaces) put(obj *object) map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if labels, ok := n.known[obj.name.Name]; ok {
		return labels
	}
	labels := obj.labels()
	n.known[obj.name.Name] = labels
	return labels
}

// upsert takes what the reflector says of a namespace.
func (n *namespaces) upsert(obj *object, how arrival) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, labels := obj.name.Name, obj.labels()
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

func (n *namespaces) delete(obj *object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, obj.name.Name)
}

// release lets the reflectors begin that wait for the labels: they are known, or no rule looks at
// them any more.
func (n *namespaces) release() {
	if !ready(n.ready) {
		close(n.ready)
	}
}
