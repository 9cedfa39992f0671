package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A list comes as one JSON object, of hundreds of Kubernetes objects in its items. These are handed
// over while it arrives: in memory is one object, not a page of them.

// errNotAList is the error for an answer to a question for a list that is something else. Its
// objects may have been handed over; the listing is not complete.
var errNotAList = errors.New("source: the API server's answer is not a list")

// listReader reads one list.
type listReader struct {
	jsonStream
	apiVersion, kind string
	got              page
	items            bool // they were there
	// Items from the first one on that has no kind and comes before the kind of the list.
	nameless [][]byte
}

// readList reads a list and hands over its objects.
func readList(from io.Reader, f func(*object) error) (page, error) {
	r := &listReader{jsonStream: newJSONStream(from)}
	defer r.end()
	if err := r.members(func(name string) error { return r.member(name, f) }); err != nil {
		return page{}, notAList(err)
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		return page{}, fmt.Errorf("%w: more follows it", errNotAList)
	}
	if r.kind == "" || !r.items {
		return page{}, fmt.Errorf("%w: it has no kind, or no items", errNotAList)
	}
	for _, item := range r.nameless {
		if err := r.handOver(item, f); err != nil {
			return page{}, notAList(err)
		}
	}
	return r.got, nil
}

func notAList(err error) error {
	if errors.Is(err, errShape) {
		return fmt.Errorf("%w: %w", errNotAList, err)
	}
	return err
}

// member reads the value of a member of the list.
func (r *listReader) member(name string, f func(*object) error) error {
	switch name {
	case "apiVersion":
		return r.text(&r.apiVersion)
	case "kind":
		return r.text(&r.kind)
	case "metadata":
		return r.metadata()
	case "items":
		return r.readItems(f)
	}
	return r.skip()
}

// metadata reads the resource version of the list, and the token for its next page.
func (r *listReader) metadata() error {
	if r.PeekKind() == 'n' {
		return r.skip()
	}
	return r.members(func(name string) error {
		switch name {
		case "resourceVersion":
			return r.text(&r.got.version)
		case "continue":
			return r.text(&r.got.next)
		}
		return r.skip()
	})
}

// readItems hands over the objects.
func (r *listReader) readItems(f func(*object) error) error {
	r.items = true
	if r.PeekKind() == 'n' { // an empty list of Go
		return r.skip()
	}
	if err := r.open('['); err != nil {
		return err
	}
	for r.PeekKind() == '{' {
		r.renew()
		item, err := r.ReadValue()
		if err != nil {
			return readError(err)
		}
		if err := r.handOver(item, f); err != nil {
			return err
		}
	}
	return r.open(']') // what is no object is refused here
}

// handOver hands over an object. One of a built-in type has no kind of its own: it is that of the
// list, which may come behind.
func (r *listReader) handOver(item []byte, f func(*object) error) error {
	return withParsed(item, func(o *object) error {
		nameless := o.text("kind") == "" && o.text("apiVersion") == ""
		if r.kind == "" && (nameless || len(r.nameless) > 0) {
			r.nameless = append(r.nameless, bytes.Clone(item))
			return nil
		}
		if nameless {
			o.setKind(r.apiVersion, strings.TrimSuffix(r.kind, "List"))
		}
		return f(o)
	})
}
