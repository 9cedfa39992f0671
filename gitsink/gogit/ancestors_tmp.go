package gogit

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
)

func (r *remote) ancestors(ctx context.Context, tip plumbing.Hash, wanted []plumbing.Hash) (map[plumbing.Hash]bool, error) {
	got, err := r.request(ctx, fetchRequest{wants: []plumbing.Hash{tip}, depth: 1000, limit: r.sink.opts.MaxPackBytes})
	in := map[plumbing.Hash]bool{}
	for _, w := range wanted {
		if _, ok := got.commits[w]; ok {
			in[w] = true
		}
	}
	return in, err
}
