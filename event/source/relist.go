package source

import (
	"context"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// A running reflector lists single namespaces again whose objects are matched otherwise since rules
// or the namespace's labels have changed. Its own goroutine does that, between two events of the
// watch, so that still nobody else delivers objects of its namespaces.

// relist lists what is stale. After an error everything has to be listed.
func (r *reflector) relist(ctx context.Context) error {
	everything, single := r.handler.due()
	if everything {
		return errRelist
	}
	for _, li := range single {
		inside, of := r.look(ctx, listsNamespace, li.namespace)
		version, err := eachPage(inside, r.lists, r.in(li.namespace), r.page, func(obj *object) error {
			r.handler.upsert(ctx, obj, listed)
			return ctx.Err()
		})
		if err == nil {
			err = r.compare(version)
		}
		of.ended(ctx, err)
		if err != nil {
			return err
		}
		r.handler.listed(ctx, li)
		r.listedAt[li.namespace] = version
	}
	return nil
}

// overtaken reports whether a watch's event is about a time that a relist of its namespace has
// overtaken. It would bring back what is over. Where resource versions cannot be compared it comes
// through, and those that follow put it right.
func (r *reflector) overtaken(obj *object) bool {
	version, ok := r.listedAt[obj.name.Namespace]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.version, version)
	if err == nil && order <= 0 {
		return true
	}
	delete(r.listedAt, obj.name.Namespace)
	return false
}
