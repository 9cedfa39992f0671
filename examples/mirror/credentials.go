package main

import (
	"context"
	"encoding/base64"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// credentials finds the Secret that a GitRepoConfig refers to, among the manifests or else in the
// cluster. It looks for each connection, so that a rotated Secret counts at once.
type credentials struct {
	manifests *manifest.Config
	client    dynamic.Interface
}

func newCredentials(m *manifest.Config, cluster *rest.Config) (*credentials, error) {
	cluster = rest.CopyConfig(cluster)
	if cluster.QPS == 0 && cluster.RateLimiter == nil {
		cluster.QPS = -1 // there is a request for each destination that has something to write
	}
	client, err := dynamic.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return &credentials{manifests: m, client: client}, nil
}

func (c *credentials) auth(ctx context.Context, d destination.Destination) (gogit.Auth, error) {
	ref, ok := c.manifests.Credentials[d.RepositoryRef]
	if !ok {
		return gogit.Auth{}, nil
	}
	data, ok := c.manifests.Secrets[ref]
	if !ok {
		var err error
		if data, err = c.fromCluster(ctx, ref); err != nil {
			return gogit.Auth{}, err
		}
	}
	auth, err := gogit.AuthFromSecret(data)
	if err != nil {
		return gogit.Auth{}, fmt.Errorf("secret %s: %w", ref, err)
	}
	return auth, nil
}

func (c *credentials) fromCluster(ctx context.Context, ref types.NamespacedName) (manifest.Secret, error) {
	secrets := c.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"})
	obj, err := secrets.Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		// stays until somebody makes or allows it
		return nil, fmt.Errorf("%w: Secret %s is neither among the manifests nor to be read from the cluster: %w", gitsink.ErrNoCredentials, ref, err)
	}
	if err != nil {
		return nil, err
	}
	encoded, _, err := unstructured.NestedStringMap(obj.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("secret %s: data is not a map of strings", ref)
	}
	data := manifest.Secret{}
	for key, value := range encoded {
		if data[key], err = base64.StdEncoding.DecodeString(value); err != nil {
			return nil, fmt.Errorf("secret %s: data[%q] is not base64", ref, key)
		}
	}
	return data, nil
}
