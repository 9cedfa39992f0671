package main

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

var (
	configMaps   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	clusterRoles = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
)

// item is an object and the type that it is created as.
type item struct {
	of     schema.GroupVersionResource
	object *unstructured.Unstructured
}

func newItem(of schema.GroupVersionResource, kind, namespace, name string, fields map[string]any) item {
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(of.GroupVersion().WithKind(kind))
	u.SetNamespace(namespace)
	u.SetName(name)
	return item{of, u}
}

func configMap(name, value, stage string) item {
	it := newItem(configMaps, "ConfigMap", "default", name, map[string]any{"data": map[string]any{"value": value}})
	it.object.SetLabels(map[string]string{"stage": stage})
	return it
}

func deployment(name string, replicas int64) item {
	return newItem(deployments, "Deployment", "default", name, map[string]any{"spec": map[string]any{
		"replicas": replicas,
		"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
		"template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"app": name}},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": name, "image": "registry.example/" + name}}},
		},
	}})
}

func clusterRole(name string) item {
	return newItem(clusterRoles, "ClusterRole", "", name, map[string]any{"rules": []any{
		map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get"}},
	}})
}

// apply creates the objects, or updates those that are there.
func apply(ctx context.Context, client dynamic.Interface, items ...item) error {
	for _, it := range items {
		c := client.Resource(it.of).Namespace(it.object.GetNamespace())
		_, err := c.Create(ctx, it.object, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			old, err := c.Get(ctx, it.object.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			it.object.SetResourceVersion(old.GetResourceVersion())
			_, err = c.Update(ctx, it.object, metav1.UpdateOptions{})
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func remove(ctx context.Context, client dynamic.Interface, of schema.GroupVersionResource, name string) error {
	return client.Resource(of).Namespace("default").Delete(ctx, name, metav1.DeleteOptions{})
}
