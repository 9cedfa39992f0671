package gogit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// scope brings the store to a commit with the trees on the way to the folders and below them, and no others: the cost
// follows the folders, not the repository. Trees are wanted by their hashes, level by level, all of a level in one request;
// a folder of which nothing is known comes whole. Nothing is said to be had: the server would take us to have all that the
// commit reaches, and leave out a tree that somebody has copied into our folder from elsewhere.
func (r *remote) scope(ctx context.Context, sender *session, want plumbing.Hash, folders []string) error {
	q := &requester{remote: r, session: sender}
	defer q.close()
	s := r.lane.store
	got, err := q.fetch(ctx, fetchRequest{wants: []plumbing.Hash{want}, depth: 1, filter: packp.FilterTreeDepth(1)})
	if err != nil {
		return err
	}
	root, err := rootOf(got.commits[want])
	if err != nil {
		return fmt.Errorf("commit %s: %w", want, err)
	}
	s.addAll(got.trees)
	patience := maxLevels + levels(folders)
	for round := 0; ; round++ {
		single, whole, err := s.missing(root, folders)
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
	s.advance(want, root)
	return s.within(r.sink.opts.MaxHeldBytes)
}

// maxLevels is how many levels below a base folder are asked for one by one. What lies deeper comes whole: a request for each of
// a thousand levels would take minutes.
const maxLevels = 16

// levels is the depth of the deepest of the folders.
func levels(folders []string) (deepest int) {
	for _, folder := range folders {
		deepest = max(deepest, strings.Count(folder, "/")+1)
	}
	return deepest
}

// requester asks one service of a repository several times. Over HTTP that needs one advertisement; elsewhere the server
// leaves after each answer.
type requester struct {
	*remote
	session *session
	own     bool // the session is to be closed here
	used    bool
}

func (q *requester) fetch(ctx context.Context, req fetchRequest) (unpacked, error) {
	if q.used && !strings.HasPrefix(q.dst.Repository, "http") {
		next, err := q.open(ctx, uploadPack)
		if err != nil {
			return unpacked{}, err
		}
		q.close()
		q.session, q.own = next, true
	}
	q.used = true
	req.limit = q.sink.opts.MaxPackBytes
	got, _, err := q.remote.fetch(ctx, q.session, req)
	return got, err
}

// trees adds trees to the store, each of which must come.
func (q *requester) trees(ctx context.Context, wants []plumbing.Hash, filter packp.Filter) error {
	if len(wants) == 0 {
		return nil
	}
	got, err := q.fetch(ctx, fetchRequest{wants: wants, filter: filter})
	if err != nil {
		return err
	}
	q.lane.store.addAll(got.trees)
	if limit := q.sink.opts.MaxHeldBytes; q.lane.store.size > 2*limit { // with what the tip before had
		return heldTooMuch(limit)
	}
	for _, hash := range wants {
		if _, err := q.lane.store.tree(hash); err != nil {
			return err
		}
	}
	return nil
}

func (q *requester) close() {
	if q.own {
		q.session.close()
	}
}

// covers tells whether the store has all of the folders at its tip.
func (s *store) covers(folders []string) bool {
	if s.complete {
		return true
	}
	single, whole, err := s.missing(s.root, folders)
	return err == nil && len(single) == 0 && len(whole) == 0
}

// missing returns the trees that are wanted next to have all of the folders below root: the first one that is missing on the
// way to a folder, and those below a folder whose parents are here. A folder itself is wanted whole if nothing was known of
// it before. A folder that is no folder has nothing to want: the plan's error is for the view to make.
func (s *store) missing(root plumbing.Hash, folders []string) (single, whole []plumbing.Hash, err error) {
	ones, wholes := map[plumbing.Hash]bool{}, map[plumbing.Hash]bool{}
	for _, folder := range folders {
		hash, arrived := s.walk(root, folder)
		switch {
		case hash.IsZero():
		case !arrived:
			ones[hash] = true
		case s.closed[hash]:
			s.folders[folder] = true
		case !s.has(hash) && !s.folders[folder]:
			wholes[hash] = true
		default:
			below := map[plumbing.Hash]bool{}
			if err := s.below(hash, below); err != nil {
				return nil, nil, err
			}
			maps.Copy(ones, below)
			if len(below) == 0 {
				s.folders[folder] = true
			}
		}
	}
	return slices.Collect(maps.Keys(ones)), slices.Collect(maps.Keys(wholes)), nil
}

// walk goes from root towards a folder. If it arrives, hash is the folder's tree, which need not be here, or zero: there is
// none. Else it is the tree on the way that is missing.
func (s *store) walk(root plumbing.Hash, folder string) (hash plumbing.Hash, arrived bool) {
	hash = root
	for name := range components(folder) {
		if !s.has(hash) {
			return hash, false
		}
		e, ok := lookup(s.trees[hash], name)
		if !ok || !e.isTree() {
			return plumbing.ZeroHash, true
		}
		hash = e.hash
	}
	return hash, true
}

// below collects the trees that are missing at or below hash. Without any, all of them are closed: with a closed tree
// everything below it is here, so that nobody has to look again. Each tree is looked into once, however often it stands there,
// and on a work list: the depth is somebody else's to choose.
func (s *store) below(hash plumbing.Hash, missing map[plumbing.Hash]bool) error {
	type visit struct {
		hash plumbing.Hash
		left string // of the tree
		open bool   // a tree is missing in it
	}
	found := map[plumbing.Hash]bool{} // trees that were left, and whether one is missing in them
	var way []visit
	// enter reports whether something is missing at a tree that need not be looked into.
	enter := func(hash plumbing.Hash) (open bool) {
		tree, here := s.trees[hash]
		open, known := found[hash]
		switch {
		case known:
			return open
		case s.closed[hash]:
			return false
		case !here:
			missing[hash] = true
			return true
		}
		way = append(way, visit{hash: hash, left: tree})
		return false
	}
	open := enter(hash)
	for len(way) > 0 {
		last := &way[len(way)-1]
		last.open = last.open || open
		open = false
		if last.left == "" {
			open = last.open
			if found[last.hash] = open; !open {
				s.closed[last.hash] = true
			}
			way = way[:len(way)-1]
			continue
		}
		e, rest, ok := cutEntry(last.left)
		if !ok {
			return fmt.Errorf("tree %s: %w", last.hash, errDamaged)
		}
		if last.left = rest; e.isTree() {
			open = enter(e.hash)
		}
	}
	return nil
}
