package event_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func Example() {
	d := destination.Destination{
		Ref:        destination.Ref{Namespace: "default", Name: "prod"},
		Repository: "https://git.example.com/team/config.git",
		Branch:     "main",
	}
	obj := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1f0e", ResourceVersion: "42"},
		Data:       map[string]string{"colour": "red"},
	}
	e, err := event.FromObject(d, event.Create, corev1.SchemeGroupVersion.WithResource("configmaps"), obj, &event.Options{Kind: "ConfigMap"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.DefaultLayout.Path(e.Resource))
	fmt.Printf("%s", e.Content.Bytes())
	// Output:
	// default/configmaps/web.yaml
	// apiVersion: v1
	// data:
	//   colour: red
	// kind: ConfigMap
	// metadata:
	//   name: web
	//   namespace: default
}

// The lister of an informer tells what lives. The informer's HasSynced must hold before anything is
// listed.
func ExampleNewInventory() {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	_ = indexer.Add(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}})
	lister, hasSynced := corelisters.NewConfigMapLister(indexer), func() bool { return true }

	configMaps := event.Collection{Resource: "configmaps", Namespace: "default"}
	live := event.NewInventory([]event.Collection{configMaps}, func(s event.Collection) ([]event.Resource, error) {
		if !hasSynced() {
			return nil, fmt.Errorf("the informer of %s has not synced", s)
		}
		objs, err := lister.ConfigMaps(s.Namespace).List(labels.Everything())
		if err != nil {
			return nil, err
		}
		var living []event.Resource
		for _, obj := range objs {
			living = append(living, event.Resource{ID: event.ID{Resource: s.Resource, Namespace: obj.Namespace, Name: obj.Name}})
		}
		return living, nil
	})

	err := live.View(func(v event.Snapshot) error {
		for o := range v.Objects() {
			fmt.Println(o.ID)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// configmaps/default/web
	// <nil>
}

func ExampleIgnored() {
	replicas, err := event.ParsePointer("/spec/replicas")
	if err != nil {
		fmt.Println(err)
	}
	ignored := event.NewIgnored(event.FieldSet{Paths: [][]string{replicas}, Labels: []string{"kro.run/*"}})
	content, err := event.ContentOf(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "labels": map[string]any{"kro.run/owned": "true"}},
		"spec":     map[string]any{"replicas": int64(3), "paused": true},
	}}, &event.Options{Ignored: ignored})
	fmt.Printf("%s%v\n", content.Bytes(), err)
	// Output:
	// apiVersion: apps/v1
	// kind: Deployment
	// metadata:
	//   name: web
	// spec:
	//   paused: true
	// <nil>
}
