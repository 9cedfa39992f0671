package e2e

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// conversions are custom types that are stored as v1beta1 and watched as v1.
var conversions = []struct {
	name, comment, plural, kind, conversion string
}{
	{
		name: "conversion-none", plural: "plains", kind: "Plain", conversion: "{strategy: None}",
		comment: "A custom resource is written as v1beta1, which is how it is stored, and watched as v1: only the apiVersion differs.",
	},
	{
		name: "conversion-webhook", plural: "sites", kind: "Site", conversion: "{strategy: Webhook, webhook: {conversionReviewVersions: [v1], " +
			"clientConfig: {url: $URL, caBundle: $CA}}}",
		comment: "A custom resource is written as v1beta1, which is how it is stored, and watched as v1, in which a webhook calls spec.host spec.hostname.",
	},
}

const convertedType = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $PLURAL.recorded.example.org}
spec:
  group: recorded.example.org
  scope: Namespaced
  names: {plural: $PLURAL, singular: $SINGULAR, kind: $KIND, listKind: $KINDList}
  conversion: $CONVERSION
  versions:
    - {name: v1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
    - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

func TestARealAPIServerConvertsWhatItSendsAsRecorded(t *testing.T) {
	if !real() {
		t.Skip("what is recorded is what a real API server sends: run `make e2e`")
	}
	webhook := httptest.NewTLSServer(http.HandlerFunc(convert))
	t.Cleanup(webhook.Close)
	ca, err := json.Marshal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw}))
	require.NoError(t, err)
	for _, c := range conversions {
		t.Run(c.name, func(t *testing.T) {
			r := newRecorder(t, schema.GroupVersionResource{Group: "recorded.example.org", Version: "v1", Resource: c.plural})
			r.apply(crds, replace(convertedType, "PLURAL", c.plural, "SINGULAR", strings.ToLower(c.kind), "KIND", c.kind,
				"CONVERSION", replace(c.conversion, "URL", webhook.URL, "CA", string(ca))))
			t.Cleanup(func() { r.unserve(c.plural + ".recorded.example.org") })
			r.served()
			r.begin()
			r.convert(c.kind)
			r.compare(c.name, c.comment, fmt.Sprintf("{apiVersion: recorded.example.org/v1, kind: %s, metadata: {name: last}}", c.kind))
		})
	}
}

// served waits until the type is.
func (r *recorder) served() {
	r.t.Helper()
	var err error
	eventually(r.t, func() bool {
		_, err = r.objects().List(r.t.Context(), metav1.ListOptions{})
		return !apierrors.IsNotFound(err) && !apierrors.IsServiceUnavailable(err)
	}, func() string { return err.Error() })
	require.NoError(r.t, err)
}

// unserve removes the type, which must not outlive its webhook.
func (r *recorder) unserve(name string) {
	r.t.Helper()
	ctx, client := context.WithoutCancel(r.t.Context()), r.client.Resource(crds)
	require.NoError(r.t, client.Delete(ctx, name, metav1.DeleteOptions{}))
	var err error
	eventually(r.t, func() bool {
		_, err = client.Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, func() string { return fmt.Sprint(err) })
}

// convert writes in the old version and in the new one.
func (r *recorder) convert(kind string) {
	r.t.Helper()
	old := *r
	old.gvr.Version = "v1beta1"
	old.create(fmt.Sprintf("{apiVersion: recorded.example.org/v1beta1, kind: %s, metadata: {name: converted}, spec: {host: one.example.org}}", kind))
	old.merge("converted", `{"spec":{"port":80}}`)
	r.merge("converted", `{"spec":{"port":81}}`)
	old.delete("converted", nil)
}

// convert is the webhook: v1 calls spec.hostname what v1beta1 calls spec.host.
func convert(w http.ResponseWriter, r *http.Request) {
	var review struct {
		metav1.TypeMeta
		Request struct {
			UID               string                      `json:"uid"`
			DesiredAPIVersion string                      `json:"desiredAPIVersion"`
			Objects           []unstructured.Unstructured `json:"objects"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, obj := range review.Request.Objects {
		from, to := "host", "hostname"
		if strings.HasSuffix(review.Request.DesiredAPIVersion, "/v1beta1") {
			from, to = to, from
		}
		obj.SetAPIVersion(review.Request.DesiredAPIVersion)
		if spec, ok := obj.Object["spec"].(map[string]any); ok && spec[from] != nil {
			spec[to] = spec[from]
			delete(spec, from)
		}
	}
	// The API server tells of an answer that it did not get.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": review.APIVersion, "kind": review.Kind,
		"response": map[string]any{
			"uid": review.Request.UID, "result": map[string]any{"status": "Success"}, "convertedObjects": review.Request.Objects,
		},
	})
}
