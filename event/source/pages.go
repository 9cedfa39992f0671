package source

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The bounds of a listing in pages. The API server's own continue tokens live for about five
// minutes.
const (
	listBound = 15 * time.Minute
	maxPages  = 100_000
)

// ErrEndless is matched by the error of a listing that has no end: it takes longer than 15 minutes,
// has more than 100,000 pages, or gives a continue token twice. It is begun again after a pause.
// Nothing of its type is deleted meanwhile.
var ErrEndless = errors.New("source: the listing has no end")

var tokenSeed = maphash.MakeSeed()

// eachPage lists in pages, gives each object to f, and returns the resource version of the listing.
// An unset resource version asks for a consistent read: only then does "not in the listing" mean
// "does not exist".
//
// A page takes a turn while it is read and handed over. Other listings have theirs between two
// pages, so one without an end does not hold them up.
func eachPage(
	ctx context.Context, turns chan struct{}, c collection, limit int64, f func(*object) error,
) (version string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, listBound, fmt.Errorf("%w within %s", ErrEndless, listBound))
	defer cancel()
	defer func() {
		if cause := context.Cause(limited); err != nil && errors.Is(cause, ErrEndless) {
			err = cause
		}
	}()
	opts, seen := metav1.ListOptions{Limit: limit}, tokens{}
	for {
		got, err := onePage(limited, turns, c, opts, f)
		if err != nil || got.next == "" {
			return got.version, err
		}
		if err := seen.add(got.next); err != nil {
			return "", err
		}
		opts.Continue = got.next
	}
}

// tokens are the hashes of the continue tokens of one listing.
type tokens map[uint64]struct{}

// add takes note of a token. It returns ErrEndless for one that comes again, or one too many.
func (t tokens) add(token string) error {
	hash := maphash.String(tokenSeed, token)
	if _, again := t[hash]; again {
		return fmt.Errorf("%w: after %d pages a continue token comes again", ErrEndless, len(t)+1)
	}
	if len(t) == maxPages {
		return fmt.Errorf("%w after %d pages", ErrEndless, maxPages)
	}
	t[hash] = struct{}{}
	return nil
}

func onePage(ctx context.Context, turns chan struct{}, c collection, opts metav1.ListOptions, f func(*object) error) (page, error) {
	leave, err := enter(ctx, turns)
	if err != nil {
		return page{}, err
	}
	defer leave()
	return c.list(ctx, opts, f)
}

// enter waits for a turn; leave ends it.
func enter(ctx context.Context, turns chan struct{}) (leave func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
