package gogit

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// historyDepth is how far ancestors looks back. Between a push whose answer was lost and the next look at the branch lie a
// few commits of others.
const historyDepth = 1000

// ancestors returns which of the wanted commits are among the last commits of tip. A server without filter sends along all
// that these commits hold; it is dropped as it arrives.
func (r *remote) ancestors(ctx context.Context, tip plumbing.Hash, wanted []plumbing.Hash) (map[plumbing.Hash]bool, error) {
	got, err := r.request(ctx, fetchRequest{
		FetchRequest: smart.FetchRequest{Wants: []plumbing.Hash{tip}, Depth: historyDepth, Filter: packp.FilterTreeDepth(0)},
		limit:        r.sink.opts.MaxPackBytes,
	})
	found := map[plumbing.Hash]bool{}
	for _, hash := range wanted {
		if _, ok := got.Commits[hash]; ok {
			found[hash] = true
		}
	}
	return found, err
}
