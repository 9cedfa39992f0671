package clustertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// view is how one request sees the objects of a type.
type view struct {
	apiVersion, kind string
	partial          bool   // metadata only
	prefix           string // of an object
	itemPrefix       string // of an object in a list
}

func newView(def *definition, version string, partial bool) view {
	v := view{apiVersion: schema.GroupVersion{Group: def.Group, Version: version}.String(), kind: def.Kind, partial: partial}
	if partial {
		v.apiVersion, v.kind = "meta.k8s.io/v1", "PartialObjectMetadata"
	}
	v.prefix = fmt.Sprintf(`{"apiVersion":%q,"kind":%q,`, v.apiVersion, v.kind)
	v.itemPrefix = v.prefix
	if !def.custom && !partial {
		v.itemPrefix = "{"
	}
	return v
}

// append adds the JSON of an object to dst.
func (v view) append(dst []byte, o *object) []byte {
	return append(append(dst, v.prefix...), v.body(o)...)
}

// body is the JSON of an object without its opening brace. It is never empty: every object has
// metadata.
func (v view) body(o *object) []byte {
	if !v.partial {
		return o.body[1:]
	}
	var parts struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(o.body, &parts); err != nil {
		panic(fmt.Sprintf("clustertest: decoding encoded JSON: %v", err))
	}
	return append(append([]byte(`"metadata":`), parts.Metadata...), '}')
}

// write sends a list without building it in memory.
func (p *page) write(w http.ResponseWriter, v view) {
	w.Header().Set("Content-Type", "application/json")
	meta, err := json.Marshal(p.meta)
	if err != nil {
		// strings and numbers only
		panic(fmt.Sprintf("clustertest: encoding metadata of a list: %v", err))
	}
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = fmt.Fprintf(out, `{"apiVersion":%q,"kind":%q,"metadata":%s,"items":[`, v.apiVersion, v.kind+"List", meta)
	for i, o := range p.objects {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString(v.itemPrefix)
		_, _ = out.Write(v.body(o))
	}
	_, _ = out.WriteString("]}")
	_ = out.Flush() // a broken connection is the client's affair
}

func writeBytes(w http.ResponseWriter, code int, data []byte) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, code, data)
}

func writeBody(w http.ResponseWriter, code int, data []byte) {
	w.WriteHeader(code)
	_, _ = w.Write(data) // a broken connection is the client's affair
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	writeBytes(w, code, mustMarshal(value))
}

func mustMarshal(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("clustertest: encoding %T: %v", value, err))
	}
	return data
}

func writeError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	writeJSON(w, int(status.Code), status)
}

// statusOf is the Status of an API error; any other error is an internal one.
func statusOf(err error) *metav1.Status {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		api = apierrors.NewInternalError(err)
	}
	status := api.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &status
}

func newStatus(code int, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	}}
}

// errNoResource is the answer for a type that is not served. Unlike that for a missing object it
// names no object.
func errNoResource(gr schema.GroupResource) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "", gr, "", "the server could not find the requested resource", 0, true)
}
