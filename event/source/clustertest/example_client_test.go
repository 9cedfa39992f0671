package clustertest_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// Any client of Kubernetes works on a Cluster.
func ExampleNew() {
	cluster := clustertest.New(nil)
	defer cluster.Close()
	err := cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": "default", "name": "settings"},
		"data":     map[string]any{"color": "blue"},
	}})
	if err != nil {
		panic(err)
	}

	client, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		panic(err)
	}
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	list, err := client.Resource(configMaps).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	for _, object := range list.Items {
		fmt.Println(object.GetNamespace(), object.GetName())
	}
	// Output: default settings
}
