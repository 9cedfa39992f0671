package kubescribe

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// maxForm is the number of bytes that a form may have.
const maxForm = 16 << 10

// errChanged means that what somebody approves is not there any more as it was shown.
var errChanged = errors.New("kubescribe: it has changed since it was shown")

// statusActions are what a form may ask for, with what the page says afterwards.
var statusActions = map[string]struct {
	do   func(m *Mirror, ref destination.Ref, shown string) error
	done string
}{
	"approve": {(*Mirror).approveShown, "The deletions were approved for the next sweep"},
	"adopt":   {(*Mirror).adoptShown, "The adoption was asked for"},
	"resync":  {func(m *Mirror, ref destination.Ref, _ string) error { return m.Resync(ref) }, "A resync was asked for"},
	"wake":    {func(m *Mirror, ref destination.Ref, _ string) error { return m.Wake(ref) }, "It is tried now"},
}

// act answers POST.
func (h *statusHandler) act(w http.ResponseWriter, r *http.Request) {
	if err := h.cross.Check(r); err != nil {
		h.refuse(w, r, http.StatusForbidden, "The request comes from a page of another origin.")
		return
	}
	if !h.allowed(r) {
		h.refuse(w, r, http.StatusForbidden, "Nothing can be changed here, or not by you.")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		h.refuse(w, r, http.StatusForbidden, "The request is not a form.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.refuse(w, r, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	name, of := r.PostForm.Get("action"), r.PostForm.Get("destination")
	action, known := statusActions[name]
	if !known {
		h.refuse(w, r, http.StatusBadRequest, "The action is not approve, adopt, resync or wake.")
		return
	}
	if err := action.do(h.m, refOf(of), r.PostForm.Get("shown")); err != nil {
		h.refuseAction(w, r, err)
		return
	}
	filter, _ := filterOf(r.URL.Query())
	back := filter.values()
	back.Set("did", name)
	back.Set("to", of)
	// http.Redirect would make it absolute by a path that a prefix may have been cut from.
	w.Header().Set("Location", "?"+back.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func (h *statusHandler) refuseAction(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, destination.ErrUnknown):
		h.refuse(w, r, http.StatusNotFound, "There is no such destination, or it is not valid.")
	case errors.Is(err, errChanged):
		h.refuse(w, r, http.StatusConflict, "Nothing was done: the files are not those that the page showed any more. Look at them again.")
	default:
		h.refuse(w, r, http.StatusInternalServerError, gitsink.Brief(err))
	}
}

// noticeOf returns what the last action was, for the page that it leads to.
func noticeOf(r *http.Request, allowed bool) string {
	query := r.URL.Query()
	action, known := statusActions[query.Get("did")]
	if !allowed || !known {
		return ""
	}
	return fmt.Sprintf("%s: %s.", action.done, shown(refName(refOf(query.Get("to")))))
}

// refOf reads namespace/name.
func refOf(text string) destination.Ref {
	namespace, name, found := strings.Cut(text, "/")
	if !found {
		return destination.Ref{Name: text}
	}
	return destination.Ref{Namespace: namespace, Name: name}
}

// approveShown is Approve for the deletions that toApprove named, and none else: unlike Approve it
// never approves what a sweep is yet to find.
func (m *Mirror) approveShown(ref destination.Ref, shown string) error {
	return m.allowIf(ref, unchanged(shown, toApprove), approveHeld)
}

// adoptShown is Adopt for the folder and the files that toAdopt named.
func (m *Mirror) adoptShown(ref destination.Ref, shown string) error {
	return m.allowIf(ref, unchanged(shown, toAdopt), adoptFolder)
}

func unchanged(shown string, name func(destination.Destination, gitsink.Status) string) func(destination.Destination, gitsink.Status) error {
	return func(d destination.Destination, known gitsink.Status) error {
		if now := name(d, known); now == "" || now != shown {
			return errChanged
		}
		return nil
	}
}

// toApprove names the held deletions of a destination; "" if there are none.
func toApprove(d destination.Destination, known gitsink.Status) string {
	if known.Held == nil {
		return ""
	}
	return digest("approve", d, []string{known.Held.Digest()})
}

// toAdopt names what an adoption of a destination's folder would let go, and whose the folder is;
// "" if there is nothing to adopt.
func toAdopt(d destination.Destination, known gitsink.Status) string {
	owned := errors.Is(known.Err, gitsink.ErrOwned) || errors.Is(known.Err, gitsink.ErrUnadopted)
	switch {
	case owned:
		return digest("adopt", d, append([]string{gitsink.Brief(known.Err)}, known.Unadopted...))
	case len(known.Unadopted) > 0:
		return digest("adopt", d, known.Unadopted)
	}
	return ""
}

// digest names parts in a folder. It tells nothing of them, and two lists of parts that differ have
// different digests.
func digest(what string, d destination.Destination, parts []string) string {
	sum := sha256.New()
	for _, part := range append([]string{what, d.Ref.String(), d.RemoteBranch().String(), d.BaseFolder}, parts...) {
		_, _ = io.WriteString(sum, strconv.Itoa(len(part))+":"+part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
