package clustertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// maxBody is the real server's limit for what a client sends.
const maxBody = 3 << 20

// request is a parsed request.
type request struct {
	FaultRequest
	write   write
	partial bool // only metadata is wanted
	body    []byte
}

func (c *Cluster) handle(w http.ResponseWriter, r *http.Request) {
	if !c.inFlight.TryRLock() {
		panic(http.ErrAbortHandler) // Close is waiting for the last request
	}
	defer c.inFlight.RUnlock()
	if err := c.serve(w, r); err != nil {
		writeError(w, err)
	}
}

func (c *Cluster) serve(w http.ResponseWriter, r *http.Request) error {
	path := strings.Trim(r.URL.Path, "/")
	switch path {
	case "readyz", "livez", "healthz":
		_, _ = io.WriteString(w, "ok") // a broken connection is the client's affair
		return nil
	case "version":
		writeJSON(w, http.StatusOK, serverVersion)
		return nil
	}
	req, err := parse(r, strings.Split(path, "/"))
	if err != nil {
		return err
	}
	fault := c.faultFor(req.FaultRequest)
	if !fault.hold(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	if fault != nil && (req.Verb != "watch" || fault.AfterEvents == 0) {
		switch {
		case fault.Error != nil:
			return fault.Error
		case fault.Drop:
			panic(http.ErrAbortHandler)
		}
		if limit := req.Options.Limit; fault.Short > 0 && (limit == 0 || limit > int64(fault.Short)) {
			req.Options.Limit = int64(fault.Short)
		}
		if fault.Cut {
			half := &halved{ResponseWriter: w}
			defer half.breakOff()
			w = half
		}
		fault = nil
	}
	if req.Verb == "discover" {
		return c.serveDiscovery(w, r.Header.Get("Accept"), path)
	}
	return c.serveObjects(r.Context(), w, req, fault)
}

func (c *Cluster) serveObjects(ctx context.Context, w http.ResponseWriter, req *request, fault *Fault) error {
	switch req.Verb {
	case "watch":
		return c.serveWatch(ctx, w, req, fault)
	case "list":
		p, err := c.list(req)
		if err == nil {
			p.write(w, newView(p.def, req.Resource.Version, req.partial))
		}
		return err
	case "delete", "deletecollection":
		answer, err := c.remove(req)
		if err == nil {
			writeJSON(w, http.StatusOK, answer)
		}
		return err
	}
	o, def, code, err := c.access(req)
	if err == nil {
		writeBytes(w, code, newView(def, req.Resource.Version, req.partial).append(nil, o))
	}
	return err
}

// access does what one object answers: get, create, update and patch.
func (c *Cluster) access(req *request) (*object, *definition, int, error) {
	var body *unstructured.Unstructured
	var err error
	if req.Verb == "create" || req.Verb == "update" {
		if body, err = decodeObject(req.body); err != nil {
			return nil, nil, 0, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.find(req)
	if err != nil {
		return nil, nil, 0, err
	}
	if body != nil {
		if err := req.conform(r.def, body); err != nil {
			return nil, nil, 0, err
		}
	}
	if req.Verb == "create" {
		if req.Subresource != "" || r.def.Namespaced && req.Namespace == "" {
			return nil, nil, 0, apierrors.NewMethodNotSupported(r.def.GroupResource(), "create")
		}
		o, err := c.create(r, body, req.write)
		return o, r.def, http.StatusCreated, err
	}
	old, err := r.get(req.Namespace, req.Name)
	switch {
	case apierrors.IsNotFound(err) && req.write.operation == metav1.ManagedFieldsOperationApply && req.Subresource == "":
		o, err := c.patchNew(r, req)
		return o, r.def, http.StatusCreated, err
	case err != nil || req.Verb == "get":
		return old, r.def, http.StatusOK, err
	case req.Verb == "patch":
		if body, err = req.patch(r.def, old); err != nil {
			return nil, nil, 0, err
		}
	}
	o, err := c.update(r, old, body, req.write)
	return o, r.def, http.StatusOK, err
}

// patchNew creates the object of an apply patch.
func (c *Cluster) patchNew(r *resource, req *request) (*object, error) {
	body, err := decodeObject(req.body)
	if err != nil {
		return nil, err
	}
	if err := req.conform(r.def, body); err != nil {
		return nil, err
	}
	return c.create(r, body, req.write)
}

// patch returns old with the request's patch merged into it.
func (req *request) patch(def *definition, old *object) (*unstructured.Unstructured, error) {
	var patch map[string]any
	if err := utiljson.Unmarshal(req.body, &patch); err != nil {
		return nil, apierrors.NewBadRequest("the patch is not a JSON object: " + err.Error())
	}
	u := old.decode(def, req.Resource.Version)
	u.Object = mergePatch(u.Object, patch)
	if _, ok := u.Object["metadata"].(map[string]any); !ok {
		return nil, apierrors.NewBadRequest("metadata must be an object")
	}
	return u, req.conform(def, u)
}

// conform checks that the body is about what the URL names, and fills in what the URL says.
func (req *request) conform(def *definition, u *unstructured.Unstructured) error {
	want := schema.GroupVersionKind{Group: def.Group, Version: req.Resource.Version, Kind: def.Kind}
	if got := u.GroupVersionKind(); got != want {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version and kind in the data (%s) do not match those of the URL (%s)", got, want))
	}
	if namespace := u.GetNamespace(); namespace != "" && namespace != req.Namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object (%s) does not match the namespace sent on the request (%s)",
			namespace, req.Namespace))
	}
	if name := u.GetName(); req.Name != "" && name != "" && name != req.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, req.Name))
	}
	u.SetNamespace(req.Namespace)
	if req.Name != "" {
		u.SetName(req.Name)
	}
	return nil
}

