package kubescribe

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// StatusHandlerOptions change what StatusHandler serves. Nil and the zero value mean the defaults.
type StatusHandlerOptions struct {
	// Title is the heading, such as the name of the cluster. Default: "kubescribe".
	Title string
	// Allow reports whether whoever sent a request may approve, adopt, resync and wake. It is asked
	// for each request, that of the page included, which has no buttons if it says no. It has to
	// know who asks: what it allows to everybody, everybody may do who reaches the handler. It may
	// be called concurrently. Default: nobody may, and the page is read only.
	Allow func(r *http.Request) bool
}

// StatusHandler returns a page about a Mirror for people, and the same as JSON for programs. It may
// be mounted at any path. The Mirror need not run. The page shows all destinations, whoever owns
// them, and keeps nobody out: that is for whoever mounts it.
//
// GET takes three parameters. "q" has words that must all stand in the name, the repository, the
// branch, the folder, the reason or the message of a destination, "state" is "ready" or "notReady",
// and "reason" is a Reason. The page shows the first 200 destinations that match, those that are
// not ready first; JSON, which "format=json" or the header Accept asks for, has all of them.
//
// # JSON
//
// Times are those of RFC 3339, sizes are in bytes. What is empty may be missing, but for numbers
// and for the lists "destinations" and "rules.faulty". More fields may be added.
//
//   - time: of the answer. ready, notReady: the number of all destinations by their verdict.
//     matching: the number of those that the parameters select. discoveryError: see Status.Err.
//   - queue: lines, waiting, inHand, bytes, parked, as in queue.Stats.
//   - destinations: a list of objects with namespace, name, ready, reason, message, repository
//     (without user and password), branch, folder, tip, lastCommit, lastSeed, synced, approved,
//     rules, invalidRules (names), error, branchError and pruneOrdered, as in DestinationStatus,
//     and those that follow.
//   - line: waiting, inHand, bytes, oldest, lagSeconds (since oldest), attempts, parked (since
//     when), nextTry, permanent and error, as in queue.KeyStats.
//   - watch: collections, complete, waiting, seedDue and error, as in source.DestinationStatus.
//   - held (with files, of which it is count), unadopted, uncovered, excluded, kustomizations:
//     count, sample (the first paths) and, for the first two and whoever may act, shown.
//   - leftOut: count, and items of object and error. notListed: count, and items of collection and
//     error. faults: count, and items of rule, resource and error. Of each at most a hundred items.
//   - filtered: lines of a .gitattributes, see gitsink.Filtered.
//   - rules: count, faultyCount, and faulty: objects of namespace, name, error and faults.
//
// A failure has an object with error.
//
// # Actions
//
// What StatusHandlerOptions.Allow allows is done by POST with a form, and answered by 303 to the
// page: action is approve, adopt, resync or wake, as the methods of Mirror, and destination is
// namespace/name. An approval and an adoption are for what the page showed, and have to name it:
// shown is the value of that name in the JSON. If it is not so any more nothing is allowed, and the
// answer is 409. An unknown destination is 404; what comes from a page of another origin, or is not
// a form, is 403.
func StatusHandler(m *Mirror, opts *StatusHandlerOptions) http.Handler {
	h := &statusHandler{m: m, page: newPageTemplate(), policy: contentSecurityPolicy()}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Title == "" {
		h.opts.Title = "kubescribe"
	}
	return h
}

type statusHandler struct {
	m      *Mirror
	opts   StatusHandlerOptions
	page   *template.Template
	policy string
	cross  http.CrossOriginProtection
}

// ServeHTTP implements http.Handler.
func (h *statusHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.protect(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.show(w, r)
	case http.MethodPost:
		h.act(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.refuse(w, r, http.StatusMethodNotAllowed, "The method is not GET, HEAD or POST.")
	}
}

// protect sets what keeps a browser from doing with an answer what it is not for.
func (h *statusHandler) protect(header http.Header) {
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
}

func (h *statusHandler) allowed(r *http.Request) bool { return h.opts.Allow != nil && h.opts.Allow(r) }

// show answers GET, and changes nothing.
func (h *statusHandler) show(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r.URL.Query())
	if err != nil {
		h.refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	maker := reporter{now: time.Now(), actions: h.allowed(r)}
	inJSON := wantsJSON(r)
	if !inJSON {
		maker.limit = maxShown
	}
	report := maker.report(h.m.Status(), h.m.ruleStatuses(), filter)
	if inJSON {
		writeJSON(w, r, http.StatusOK, report)
		return
	}
	h.writePage(w, r, http.StatusOK, &statusPage{
		Title: h.opts.Title, Report: report, Filter: filter, Actions: maker.actions, Notice: noticeOf(r, maker.actions),
	})
}

// refuse says why a request is not answered.
func (h *statusHandler) refuse(w http.ResponseWriter, r *http.Request, code int, why string) {
	if wantsJSON(r) {
		writeJSON(w, r, code, map[string]string{"error": why})
		return
	}
	h.writePage(w, r, code, &statusPage{Title: h.opts.Title, Problem: why, Code: code})
}

func (h *statusHandler) writePage(w http.ResponseWriter, r *http.Request, code int, p *statusPage) {
	var b bytes.Buffer
	if err := h.page.Execute(&b, p); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	writeAnswer(w, r, code, b.Bytes())
}

func writeJSON(w http.ResponseWriter, r *http.Request, code int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeAnswer(w, r, code, append(text, '\n'))
}

// writeAnswer sends what is complete, so that no failure cuts an answer in two.
func writeAnswer(w http.ResponseWriter, r *http.Request, code int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever asked may be gone
	}
}
