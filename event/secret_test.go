package event_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
)

// An aggregated API, or a mistake of the caller's, shows a Secret under the name of another
// resource: only the resource decides whether the content is encrypted.
func TestASecretUnderAnotherResourceIsRefused(t *testing.T) {
	object := func(apiVersion, kind string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": "a", "name": "b"},
			"data": map[string]any{"password": "aHVudGVyMg=="},
		}}
	}
	typed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
	for name, c := range map[string]struct {
		resource string
		obj      runtime.Object
		kind     string
	}{
		"a Secret as a ConfigMap":      {"configmaps", object("v1", "Secret"), ""},
		"its kind beside it":           {"configmaps", typed, "Secret"},
		"a ConfigMap as a Secret":      {"secrets", object("v1", "ConfigMap"), ""},
		"a Secret as its own resource": {"Secrets", object("v1", "Secret"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			gvr := schema.GroupVersionResource{Version: "v1", Resource: c.resource}
			_, err := event.FromObject(team, event.Create, gvr, c.obj, &event.Options{Encryptor: refusing{t}, Kind: c.kind})
			require.ErrorIs(t, err, event.ErrSecret)
			require.NotContains(t, err.Error(), "aHVudGVyMg")
		})
	}
	_, err := event.FromObject(team, event.Create, schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, object("v1", "Secret"), &event.Options{Encryptor: refusing{t}})
	require.NoError(t, err)
	_, err = event.FromObject(team, event.Create, schema.GroupVersionResource{Group: "x.example", Version: "v1", Resource: "widgets"}, object("x.example/v1", "Secret"), nil)
	require.NoError(t, err, "another group's kind of this name is its own affair")
}

func TestContentSaysItselfThatItIsASecret(t *testing.T) {
	encode := func(object map[string]any) []byte {
		content, err := event.Encode(&unstructured.Unstructured{Object: object})
		require.NoError(t, err)
		return content
	}
	secret := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a"}}
	require.True(t, event.SaysSecret(encode(secret)))
	secret["data"], secret["type"] = map[string]any{"a": "b"}, "Opaque"
	require.True(t, event.SaysSecret(encode(secret)))
	for _, object := range []map[string]any{
		{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "x\nkind: Secret\ny\n"}},
		{"apiVersion": "example.com/v1", "kind": "Secret", "metadata": map[string]any{"name": "a"}},
		{"apiVersion": "v1", "kind": "SecretList"},
	} {
		require.False(t, event.SaysSecret(encode(object)))
	}
}

func TestNoPrintedFormOfAPlaintextShowsItsContents(t *testing.T) {
	p := event.Plaintext{Destination: team, Resource: web, Path: "p", Content: []byte("hunter2"), Stored: []byte("hunter1")}
	const name = "deployments.apps/default/web for team-a/main"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Equal(t, name, fmt.Sprintf(verb, p))
		require.NotContains(t, fmt.Sprintf(verb, struct{ inside *event.Plaintext }{&p}), "hunter")
	}
	require.Equal(t, name, p.MarshalLog())
	require.Equal(t, name, p.LogValue().String())
	marshalled, err := json.Marshal(&p)
	require.NoError(t, err)
	require.JSONEq(t, `"`+name+`"`, string(marshalled))
}