// remove does delete and deletecollection.
func (c *Cluster) remove(req *request) (any, error) {
	var opts metav1.DeleteOptions
	if len(req.body) > 0 {
		if err := json.Unmarshal(req.body, &opts); err != nil {
			return nil, apierrors.NewBadRequest("DeleteOptions: " + err.Error())
		}
	}
	dryRun := req.write.dryRun || len(opts.DryRun) > 0
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
	if req.Verb == "delete" && req.Subresource == "" {
		return c.removeOne(r, req, opts.Preconditions, dryRun)
	}
	if req.Subresource != "" || r.def.GroupResource() == namespaces {
		return nil, apierrors.NewMethodNotSupported(r.def.GroupResource(), req.Verb)
	}
	items := []json.RawMessage{}
	view := newView(r.def, req.Resource.Version, req.partial)
	for _, o := range r.snapshot() {
		if s.matches(o) {
			last, _ := c.delete(r, o, dryRun)
			items = append(items, view.append(nil, last))
		}
	}
	return map[string]any{
		"apiVersion": view.apiVersion, "kind": view.kind + "List",
		"metadata": map[string]any{"resourceVersion": formatVersion(c.version)}, "items": items,
	}, nil
}

func (c *Cluster) removeOne(r *resource, req *request, wanted *metav1.Preconditions, dryRun bool) (any, error) {
	o, err := r.get(req.Namespace, req.Name)
	if err != nil {
		return nil, err
	}
	stored := o.decode(r.def, req.Resource.Version)
	uid := stored.GetUID()
	if wanted != nil && (wanted.UID != nil && *wanted.UID != uid ||
		wanted.ResourceVersion != nil && *wanted.ResourceVersion != stored.GetResourceVersion()) {
		return nil, apierrors.NewConflict(r.def.GroupResource(), req.Name,
			fmt.Errorf("precondition failed: the object has UID %s and resourceVersion %s", uid, stored.GetResourceVersion()))
	}
	last, gone := c.delete(r, o, dryRun)
	if !gone {
		return json.RawMessage(newView(r.def, req.Resource.Version, req.partial).append(nil, last)), nil
	}
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess,
		Details: &metav1.StatusDetails{Name: req.Name, Group: r.def.Group, Kind: r.def.Resource, UID: uid},
	}, nil
}

