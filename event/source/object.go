package source

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/canonical"
	"github.com/kubescribe/kubescribe/ruleset"
)

// object is an object of the cluster as it was read. It is valid while the function runs that got
// it, and belongs to one goroutine.
type object struct {
	doc     canonical.Document
	name    types.NamespacedName
	version string // the resource version
	yaml    []byte // room for the content
}

// objects are used again: each has memory that has grown to the size of an object.
var objects = sync.Pool{New: func() any { return new(object) }}

const largeObject = 1 << 20 // of YAML

// withParsed reads an object from JSON, which must stay as it is until f returns.
func withParsed(data []byte, f func(*object) error) error {
	o := objects.Get().(*object)
	defer o.letGo()
	if err := o.doc.Parse(data); err != nil {
		return unreadable(err)
	}
	o.identify()
	return f(o)
}

// withLoaded reads an object from the maps of a dynamic client.
func withLoaded(obj map[string]any, f func(*object) error) error {
	o := objects.Get().(*object)
	defer o.letGo()
	if err := o.doc.Load(obj); err != nil {
		return unreadable(err)
	}
	o.identify()
	return f(o)
}

// with reads the object of an event of a watch.
func with(of runtime.Object, f func(*object) error) error {
	switch of := of.(type) {
	case *rawObject:
		return withParsed(of.json, f)
	case *unstructured.Unstructured:
		return withLoaded(of.Object, f)
	default:
		return fmt.Errorf("%w: it is a %T", errNoObject, of)
	}
}

var errNoObject = errors.New("source: the API server sent what cannot be read as an object")

// letGo gives the object back, with memory for the next one, but not that of a large one.
func (o *object) letGo() {
	o.doc.Reset()
	if cap(o.yaml) > largeObject {
		o.yaml = nil
	}
	objects.Put(o)
}

func (o *object) identify() {
	metadata := o.doc.Get(o.doc.Root(), "metadata")
	text := func(field string) string { return strings.Clone(o.doc.Text(o.doc.Get(metadata, field))) }
	o.name = types.NamespacedName{Namespace: text("namespace"), Name: text("name")}
	o.version = text("resourceVersion")
}

// text returns the string at a path, "" if there is none. It is valid as long as the object.
func (o *object) text(path ...string) string {
	return o.doc.Text(o.doc.Get(o.doc.Root(), path...))
}

// kind returns apiVersion and kind.
func (o *object) kind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(o.text("apiVersion"), o.text("kind"))
}

func (o *object) setKind(apiVersion, kind string) { o.doc.SetKind(apiVersion, kind) }

// labels returns the labels; none if one of them is no text, as client-go has it.
func (o *object) labels() map[string]string {
	var labels map[string]string
	for name, value := range o.doc.Each(o.doc.Get(o.doc.Root(), "metadata", "labels")) {
		if o.doc.Kind(value) != canonical.String {
			return nil
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[strings.Clone(name)] = strings.Clone(o.doc.Text(value))
	}
	return labels
}

// dying reports whether the object has a deletionTimestamp.
func (o *object) dying() bool { return o.text("metadata", "deletionTimestamp") != "" }

// controlled reports whether the object has a controller owner.
func (o *object) controlled() bool {
	for _, owner := range o.doc.Each(o.doc.Get(o.doc.Root(), "metadata", "ownerReferences")) {
		if o.doc.Kind(o.doc.Get(owner, "controller")) == canonical.True {
			return true
		}
	}
	return false
}

// lastManagers returns the field managers that made the last change.
func (o *object) lastManagers() []string {
	var entries []any
	for _, entry := range o.doc.Each(o.doc.Get(o.doc.Root(), "metadata", "managedFields")) {
		fields := map[string]any{}
		for _, name := range []string{"manager", "time", "subresource"} {
			if at := o.doc.Get(entry, name); at != 0 {
				fields[name] = o.doc.Value(at)
			}
		}
		entries = append(entries, fields)
	}
	names, _ := ruleset.LastManagers(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"managedFields": entries}}})
	return names
}

// unstructured returns the whole object, in memory of its own.
func (o *object) unstructured() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o.doc.Object()}
}

// content returns what the file of the object is to hold. The object stays as it is: it is read
// again if the rules have changed meanwhile.
func (o *object) content() (*event.Content, error) {
	o.doc.Sanitize()
	defer o.doc.Restore()
	var err error
	if o.yaml, err = o.doc.AppendYAML(o.yaml[:0]); err != nil {
		return nil, err
	}
	return event.NewContent(bytes.Clone(o.yaml)), nil
}

// unreadable is the error for what is JSON, but no object of Kubernetes.
func unreadable(err error) error { return fmt.Errorf("%w: %w", errNoObject, err) }
