package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// credentials finds the Secret that a GitRepoConfig refers to, among the manifests or else in the
// cluster. It looks for each connection, so that a rotated Secret counts at once.
type credentials struct {
	manifests func() *manifest.Config
	client    dynamic.Interface

	mu sync.Mutex
	// used are the resourceVersions of the Secrets that were read; "": there was none.
	used map[types.NamespacedName]string
}

func newCredentials(manifests func() *manifest.Config, cluster *rest.Config) (*credentials, error) {
	cluster = rest.CopyConfig(cluster)
	if cluster.QPS == 0 && cluster.RateLimiter == nil {
		cluster.QPS = -1 // there is a request for each destination that has something to write
	}
	client, err := dynamic.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return &credentials{manifests: manifests, client: client, used: map[types.NamespacedName]string{}}, nil
}

func (c *credentials) auth(ctx context.Context, d destination.Destination) (gogit.Auth, error) {
	m := c.manifests()
	ref, ok := m.Credentials[d.RepositoryRef]
	if !ok {
		return gogit.Auth{}, nil
	}
	data, ok := m.Secrets[ref]
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

var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

func (c *credentials) fromCluster(ctx context.Context, ref types.NamespacedName) (manifest.Secret, error) {
	obj, err := c.client.Resource(secrets).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		c.use(ref, "")
		// stays until somebody makes or allows it
		return nil, fmt.Errorf("%w: Secret %s is neither among the manifests nor to be read from the cluster: %w", gitsink.ErrNoCredentials, ref, err)
	}
	if err != nil {
		return nil, err
	}
	c.use(ref, obj.GetResourceVersion())
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

func (c *credentials) use(ref types.NamespacedName, version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[ref] = version
}

// changed reports whether the Secret of a repository is in the cluster, and another than was read
// last.
func (c *credentials) changed(ctx context.Context, repository destination.Ref) bool {
	m := c.manifests()
	ref, needed := m.Credentials[repository]
	if _, there := m.Secrets[ref]; there || !needed {
		return false
	}
	obj, err := c.client.Resource(secrets).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used[ref] != obj.GetResourceVersion()
}

// refusesCredentials reports whether a destination cannot be written to for want of others.
func refusesCredentials(st kubescribe.DestinationStatus) bool {
	_, reason, _ := st.Ready()
	return reason == gitsink.ReasonUnauthorized || reason == gitsink.ReasonCredentialsMissing
}
