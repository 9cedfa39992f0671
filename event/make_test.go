package event_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// refusing fails the test when it is asked: nothing in this package may make ciphertext.
type refusing struct{ t *testing.T }

func (r refusing) Encrypt(context.Context, event.Plaintext) ([]byte, error) {
	r.t.Error("Encrypt was called")
	return nil, nil
}

func (r refusing) Same(context.Context, event.Plaintext) (bool, error) {
	r.t.Error("Same was called")
	return false, nil
}

func typedDeployment() *appsv1.Deployment {
	replicas := int32(3)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "u", ResourceVersion: "7"},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas},
	}
}

func TestFromObjectMakesTheSameContentOfTypedAndUnstructuredObjects(t *testing.T) {
	typed := typedDeployment()
	e, err := event.FromObject(team, event.Update, deployments, typed, &event.Options{Kind: "Deployment"})
	require.NoError(t, err)
	require.Equal(t, typedDeployment(), typed, "the object was changed")
	require.Equal(t, web, e.Resource)
	require.Equal(t, team, e.Destination)
	require.WithinDuration(t, time.Now(), e.Time, time.Minute)
	require.True(t, strings.HasPrefix(string(e.Content.Bytes()), "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: default\nspec:\n  replicas: 3\n"), "%s", e.Content)

	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	require.NoError(t, err)
	for _, withType := range []bool{false, true} {
		if withType {
			content["apiVersion"], content["kind"] = "apps/v1", "Deployment"
		}
		same, err := event.FromObject(team, event.Update, deployments, &unstructured.Unstructured{Object: content}, &event.Options{Kind: "Deployment"})
		require.NoError(t, err)
		require.Equal(t, string(e.Content.Bytes()), string(same.Content.Bytes()))
		require.Equal(t, withType, content["apiVersion"] != nil, "the object was changed")
	}
}

func TestFromObjectTakesItsOptionsOver(t *testing.T) {
	opts := &event.Options{
		Kind: "Deployment", Precondition: event.IfAbsent, Listed: true, Author: event.Author{Name: "Ada", Email: "ada@example.com"}, Time: time.Unix(1, 0),
	}
	e, err := event.FromObject(team, event.Create, deployments, typedDeployment(), opts)
	require.NoError(t, err)
	require.Equal(t, opts, &event.Options{Kind: e.Resource.Kind, Precondition: e.Precondition, Listed: e.Listed, Author: e.Author, Time: e.Time})

	e, err = event.FromObject(team, event.Delete, deployments, typedDeployment(), opts)
	require.NoError(t, err)
	require.Equal(t, event.Event{Destination: team, Operation: event.Delete, Resource: web, Author: opts.Author, Time: opts.Time}, e)
}

// unconvertible is a typed object with a field that JSON cannot hold.
type unconvertible struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	C                 chan int `json:"c"`
}

func (u *unconvertible) DeepCopyObject() runtime.Object { return u }

func TestFromObjectRefusesWhatIsIncomplete(t *testing.T) {
	for name, c := range map[string]struct {
		destination destination.Destination
		op          event.Operation
		obj         runtime.Object
		opts        *event.Options
		fault       string
	}{
		"no kind":          {team, event.Create, typedDeployment(), nil, "kind"},
		"no destination":   {destination.Destination{}, event.Create, typedDeployment(), &event.Options{Kind: "Deployment"}, "Destination"},
		"no branch":        {destination.Destination{Ref: team.Ref, Repository: team.Repository}, event.Delete, typedDeployment(), nil, "Branch"},
		"no name":          {team, event.Delete, &appsv1.Deployment{}, nil, "Resource.Name"},
		"seed sync":        {team, event.SeedSync, typedDeployment(), nil, "SEED_SYNC"},
		"no operation":     {team, "", typedDeployment(), nil, "Operation"},
		"no object":        {team, event.Create, nil, nil, "object"},
		"not an object":    {team, event.Create, &metav1.Status{}, nil, "object"},
		"another version":  {team, event.Create, object(t, `{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: x}}`), nil, `"apps/v1beta1"`},
		"no JSON":          {team, event.Create, &unconvertible{ObjectMeta: typedDeployment().ObjectMeta, C: make(chan int)}, &event.Options{Kind: "Deployment"}, "convert"},
		"another Go value": {team, event.Create, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "x"}, "spec": struct{}{}}}, nil, "struct"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := event.FromObject(c.destination, c.op, deployments, c.obj, c.opts)
			require.ErrorContains(t, err, c.fault)
			require.Equal(t, event.Event{}, e)
		})
	}
}

