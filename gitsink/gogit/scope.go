package gogit

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// scope brings the store to a commit with the trees on the way to the folders and below them, and
// no others: the cost follows the folders, not the repository. Trees are wanted by their hashes,
// level by level, all of a level in one request; a folder of which nothing is known comes whole.
// Nothing is said to be had: the server would take us to have all that the commit reaches, and
// leave out a tree that somebody has copied into our folder from elsewhere.
func (r *remote) scope(ctx context.Context, sender *session, want object.ID, folders []string) error {
	q := &requester{remote: r, session: sender}
	defer q.close()
	s := r.lane.store
	got, err := q.fetch(ctx, fetchRequest{FetchRequest: smart.FetchRequest{
		Wants: []object.ID{want}, Depth: 1, Filter: packp.FilterTreeDepth(1),
	}})
	if err != nil {
		return err
	}
	text, _ := got.Commits.Get(want)
	root, err := object.RootOf(want.Format(), text)
	if err != nil {
		return fmt.Errorf("commit %s: %w", want, err)
	}
	s.AddAll(&got.Trees)
	patience := maxLevels + levels(folders)
	for round := 0; ; round++ {
		single, whole, err := s.Missing(root, folders)
		if err != nil {
			return err
		}
		if len(single) == 0 && len(whole) == 0 {
			break
		}
		if round > patience {
			single, whole = nil, append(whole, single...)
		}
		if err := q.trees(ctx, single, packp.FilterTreeDepth(0)); err != nil {
			return err
		}
		if err := q.trees(ctx, whole, packp.FilterBlobNone()); err != nil {
			return err
		}
	}
	s.Advance(want, root)
	return s.Within(r.sink.opts.MaxHeldBytes)
}

// maxLevels is how many levels below a base folder are asked for one by one. What lies deeper
// comes whole: a request for each of a thousand levels would take minutes.
const maxLevels = 16

// levels is the depth of the deepest of the folders.
func levels(folders []string) (deepest int) {
	for _, folder := range folders {
		deepest = max(deepest, strings.Count(folder, "/")+1)
	}
	return deepest
}

// requester asks one service of a repository several times. Over HTTP that needs one
// advertisement; elsewhere the server leaves after each answer.
type requester struct {
	remote  *remote
	session *session
	own     bool // the session is to be closed here
	used    bool
}

func (q *requester) fetch(ctx context.Context, req fetchRequest) (object.Unpacked, error) {
	if q.used && !strings.HasPrefix(q.remote.dst.Repository, "http") {
		next, err := q.remote.open(ctx, smart.UploadPack)
		if err != nil {
			return object.Unpacked{}, err
		}
		q.close()
		q.session, q.own = next, true
	}
	q.used = true
	req.together, req.limit = true, q.remote.sink.opts.MaxPackBytes
	got, _, err := q.remote.fetch(ctx, q.session, req)
	return got, err
}

// trees adds trees to the store, each of which must come.
func (q *requester) trees(ctx context.Context, wants []object.ID, filter packp.Filter) error {
	if len(wants) == 0 {
		return nil
	}
	got, err := q.fetch(ctx, fetchRequest{FetchRequest: smart.FetchRequest{Wants: wants, Filter: filter}})
	if err != nil {
		return err
	}
	q.remote.lane.store.AddAll(&got.Trees)
	// The old tip's are here, too.
	if limit := q.remote.sink.opts.MaxHeldBytes; q.remote.lane.store.Size > 2*limit {
		return object.HeldTooMuch(limit)
	}
	for _, hash := range wants {
		if _, err := q.remote.lane.store.Tree(hash); err != nil {
			return err
		}
	}
	return nil
}

func (q *requester) close() {
	if q.own {
		q.session.Close()
	}
}
