package kubescribe

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// The values of the parameter "state".
const (
	stateReady    = "ready"
	stateNotReady = "notReady"
)

// maxQuery is the number of bytes of a parameter that count.
const maxQuery = 256

// statusFilter selects destinations. The zero value selects all.
type statusFilter struct {
	Query  string // words that must all occur
	State  string // "", stateReady or stateNotReady
	Reason Reason
}

// filterOf returns what the parameters of a request ask for.
func filterOf(values url.Values) (statusFilter, error) {
	f := statusFilter{
		Query:  quote.Cut(quote.Line(values.Get("q")), maxQuery),
		State:  values.Get("state"),
		Reason: Reason(quote.Cut(quote.Line(values.Get("reason")), maxQuery)),
	}
	if f.State != "" && f.State != stateReady && f.State != stateNotReady {
		return f, errors.New(`the parameter "state" is neither "ready" nor "notReady"`)
	}
	return f, nil
}

// values is the reverse of filterOf.
func (f statusFilter) values() url.Values {
	v := url.Values{}
	for key, value := range map[string]string{"q": f.Query, "state": f.State, "reason": string(f.Reason)} {
		if value != "" {
			v.Set(key, value)
		}
	}
	return v
}

// judged is a destination with the verdict on it.
type judged struct {
	ref     destination.Ref
	st      DestinationStatus
	ready   bool
	reason  Reason
	message string
}

// judge returns the verdict on each destination, those that are not ready first, then by name.
func judge(all map[destination.Ref]DestinationStatus) []judged {
	list := make([]judged, 0, len(all))
	for ref, st := range all {
		one := judged{ref: ref, st: st}
		one.ready, one.reason, one.message = st.Ready()
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b judged) int {
		if a.ready != b.ready {
			return map[bool]int{false: -1, true: 1}[a.ready]
		}
		return cmp.Or(cmp.Compare(a.ref.Namespace, b.ref.Namespace), cmp.Compare(a.ref.Name, b.ref.Name))
	})
	return list
}

// selects reports whether a destination is one of those that are asked for.
func (f statusFilter) selects(one *judged) bool {
	if f.State != "" && one.ready != (f.State == stateReady) || f.Reason != "" && one.reason != f.Reason {
		return false
	}
	if f.Query == "" {
		return true
	}
	d := one.st.Destination
	text := strings.ToLower(strings.Join([]string{
		refName(one.ref), string(one.reason), one.message, d.RemoteBranch().Repository, d.Branch, d.BaseFolder,
	}, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(f.Query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// refName is a name for people: without the slash if there is no namespace.
func refName(ref destination.Ref) string {
	if ref.Namespace == "" {
		return ref.Name
	}
	return ref.String()
}

// wantsJSON reports whether a request asks for JSON: by the parameter "format", or by an Accept
// that prefers it to HTML.
func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return quality(accept, "application/json") > quality(accept, "text/html")
}

// quality returns how much an Accept wants a media type: 0 if it does not name it.
func quality(accept, mediaType string) float64 {
	for part := range strings.SplitSeq(accept, ",") {
		named, params, err := mime.ParseMediaType(part)
		if err != nil || named != mediaType {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			return q
		}
		return 1
	}
	return 0
}
