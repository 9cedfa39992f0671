package queue_test

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/queue"
)

// An operator that has informers already feeds a queue from them. The handlers never wait: the
// queue here has room for one event.
func ExampleFeeder() {
	cluster := clustertest.New(nil) // stands in for a cluster
	defer cluster.Close()
	for _, name := range []string{"a", "b", "c"} {
		_ = cluster.Apply(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "default"},
		}})
	}
	client, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, time.Hour, metav1.NamespaceDefault, nil)
	informer := factory.ForResource(configMaps)
	prod := destination.Destination{
		Ref: destination.Ref{Namespace: "default", Name: "prod"}, Repository: "https://git.example/org/repo", Branch: "main",
	}

	lines := queue.NewSharded(&queue.Options{MaxEventsPerKey: 1})
	current := func(_ context.Context, d destination.Destination, id event.ID) (event.Event, error) {
		resource := event.Resource{ID: id, Version: "v1", Kind: "ConfigMap"}
		found, err := informer.Lister().ByNamespace(id.Namespace).Get(id.Name)
		if err != nil { // a cache has no other error than that it has no such object
			return event.Event{Destination: d, Operation: event.Delete, Resource: resource}, nil
		}
		content, err := event.ContentOf(found.(*unstructured.Unstructured), nil)
		return event.Event{Destination: d, Operation: event.Update, Resource: resource, Content: content}, err
	}
	feeder := queue.NewFeeder(lines, current, nil)
	offer := func(object any) {
		if gone, is := object.(cache.DeletedFinalStateUnknown); is {
			object = gone.Obj
		}
		u := object.(*unstructured.Unstructured)
		id := event.ID{Resource: configMaps.Resource, Namespace: u.GetNamespace(), Name: u.GetName()}
		e, err := current(context.Background(), prod, id)
		if err == nil {
			err = feeder.Offer(e)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	handler, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: offer, UpdateFunc: func(_, object any) { offer(object) }, DeleteFunc: offer,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) // the cache has all earlier
	ended := make(chan error, 1)
	go func() { ended <- feeder.Run(ctx) }()

	// When all that lives was offered, the files of what does not live can go.
	live := event.NewInventory([]event.Collection{{Resource: configMaps.Resource, Namespace: metav1.NamespaceDefault}},
		func(event.Collection) (all []event.Resource, err error) {
			objects, err := informer.Lister().List(labels.Everything())
			for _, object := range objects {
				u := object.(*unstructured.Unstructured)
				id := event.ID{Resource: configMaps.Resource, Namespace: u.GetNamespace(), Name: u.GetName()}
				all = append(all, event.Resource{ID: id, Version: "v1", Kind: "ConfigMap"})
			}
			return all, err
		})
	if err := feeder.Offer(event.NewSeedSync(prod, live)); err != nil {
		fmt.Println(err)
	}

	files := map[string]bool{}
	for swept := false; !swept; {
		batch, err := lines.Next(ctx) // a queue.Runner with a gitsink.Writer does this
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, e := range batch.Events {
			if swept = e.Operation == event.SeedSync; !swept {
				files[e.Resource.ID.String()] = true
			}
		}
		if err := batch.Done(ctx); err != nil {
			fmt.Println(err)
		}
	}
	cancel()
	fmt.Println(len(files), "files, then a sweep:", <-ended)
	factory.Shutdown()
	// Output: 3 files, then a sweep: <nil>
}