func TestFromResourceMakesDeletesOnly(t *testing.T) {
	e, err := event.FromResource(team, event.Delete, web)
	require.NoError(t, err)
	require.Equal(t, web, e.Resource)
	require.Nil(t, e.Content)
	require.False(t, e.Time.IsZero())
	for _, op := range []event.Operation{event.Create, event.Update, event.SeedSync, ""} {
		_, err := event.FromResource(team, op, web)
		require.ErrorIs(t, err, event.ErrIncomplete, "%s", op)
	}
}

func TestASecretIsRefusedWithoutAnEncryptorAndNeverQuoted(t *testing.T) {
	typed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db"}, StringData: map[string]string{"password": "hunter2"}}
	dynamic := object(t, `{apiVersion: v1, kind: Secret, metadata: {namespace: default, name: db}, stringData: {password: hunter2}}`)
	for _, opts := range []*event.Options{nil, {}, {Kind: "Secret"}, {Kind: "ConfigMap"}} {
		for _, obj := range []runtime.Object{typed, dynamic} {
			e, err := event.FromObject(team, event.Create, secrets, obj, opts)
			require.ErrorIs(t, err, event.ErrSecret)
			require.ErrorContains(t, err, "secrets/default/db")
			require.NotContains(t, err.Error(), "hunter2")
			require.Equal(t, event.Event{}, e)
		}
		_, err := event.FromObject(team, event.Create, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, dynamic, opts)
		require.ErrorIs(t, err, event.ErrSecret, "a Secret under another resource")
		_, err = event.ContentOf(dynamic, opts)
		require.ErrorIs(t, err, event.ErrSecret)
	}
	_, err := event.FromObject(team, event.Delete, secrets, typed, nil)
	require.NoError(t, err, "a delete shows nothing")

	_, err = event.FromObject(team, event.Create, secrets, typed, &event.Options{Encryptor: refusing{t}})
	require.ErrorIs(t, err, event.ErrIncomplete, "an Encryptor is there, a kind is not")

	opts := &event.Options{Kind: "Secret", Encryptor: refusing{t}}
	for _, obj := range []runtime.Object{typed, dynamic} {
		e, err := event.FromObject(team, event.Create, secrets, obj, opts)
		require.NoError(t, err)
		require.Contains(t, string(e.Content.Bytes()), "hunter2")
	}
}

func TestASecretThatCannotBeEncodedIsNotQuotedEither(t *testing.T) {
	for _, value := range []any{"hunter2\xff", []byte("hunter2"), map[string]string{"a": "hunter2"}} {
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "db"}, "data": map[string]any{"a": value},
		}}
		_, err := event.FromObject(team, event.Create, secrets, obj, &event.Options{Encryptor: refusing{t}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestOnlyTheSecretsOfTheCoreGroupAreSecrets(t *testing.T) {
	require.True(t, event.IsSecret(event.ID{Resource: "secrets", Name: "x"}))
	require.False(t, event.IsSecret(event.ID{Group: "example.com", Resource: "secrets", Name: "x"}))
	require.False(t, event.IsSecret(event.ID{Resource: "configmaps", Name: "x"}))
	_, err := event.ContentOf(object(t, `{apiVersion: example.com/v1, kind: Secret, metadata: {name: x}}`), nil)
	require.NoError(t, err)
}

func TestContentNeedsAKind(t *testing.T) {
	for _, obj := range []*unstructured.Unstructured{{}, {Object: map[string]any{"kind": "Pod"}}, {Object: map[string]any{"apiVersion": "v1"}}} {
		_, err := event.ContentOf(obj, nil)
		require.ErrorIs(t, err, event.ErrIncomplete)
	}
	_, err := event.ContentOf(nil, nil)
	require.Error(t, err)
}
