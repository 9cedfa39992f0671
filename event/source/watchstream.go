package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// rawObject is an object of a watch as it came. It is a runtime.Object so that it fits in an event.
type rawObject struct{ json []byte }

// GetObjectKind implements runtime.Object.
func (*rawObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (o *rawObject) DeepCopyObject() runtime.Object { return &rawObject{bytes.Clone(o.json)} }

// watchStream is a watch whose objects are as they came. One goroutine reads it, until the stream
// or the watch ends.
type watchStream struct {
	events chan apiwatch.Event
	stop   func()
	over   chan struct{} // closed when nobody takes an event any more
}

func newWatchStream(body io.ReadCloser, cancel func()) *watchStream {
	over := make(chan struct{})
	w := &watchStream{events: make(chan apiwatch.Event), over: over}
	w.stop = sync.OnceFunc(func() { close(over); cancel() })
	go w.run(body)
	return w
}

// ResultChan implements the Interface of watches.
func (w *watchStream) ResultChan() <-chan apiwatch.Event { return w.events }

// Stop implements the Interface of watches. It waits until the goroutine has ended, so that none
// outlives its reflector.
func (w *watchStream) Stop() {
	w.stop()
	for range w.events {
		continue // until it is closed
	}
}

func (w *watchStream) run(body io.ReadCloser) {
	defer close(w.events)
	defer body.Close()
	defer w.stop()
	stream := newJSONStream(body)
	defer stream.end()
	for {
		stream.renew()
		e, err := nextEvent(stream)
		if err != nil {
			var said bool
			if e, said = endOf(err); !said {
				return
			}
		}
		select {
		case w.events <- e:
		case <-w.over:
			return
		}
		if err != nil {
			return
		}
	}
}

var errUnknownEvent = errors.New("source: the API server's watch sent an event that is none")

// nextEvent reads one event.
func nextEvent(s jsonStream) (e apiwatch.Event, err error) {
	var kind string
	var raw []byte
	if err := s.members(func(name string) error {
		switch name {
		case "type":
			return s.text(&kind)
		case "object":
			value, err := s.ReadValue()
			raw = bytes.Clone(value)
			return readError(err)
		}
		return s.skip()
	}); err != nil {
		return e, err
	}
	e.Type = apiwatch.EventType(kind)
	switch e.Type {
	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted, apiwatch.Bookmark:
		e.Object = &rawObject{raw}
		return e, nil
	case apiwatch.Error:
		status := &metav1.Status{}
		e.Object = status
		if json.Unmarshal(raw, status) == nil {
			return e, nil
		}
	}
	return e, errUnknownEvent
}

// endOf returns what a watch says that cannot be read on. One that ends, or breaks off, says
// nothing: it is opened again where it stood.
func endOf(err error) (e apiwatch.Event, said bool) {
	for _, fault := range []error{ErrTooLarge, errBrokenJSON, errShape, errUnknownEvent} {
		if errors.Is(err, fault) {
			status := apierrors.NewInternalError(err).Status()
			return apiwatch.Event{Type: apiwatch.Error, Object: &status}, true
		}
	}
	return e, false
}
