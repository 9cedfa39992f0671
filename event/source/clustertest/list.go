package clustertest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// maxSnapshots is the number of lists whose next page can be asked for. The oldest gives way: its
// token is answered with 410.
const maxSnapshots = 100

// snapshot is the state of one type that the remaining pages of a list show.
type snapshot struct {
	resource *resource
	def      *definition
	version  uint64
	objects  []*object
}

// token is what a continue token says. The real server's is opaque, too.
type token struct {
	Version   uint64 `json:"v"` // 0: whatever is there now
	Page      int    `json:"p"` // number of the page that the token asks for
	Namespace string `json:"ns,omitempty"`
	Name      string `json:"n"` // last of the previous page
}

// String returns the token as a client gets it, which must not look into it.
func (t token) String() string {
	data, _ := json.Marshal(t) // cannot fail: strings and numbers
	return base64.RawURLEncoding.EncodeToString(data)
}

func parseToken(s string) (t token, err error) {
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil || t.Page < 2 {
		return token{}, apierrors.NewBadRequest("continue key is not valid")
	}
	return t, nil
}

// selection is what a list or watch is about.
type selection struct {
	namespace string // "": all
	labels    labels.Selector
	fields    fields.Selector
}

func newSelection(namespace string, opts *metav1.ListOptions) (selection, error) {
	l, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return selection{}, apierrors.NewBadRequest(fmt.Sprintf("unable to parse labelSelector %q: %v", opts.LabelSelector, err))
	}
	f, err := fields.ParseSelector(opts.FieldSelector)
	if err != nil {
		return selection{}, apierrors.NewBadRequest(fmt.Sprintf("unable to parse fieldSelector %q: %v", opts.FieldSelector, err))
	}
	for _, r := range f.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" {
			return selection{}, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", r.Field))
		}
	}
	return selection{namespace, l, f}, nil
}

// all reports whether the selectors select everything in the namespace.
func (s selection) all() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selection) matches(o *object) bool {
	return (s.namespace == "" || s.namespace == o.namespace) &&
		s.labels.Matches(o.labels) &&
		(s.fields.Empty() || s.fields.Matches(fields.Set{"metadata.name": o.name, "metadata.namespace": o.namespace}))
}

// see returns the event by which a watch of the selection learns of a change; the object is nil if
// it does not. An object that leaves the selection is DELETED.
func (s selection) see(def *definition, e entry) (watch.EventType, *object) {
	was := e.previous != nil && s.matches(e.previous)
	is := s.matches(e.object)
	switch {
	case e.kind == watch.Deleted && was:
		return watch.Deleted, e.object
	case e.kind == watch.Deleted || !was && !is:
		return "", nil
	case !was:
		return watch.Added, e.object
	case !is:
		return watch.Deleted, e.previous.at(def, e.version)
	}
	return watch.Modified, e.object
}

// page is the answer to a list.
type page struct {
	def     *definition
	meta    metav1.ListMeta
	objects []*object
}

// list takes one page.
func (c *Cluster) list(req *request) (*page, error) {
	s, err := newSelection(req.Namespace, &req.Options)
	if err != nil {
		return nil, err
	}
	from := token{Page: 1}
	if req.Options.Continue != "" {
		if from, err = parseToken(req.Options.Continue); err != nil {
			return nil, err
		}
	}
	state, err := c.state(req, from)
	if err != nil {
		return nil, err
	}
	p := state.page(s, from, int(req.Options.Limit))
	c.mu.Lock()
	defer c.mu.Unlock()
	shuffle(c, p.objects) // which objects a page holds is the server's promise, their order is not
	return p, nil
}

// state returns the state that a list shows, and keeps it for its next pages.
func (c *Cluster) state(req *request, from token) (snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.find(req)
	if err != nil {
		return snapshot{}, err
	}
	wanted := from.Version
	if req.Options.Continue == "" {
		if wanted, err = c.parseVersion(req.Options.ResourceVersion); err != nil {
			return snapshot{}, err
		}
		if req.Options.ResourceVersionMatch != metav1.ResourceVersionMatchExact {
			wanted = 0
		}
	}
	if wanted != 0 && wanted != c.version {
		i := slices.IndexFunc(c.snapshots, func(s snapshot) bool { return s.resource == r && s.version == wanted })
		if i < 0 {
			return snapshot{}, expiredList(from)
		}
		return c.snapshots[i], nil
	}
	state := snapshot{resource: r, def: r.def, version: c.version, objects: r.snapshot()}
	if limit := req.Options.Limit; limit > 0 && len(state.objects) > int(limit) {
		c.keep(state)
	}
	return state, nil
}

func (c *Cluster) keep(state snapshot) {
	for _, s := range c.snapshots {
		if s.resource == state.resource && s.version == state.version {
			return
		}
	}
	if len(c.snapshots) == maxSnapshots {
		c.snapshots = slices.Delete(c.snapshots, 0, 1)
	}
	c.snapshots = append(c.snapshots, state)
}

// page cuts one page out of the state. Without a limit it is the rest.
func (s snapshot) page(sel selection, from token, limit int) *page {
	rest := s.objects
	if sel.namespace != "" {
		rest = inNamespace(rest, sel.namespace)
	}
	if from.Page > 1 {
		last := key{from.Namespace, from.Name}
		i, found := slices.BinarySearchFunc(rest, last, func(o *object, k key) int { return compareKeys(o.key, k) })
		if found {
			i++
		}
		rest = rest[i:]
	}
	p := &page{def: s.def, meta: metav1.ListMeta{ResourceVersion: formatVersion(s.version)}}
	for i, o := range rest {
		if !sel.matches(o) {
			continue
		}
		p.objects = append(p.objects, o)
		if left := int64(len(rest) - i - 1); left > 0 && len(p.objects) == limit {
			p.meta.Continue = token{s.version, from.Page + 1, o.namespace, o.name}.String()
			if sel.all() {
				p.meta.RemainingItemCount = &left
			}
			break
		}
	}
	return p
}

// parseVersion reads the resourceVersion of a request; "" is 0. For one that the counter has not
// reached it returns the version, and the error with which the real server answers after some
// seconds of waiting.
func (c *Cluster) parseVersion(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	version, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("invalid resource version %q", s))
	}
	if version > c.version {
		tooLarge := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", version, c.version), 1)
		tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{
			Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version",
		}}
		return version, tooLarge
	}
	return version, nil
}

// expiredList is the answer to a list whose snapshot is gone. As on the real server the answer to a
// next page has a token that goes on with the current state, for clients to which an inconsistent
// list will do.
func expiredList(from token) error {
	if from.Page == 1 {
		return apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	err := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
		"Start a new list without it, or go on with the continue token of this answer, which gives an inconsistent list.")
	from.Version = 0
	err.ErrStatus.Continue = from.String()
	return err
}
