package kubescribe

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
)

// waitInterval is how often WaitSynced looks.
const waitInterval = 20 * time.Millisecond

// WaitSynced waits until every valid destination is synced, or has failed in a way that trying
// again cannot cure. It returns the failures, or ctx's error.
func (m *Mirror) WaitSynced(ctx context.Context) error {
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for {
		if done, err := m.synced(); done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (m *Mirror) synced() (bool, error) {
	var failed []error
	for _, st := range m.Status().Destinations {
		switch {
		case st.Synced, st.Destination == destination.Destination{}: // or it is not valid
		case st.Line.Permanent && !st.Line.Parked.IsZero(): // else it is being tried again
			failed = append(failed, st.Line.Err)
		case st.idle && st.Excluded != nil:
			failed = append(failed, fmt.Errorf("kubescribe: %s: %w: %d folders have a %s of their own, first %q", st.Destination.Ref,
				gitsink.ErrOwned, st.Excluded.Count, gitsink.OwnerFile, st.Excluded.Sample))
		case st.idle && (refused(st.Watch.Incomplete) || len(st.Watch.Incomplete) == 0 && len(st.Watch.Faults) > 0):
			for _, fault := range st.Watch.Faults {
				failed = append(failed, fmt.Errorf("kubescribe: %s: %w", st.Destination.Ref, fault))
			}
			for _, part := range st.Watch.Incomplete {
				failed = append(failed, fmt.Errorf("kubescribe: %s: %s cannot be listed: %w", st.Destination.Ref, part.Collection, part.Err))
			}
		default:
			return false, nil
		}
	}
	return true, errors.Join(failed...)
}

// refused reports whether the API server will go on saying no to all of them.
func refused(parts []source.Incomplete) bool {
	for _, part := range parts {
		if !apierrors.IsForbidden(part.Err) && !apierrors.IsUnauthorized(part.Err) &&
			!apierrors.IsNotFound(part.Err) && !apierrors.IsMethodNotSupported(part.Err) {
			return false
		}
	}
	return len(parts) > 0
}
