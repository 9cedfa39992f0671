package event

import (
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
)

// Options add to FromObject and ContentOf what the object does not say. Nil and the zero value mean
// the defaults.
type Options struct {
	// Encryptor shows that what is sensitive will be encrypted: without it a core v1 Secret is
	// refused with ErrSecret, and so is an object with Sensitive. It is not called here, since
	// ciphertext is made when the file is written. Default: nil.
	Encryptor Encryptor
	// Sensitive says that the object is sensitive, and which fields of it. Default: it is not,
	// unless it is a core v1 Secret.
	Sensitive *Sensitive
	// Ignored are fields that are left out of the Content. Default: none.
	Ignored *Ignored
	// Kind is the kind of an object that does not name it, as typed objects read by a client do
	// not. Default: that of the object.
	Kind string
	// Precondition restricts when a Create or Update writes its file. Default: Always.
	Precondition Precondition
	// Listed is set for an object that a listing found. Default: false.
	Listed bool
	// Author is the author of the change. Default: unknown.
	Author Author
	// Time is when the change was observed. Default: now.
	Time time.Time
}

// FromObject makes the event for a change of obj, which is unstructured or typed; it does not
// change obj. Namespace and name are those of the object; group, resource and version are those of
// gvr. A Create and an Update carry the Content of obj, whatever its deletionTimestamp says; a
// Delete carries none.
//
// The error matches ErrSecret for a Secret, or an object that is Sensitive, without an Encryptor,
// and for a Secret whose kind and resource disagree, and ErrIncomplete if something is missing.
func FromObject(d destination.Destination, op Operation, gvr schema.GroupVersionResource, obj runtime.Object, opts *Options) (Event, error) {
	if opts == nil {
		opts = &Options{}
	}
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return Event{}, fmt.Errorf("event: %s of %s: %w", op, gvr, err)
	}
	e := newEvent(d, op, Resource{
		ID:      ID{Group: gvr.Group, Resource: gvr.Resource, Namespace: accessor.GetNamespace(), Name: accessor.GetName()},
		Version: gvr.Version,
		Kind:    obj.GetObjectKind().GroupVersionKind().Kind,
	}, opts)
	if e.Resource.Kind == "" {
		e.Resource.Kind = opts.Kind
	}
	if e.Writes() {
		e.Precondition, e.Listed, e.Sensitive = opts.Precondition, opts.Listed, opts.Sensitive
		if e.Content, err = typedContent(e.Resource, obj, opts); err != nil {
			return Event{}, fmt.Errorf("%s: %w", e, err)
		}
	}
	return validated(e)
}

// FromResource makes the event for a Delete, of which no more than the identity is known. The error
// matches ErrIncomplete if something is missing, and for every other operation.
func FromResource(d destination.Destination, op Operation, r Resource) (Event, error) {
	return validated(newEvent(d, op, r, &Options{}))
}

// ContentOf returns the sanitised and encoded content of obj. Use it to make the events of several
// destinations from one change. It does not change obj. A core v1 Secret without an Encryptor is
// refused with ErrSecret, and so is an object with Options.Sensitive.
func ContentOf(obj *unstructured.Unstructured, opts *Options) (*Content, error) {
	if opts == nil {
		opts = &Options{}
	}
	draft, err := NewDraft(obj, opts.Encryptor != nil, opts.Ignored)
	if err != nil {
		return nil, err
	}
	if opts.Sensitive != nil && opts.Encryptor == nil {
		return nil, fmt.Errorf("%w: set an Encryptor", ErrSensitive)
	}
	contents, err := draft.Contents()
	if err != nil {
		return nil, err
	}
	return contents[0], nil
}

func newEvent(d destination.Destination, op Operation, r Resource, opts *Options) Event {
	e := Event{Destination: d, Operation: op, Resource: r, Author: opts.Author, Time: opts.Time}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	return e
}

func validated(e Event) (Event, error) {
	if err := e.Validate(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// typedContent is ContentOf for an object that may be typed, and whose resource is known.
func typedContent(r Resource, obj runtime.Object, opts *Options) (*Content, error) {
	if IsSecret(r.ID) && opts.Encryptor == nil {
		return nil, fmt.Errorf("%w: set Options.Encryptor", ErrSecret)
	}
	// The resource decides whether an object is encrypted, so kind and resource must agree about
	// Secrets.
	if IsSecretKind(r) != IsSecret(r.ID) && r.Kind != "" {
		return nil, fmt.Errorf("%w: its kind is %q, its resource %q", ErrSecret, r.Kind, r.Resource)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("event: cannot convert %T", obj)
	}
	gv := schema.GroupVersion{Group: r.Group, Version: r.Version}.String()
	if own, _ := object["apiVersion"].(string); own != "" && own != gv {
		return nil, fmt.Errorf("event: the object's apiVersion is %q, not %q as its resource says", own, gv)
	}
	object = maps.Clone(object) // it may be the caller's
	object["apiVersion"], object["kind"] = gv, r.Kind
	return ContentOf(&unstructured.Unstructured{Object: object}, opts)
}
