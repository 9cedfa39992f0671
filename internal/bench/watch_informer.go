package main

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// informerFollower is client-go's informer on the dynamic client, with a handler. It is made as
// package dynamicinformer makes it; that package itself would have this program hold every typed
// client, and all its processes be larger for it.
type informerFollower struct {
	informer cache.SharedIndexInformer
	arrivals arrivals
}

func newInformerFollower(job watchJob, config *rest.Config) (follower, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	resource := client.Resource(configMaps).Namespace(metav1.NamespaceAll)
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return resource.Watch(ctx, options)
		},
	}, client)
	f := &informerFollower{
		informer: cache.NewSharedIndexInformerWithOptions(source, &unstructured.Unstructured{}, cache.SharedIndexInformerOptions{
			Indexers:          cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc},
			ObjectDescription: configMaps.String(),
		}),
		arrivals: make(arrivals, job.Writes),
	}
	if job.System == systemLean {
		err = f.informer.SetTransform(withoutManagedFields)
	}
	return f, err
}

func withoutManagedFields(obj any) (any, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		u.SetManagedFields(nil)
	}
	return obj, nil
}

// sync ends when the handler has been told of all objects.
func (f *informerFollower) sync(ctx context.Context) error {
	handler, err := f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) {},
		UpdateFunc: func(_, obj any) {
			if u, ok := obj.(*unstructured.Unstructured); ok {
				f.arrivals.add(ctx, u.GetName())
			}
		},
	})
	if err != nil {
		return err
	}
	go f.informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
		return errors.Join(errNotSynced, ctx.Err())
	}
	return nil
}

var errNotSynced = errors.New("the informer has not synced")

func (f *informerFollower) arrived(ctx context.Context, name string, _ time.Time) (time.Time, error) {
	return f.arrivals.until(ctx, 1, func(a arrival) bool { return a.what == name })
}

func (f *informerFollower) window() time.Duration { return 0 }
