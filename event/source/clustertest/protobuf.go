package clustertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

// protobufCodec turns protobuf into JSON on the way in, and JSON into protobuf on the way out, for
// the types that a scheme knows. Generated clients speak protobuf of their own accord.
type protobufCodec struct {
	scheme *runtime.Scheme
	json   runtime.Serializer
	object runtime.Serializer // with the prefix of stored objects
	raw    runtime.Serializer // without; the events of a watch
}

func newProtobufCodec(scheme *runtime.Scheme) *protobufCodec {
	return &protobufCodec{
		scheme: scheme,
		json:   jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, scheme, scheme, jsonserializer.SerializerOptions{}),
		object: protobuf.NewSerializer(scheme, scheme),
		raw:    protobuf.NewRawSerializer(scheme, scheme),
	}
}

// serve has next serve the request in JSON.
func (p *protobufCodec) serve(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if !p.knows(r.URL.Path) {
		next(w, r)
		return
	}
	r = r.Clone(r.Context())
	if mediaType(r.Header.Get("Content-Type")) == runtime.ContentTypeProtobuf && r.ContentLength != 0 {
		body, err := p.decode(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeError(w, apierrors.NewBadRequest("protobuf: "+err.Error()))
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", runtime.ContentTypeJSON)
	}
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	if first != runtime.ContentTypeProtobuf && first != runtime.ContentTypeProtobuf+";stream=watch" {
		next(w, r)
		return
	}
	r.Header.Set("Accept", runtime.ContentTypeJSON)
	out := &protobufWriter{ResponseWriter: w, codec: p, watch: r.URL.Query().Get("watch") != ""}
	next(out, r)
	out.end()
}

// knows reports whether the scheme has the types below a path.
func (p *protobufCodec) knows(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case parts[0] == "api" && len(parts) > 2:
		gv.Version = parts[1]
	case parts[0] == "apis" && len(parts) > 3:
		gv.Group, gv.Version = parts[1], parts[2]
	default:
		return false
	}
	return p.scheme.IsVersionRegistered(gv)
}

func (p *protobufCodec) decode(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	obj, gvk, err := p.object.Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	obj.GetObjectKind().SetGroupVersionKind(*gvk)
	return json.Marshal(obj)
}

func (p *protobufCodec) encode(data []byte) ([]byte, error) {
	obj, _, err := p.json.Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = p.object.Encode(obj, &out)
	return out.Bytes(), err
}

// protobufWriter turns an answer, or each line of a watch, into protobuf.
type protobufWriter struct {
	http.ResponseWriter
	codec   *protobufCodec
	watch   bool
	code    int
	pending bytes.Buffer
}

// Unwrap lets an http.ResponseController reach the connection.
func (w *protobufWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *protobufWriter) WriteHeader(code int) {
	w.code = code
	w.watch = w.watch && code == http.StatusOK
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
	if w.watch {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
		w.ResponseWriter.WriteHeader(code)
	}
}

// Write implements http.ResponseWriter.
func (w *protobufWriter) Write(data []byte) (int, error) {
	w.pending.Write(data)
	for w.watch {
		line, rest, whole := bytes.Cut(w.pending.Bytes(), []byte("\n"))
		if !whole {
			break
		}
		if err := w.event(line); err != nil {
			panic(fmt.Sprintf("clustertest: an event as protobuf: %v", err))
		}
		w.pending = *bytes.NewBuffer(bytes.Clone(rest))
	}
	return len(data), nil
}

func (w *protobufWriter) event(line []byte) error {
	var event metav1.WatchEvent
	if err := json.Unmarshal(line, &event); err != nil {
		return err
	}
	object, err := w.codec.encode(event.Object.Raw)
	if err != nil {
		return err
	}
	event.Object = runtime.RawExtension{Raw: object}
	// A broken connection ends the watch's context.
	_ = w.codec.raw.Encode(&event, protobuf.LengthDelimitedFramer.NewFrameWriter(w.ResponseWriter))
	return nil
}

// end sends an answer that is no watch.
func (w *protobufWriter) end() {
	if w.watch {
		return
	}
	data, err := w.codec.encode(w.pending.Bytes())
	if err != nil {
		panic(fmt.Sprintf("clustertest: an answer as protobuf: %v", err))
	}
	if w.code == 0 { // a list begins with its body
		w.WriteHeader(http.StatusOK)
	}
	w.ResponseWriter.WriteHeader(w.code)
	_, _ = w.ResponseWriter.Write(data) // a broken connection is the client's affair
}

func mediaType(header string) string {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return kind
}
