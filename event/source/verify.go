package source

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// askedName is the name in the field selector of the question for the server's clock. No object has
// it, so the answer holds nothing but the resource version.
const askedName = "-kubescribe-asks-for-the-resource-version-"

// fastestRestore is less than it takes to stop API server and etcd, to put back etcd's data and to
// start both again.
const fastestRestore = time.Second

// verify asks for the server's clock while a watch is open, and returns errWentBack if it is behind
// what was told before. A restore ends the watch, so that a later one is found when that is opened
// again.
func (r *reflector) verify(ctx context.Context) error {
	answer, err := r.in(r.namespace).list(ctx, metav1.ListOptions{Limit: 1, FieldSelector: "metadata.name=" + askedName}, drop)
	switch {
	case unanswerable(err):
		return nil
	case err != nil:
		return err
	}
	return r.compare(answer.version)
}

// drop is for lists of which the objects do not matter.
func drop(*object) error { return nil }

// compare returns errWentBack if a resource version that the server gives as its present is behind
// what the reflector was told before.
func (r *reflector) compare(version string) error {
	if older(version, r.newest) {
		return errWentBack
	}
	r.saw(version)
	return nil
}

// saw moves the newest version along that the reflector was told.
func (r *reflector) saw(version string) {
	if r.newest == "" || older(r.newest, version) {
		r.newest = version
	}
}

// unanswerable reports whether a server cannot be asked for its clock, now or ever. An aggregated
// one may not know the field selector.
func unanswerable(err error) bool {
	return apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// older reports whether a resource version is before another one; false where they cannot be
// compared.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}

// isFuture reports whether the server says that it was asked for a resource version which is still
// to come.
func isFuture(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}
