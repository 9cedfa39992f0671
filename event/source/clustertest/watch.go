package clustertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// subscription is the place of a watch in the history of a type. It buffers nothing: a client that
// reads slowly falls behind, until the history has forgotten the next event.
type subscription struct {
	log       *eventLog
	def       *definition
	selection selection
	initial   []*object // to be sent as ADDED first
	version   uint64    // of initial
	ends      bool      // a bookmark says where the initial events end
	next      int       // number of the next entry
	future    uint64    // nothing is sent up to this version
	born      int       // orders in entries before this number were for other watches
}

// subscribe finds the place where a watch starts.
func (c *Cluster) subscribe(req *request) (*subscription, error) {
	s, err := newSelection(req.Namespace, &req.Options)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.find(req)
	if err != nil {
		return nil, err
	}
	from, err := c.parseVersion(req.Options.ResourceVersion)
	if err != nil && !(c.silentFuture && from > c.version) {
		return nil, err
	}
	send := req.Options.SendInitialEvents
	if c.options.IgnoreSendInitialEvents {
		send = nil
	}
	if send != nil && req.Options.ResourceVersionMatch != metav1.ResourceVersionMatchNotOlderThan {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "ListOptions"}, "", field.ErrorList{
			field.Forbidden(field.NewPath("resourceVersionMatch"), "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
		})
	}
	sub := &subscription{log: r.log, def: r.def, selection: s, version: c.version, next: r.log.end(), born: r.log.end()}
	switch {
	case send != nil && *send, send == nil && from == 0:
		sub.initial, sub.ends = r.snapshot(), send != nil && req.Options.AllowWatchBookmarks
	case from > c.version:
		sub.future = from
	case from != 0:
		next, known := r.log.after(from)
		if !known {
			return nil, tooOld(from, r.log.floor)
		}
		sub.next = next
	}
	return sub, nil
}

func tooOld(from, floor uint64) error {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, floor))
}

// pending takes the next entries, at most a buffer full. If there are none, version is how far the
// watch has come, and changed is closed when the next entry is appended.
func (c *Cluster) pending(s *subscription, buffer []entry) (entries []entry, version uint64, changed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := s.log
	if s.next < log.first {
		return nil, 0, nil, tooOld(s.version, log.floor)
	}
	n := copy(buffer, log.entries[s.next-log.first:])
	s.next += n
	return buffer[:n], c.version, log.changed, nil
}

// stream writes the events of one watch.
type stream struct {
	*subscription
	view      view
	bookmarks bool
	out       *bufio.Writer
	response  http.ResponseWriter
	fault     *Fault // with AfterEvents
	sent      int
	line      []byte
}

// serveWatch answers a watch. It returns an error as long as nothing has been sent.
func (c *Cluster) serveWatch(ctx context.Context, w http.ResponseWriter, req *request, fault *Fault) error {
	sub, err := c.subscribe(req)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	s := &stream{
		subscription: sub, view: newView(sub.def, req.Resource.Version, req.partial),
		bookmarks: req.Options.AllowWatchBookmarks, out: bufio.NewWriterSize(w, 32<<10), response: w, fault: fault,
	}
	if t := req.Options.TimeoutSeconds; t != nil && *t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*t)*time.Second)
		defer cancel()
	}
	result := s.sendInitial(ctx)
	if result == goOn {
		result = s.follow(ctx, c)
	}
	s.flush()
	if result == broken {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// progress says how a watch goes on after a step.
type progress int

const (
	goOn progress = iota
	ended
	broken // the connection is to be broken, too
)

// sendInitial sends the synthetic events.
func (s *stream) sendInitial(ctx context.Context) progress {
	for _, o := range s.initial {
		if ctx.Err() != nil {
			return ended
		}
		if s.selection.matches(o) {
			if p := s.event(watch.Added, o); p != goOn {
				return p
			}
		}
	}
	s.initial = nil
	if s.ends {
		s.bookmark(s.version, true)
	}
	return goOn
}

// follow sends what happens until the watch ends.
func (s *stream) follow(ctx context.Context, c *Cluster) progress {
	ticker := time.NewTicker(c.options.BookmarkInterval)
	defer ticker.Stop()
	buffer := make([]entry, 128)
	for ctx.Err() == nil {
		entries, version, changed, err := c.pending(s.subscription, buffer)
		if err != nil {
			s.failed(err)
			return ended
		}
		for _, e := range entries {
			if p := s.handle(e); p != goOn {
				return p
			}
		}
		if len(entries) > 0 {
			continue
		}
		s.flush()
		select {
		case <-changed:
		case <-ticker.C:
			if s.bookmarks && version >= s.future {
				s.bookmark(version, false)
			}
		case <-ctx.Done():
		}
	}
	return ended
}

// handle sends one entry.
func (s *stream) handle(e entry) progress {
	if e.isChange() {
		s.version = e.version
		if e.version <= s.future {
			return goOn
		}
		if kind, o := s.selection.see(s.def, e); o != nil {
			return s.event(kind, o)
		}
		return goOn
	}
	if e.number < s.born {
		return goOn
	}
	switch e.kind {
	case watch.Bookmark:
		if s.bookmarks && e.version >= s.future {
			s.bookmark(e.version, false)
		}
	case watch.Error:
		s.failed(apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old."))
		return ended
	case breakWatch:
		return broken
	case endWatch:
		return ended
	}
	return goOn
}

// event sends one change. The fault of this watch, if any, strikes after its last event.
func (s *stream) event(kind watch.EventType, o *object) progress {
	s.line = append(s.line[:0], `{"type":"`...)
	s.line = append(s.line, kind...)
	s.line = append(s.line, `","object":`...)
	s.line = s.view.append(s.line, o)
	s.line = append(s.line, "}\n"...)
	_, _ = s.out.Write(s.line) // a broken connection ends ctx
	s.sent++
	if s.fault == nil || s.sent < s.fault.AfterEvents {
		return goOn
	}
	if s.fault.Error != nil {
		s.failed(s.fault.Error)
	}
	if s.fault.Drop {
		return broken
	}
	return ended
}

// bookmark tells how far the watch has come.
func (s *stream) bookmark(version uint64, endOfInitial bool) {
	metadata := map[string]any{"resourceVersion": formatVersion(version), "creationTimestamp": nil}
	if endOfInitial {
		metadata["annotations"] = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	s.send(watch.Bookmark, map[string]any{"apiVersion": s.view.apiVersion, "kind": s.view.kind, "metadata": metadata})
}

func (s *stream) failed(err error) { s.send(watch.Error, statusOf(err)) }

func (s *stream) send(kind watch.EventType, object any) {
	data, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		// strings and numbers only
		panic(fmt.Sprintf("clustertest: encoding a %s event: %v", kind, err))
	}
	_, _ = s.out.Write(append(data, '\n'))
}

func (s *stream) flush() {
	_ = s.out.Flush() // a broken connection ends ctx
	_ = http.NewResponseController(s.response).Flush()
}
