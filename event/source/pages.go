package source

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// The bounds of a listing in pages. The API server's own continue tokens live for about five minutes.
const (
	listBound = 15 * time.Minute
	maxPages  = 100_000
)

// ErrEndless is matched by the error of a listing that has no end: it takes too long, has too many pages, or comes back to a
// continue token that it has given before. It is begun anew after a pause; nothing of its type is deleted meanwhile.
var ErrEndless = errors.New("source: the listing has no end")

var tokenSeed = maphash.MakeSeed()

// eachPage lists in pages and returns the resource version of the listing. The consistent read that an unset resource
// version asks for is what makes "not in the listing" mean "does not exist".
//
// A page holds one of the slots while it is read and handed over. Between two pages others have their turn: a listing
// without an end must not keep them from theirs.
func eachPage(
	ctx context.Context, slots chan struct{}, c dynamic.ResourceInterface, limit int64, f func([]unstructured.Unstructured) error,
) (version string, err error) {
	bounded, cancel := context.WithTimeoutCause(ctx, listBound, fmt.Errorf("%w within %s", ErrEndless, listBound))
	defer cancel()
	defer func() {
		if cause := context.Cause(bounded); err != nil && errors.Is(cause, ErrEndless) {
			err = cause
		}
	}()
	opts := metav1.ListOptions{Limit: limit}
	seen := map[uint64]struct{}{} // the hashes of the continue tokens
	for {
		if opts.Continue, version, err = onePage(bounded, slots, c, opts, f); err != nil || opts.Continue == "" {
			return version, err
		}
		token := maphash.String(tokenSeed, opts.Continue)
		if _, again := seen[token]; again {
			return "", fmt.Errorf("%w: after %d pages a continue token comes again", ErrEndless, len(seen)+1)
		}
		if len(seen) == maxPages {
			return "", fmt.Errorf("%w after %d pages", ErrEndless, maxPages)
		}
		seen[token] = struct{}{}
	}
}

func onePage(
	ctx context.Context, slots chan struct{}, c dynamic.ResourceInterface, opts metav1.ListOptions, f func([]unstructured.Unstructured) error,
) (next, version string, err error) {
	leave, err := enter(ctx, slots)
	if err != nil {
		return "", "", err
	}
	defer leave()
	list, err := c.List(ctx, opts)
	if err != nil {
		return "", "", err
	}
	return list.GetContinue(), list.GetResourceVersion(), f(list.Items)
}

// enter waits for a place; leave gives it back.
func enter(ctx context.Context, slots chan struct{}) (leave func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