// parse reads a request. Paths follow Kubernetes' API conventions: the group and version, then
// namespaces/NAME for what is in a namespace, then the resource, a name and a subresource.
func parse(r *http.Request, path []string) (*request, error) {
	req := &request{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, apierrors.NewBadRequest("query: " + err.Error())
	}
	if err := req.parsePath(r.Method, path); err != nil {
		return nil, err
	}
	if req.partial, err = negotiate(r.Header.Get("Accept")); err != nil {
		return nil, err
	}
	if err := metav1.Convert_url_Values_To_v1_ListOptions(&query, &req.Options, nil); err != nil {
		return nil, apierrors.NewBadRequest("query: " + err.Error())
	}
	req.Page = 1
	if t, err := parseToken(req.Options.Continue); err == nil {
		req.Page = t.Page
	}
	if req.Verb == "list" && req.Options.Watch {
		req.Verb = "watch"
	}
	manager, _, _ := strings.Cut(r.UserAgent(), "/")
	req.write = write{manager: manager, subresource: req.Subresource, dryRun: query.Get("dryRun") != ""}
	if m := query.Get("fieldManager"); m != "" {
		req.write.manager = m
	}
	return req, req.readBody(r, query)
}

func (req *request) parsePath(method string, path []string) error {
	gv := &req.Resource
	switch {
	case path[0] == "api" && len(path) > 1:
		gv.Version, path = path[1], path[2:]
	case path[0] == "apis" && len(path) > 2:
		gv.Group, gv.Version, path = path[1], path[2], path[3:]
	case path[0] == "apis" && len(path) == 2:
		gv.Group, path = path[1], nil
	case path[0] == "api" || path[0] == "apis":
		path = nil
	default:
		return errNoResource(schema.GroupResource{})
	}
	if len(path) == 0 {
		req.Verb = "discover"
		return nil
	}
	if len(path) > 2 && path[0] == "namespaces" && path[2] != "status" && path[2] != "finalize" {
		req.Namespace, path = path[1], path[2:]
	}
	for i, part := range []*string{&gv.Resource, &req.Name, &req.Subresource} {
		if i < len(path) {
			*part = path[i]
		}
	}
	verbs := map[string]string{"GET": "list", "POST": "create", "DELETE": "deletecollection"}
	if req.Name != "" {
		verbs = map[string]string{"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
	}
	if req.Verb = verbs[method]; req.Verb == "" || len(path) > 3 {
		return apierrors.NewMethodNotSupported(gv.GroupResource(), strings.ToLower(method))
	}
	return nil
}

// readBody reads what a writing request sends. An apply patch becomes JSON.
func (req *request) readBody(r *http.Request, query url.Values) error {
	if r.ContentLength == 0 || r.Method == http.MethodGet {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case req.Verb == "patch" && kind == string(types.ApplyYAMLPatchType):
		req.write.operation = metav1.ManagedFieldsOperationApply
		if query.Get("fieldManager") == "" {
			return apierrors.NewBadRequest("fieldManager is required for apply patch")
		}
	case req.Verb == "patch" && (kind == string(types.MergePatchType) || kind == string(types.StrategicMergePatchType)):
	case req.Verb != "patch" && (kind == "" || kind == "application/json"):
	default:
		return newStatus(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType,
			fmt.Sprintf("the body of the request was in an unknown format: %q", kind))
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return apierrors.NewRequestEntityTooLargeError(err.Error())
	}
	if req.write.operation == metav1.ManagedFieldsOperationApply {
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return apierrors.NewBadRequest("the apply patch is not YAML: " + err.Error())
		}
	}
	req.body = data
	return nil
}

// negotiate finds the first form of JSON that the client accepts and the cluster knows.
func negotiate(accept string) (partial bool, err error) {
	if accept == "" {
		return false, nil
	}
	for clause := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(clause)
		if err != nil || kind != "application/json" && kind != "application/*" && kind != "*/*" {
			continue
		}
		switch params["as"] {
		case "":
			return false, nil
		case "PartialObjectMetadata", "PartialObjectMetadataList":
			return true, nil
		}
	}
	return false, newStatus(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
		"only the following media types are accepted: application/json")
}

// decodeObject reads an object; it has metadata and a kind.
func decodeObject(data []byte) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &u.Object); err != nil {
		return nil, apierrors.NewBadRequest("the object is not JSON: " + err.Error())
	}
	if _, ok := u.Object["metadata"].(map[string]any); !ok || u.GetKind() == "" {
		return nil, apierrors.NewBadRequest("the object must have apiVersion, kind and metadata")
	}
	return u, nil
}
