package source

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// A running stream lists single namespaces again whose objects are matched otherwise since rules or the namespace's labels
// have changed. Its own goroutine does that, between two events of the watch, so that still nobody else delivers objects of
// its scope.

// listAnew lists what is outdated. After an error everything has to be listed.
func (s *stream) listAnew(ctx context.Context) error {
	if s.again.Load() || s.doubted() {
		return errAgain
	}
	namespaces, since := s.to.outdated(s)
	for _, namespace := range namespaces {
		version, err := eachPage(ctx, s.lists, s.in(namespace), s.page, func(items []unstructured.Unstructured) error {
			for i := range items {
				s.to.object(ctx, s, &items[i], listed)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		if older(version, s.newest) {
			return errWentBack
		}
		s.saw(version)
		s.to.relisted(ctx, s, namespace, since)
		s.ahead[namespace] = version
	}
	return nil
}

// stale tells whether a watch's event is about a time that a listing of its namespace has overtaken. It would bring back
// what is over. Where resource versions cannot be compared it comes through, and those that follow put it right.
func (s *stream) stale(obj *unstructured.Unstructured) bool {
	version, ok := s.ahead[obj.GetNamespace()]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), version)
	if err == nil && order <= 0 {
		return true
	}
	delete(s.ahead, obj.GetNamespace())
	return false
}

// probe asks again and again whether the server allows what it refused, until it does or ctx ends.
func (s *stream) probe(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := s.in(s.watch.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			s.to.allowed(s)
			return
		}
		s.to.failed(s, err)
		s.pause.rest(ctx, err)
	}
}
