package gogit

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// errIncomplete means that an object is missing that must be there. It is never read as an empty folder: the files of
// the folder would be taken for removed.
var errIncomplete = errors.New("object is missing")

const (
	objectOverhead = 96      // what a map entry costs beside its content
	sweepSlack     = 1 << 20 // superseded trees that are not worth a sweep
)

// store is what a lane knows of its branch: trees of one commit, and a few small files. A complete one holds all trees of
// the commit; the other kind those on the way to some folders, and below these. A store in doubt is replaced, not
// repaired. It is not safe for concurrent use.
type store struct {
	tip      plumbing.Hash   // the commit whose trees are here; zero: nothing is
	root     plumbing.Hash   // its tree
	shallows []plumbing.Hash // of a complete one: the commits at which the history known to it begins (gitprotocol-pack(5))
	trees    map[plumbing.Hash]string
	blobs    blobCache
	size     int64 // of all trees
	live     int64 // of those that the last sweep left

	complete bool
	// Of the other kind.
	closed  map[plumbing.Hash]bool // trees with which all below them are here
	folders map[string]bool        // base folders that were here once: of their trees most will still be
}

func newStore() *store {
	return &store{trees: map[plumbing.Hash]string{}, closed: map[plumbing.Hash]bool{}, folders: map[string]bool{}}
}

func (s *store) memory() int64 {
	return s.size + int64(s.blobs.size()) + int64(len(s.closed))*objectOverhead/2
}

func (s *store) add(hash plumbing.Hash, tree string) {
	if _, ok := s.trees[hash]; !ok {
		s.trees[hash] = tree
		s.size += int64(len(tree)) + objectOverhead
	}
}

func (s *store) has(hash plumbing.Hash) bool { _, ok := s.trees[hash]; return ok }

func (s *store) addAll(trees map[plumbing.Hash]string) {
	for hash, tree := range trees {
		s.add(hash, tree)
	}
}

// lookup returns a tree that the server has.
func (s *store) lookup(hash plumbing.Hash) (tree string, ok bool) {
	tree, ok = s.trees[hash]
	return tree, ok
}

// tree returns the content of a tree; the zero hash is the tree that does not exist.
func (s *store) tree(hash plumbing.Hash) (string, error) {
	tree, ok := s.trees[hash]
	if !ok && !hash.IsZero() {
		return "", fmt.Errorf("tree %s: %w", hash, errIncomplete)
	}
	return tree, nil
}

// receive takes all new trees of a commit and makes it the tip of a complete store. It checks the new trees only, since the
// others were checked before. On an error the store is not to be used any more.
func (s *store) receive(commit, root plumbing.Hash, trees map[plumbing.Hash]string) error {
	s.addAll(trees)
	if _, err := s.tree(root); err != nil {
		return err
	}
	for hash, tree := range trees {
		if err := s.check(hash, tree); err != nil {
			return err
		}
	}
	s.complete = true
	s.advance(commit, root)
	return nil
}

// check fails if a tree is damaged or a tree in it is missing.
func (s *store) check(hash plumbing.Hash, tree string) error {
	for e, err := range entries(tree) {
		if err != nil {
			return fmt.Errorf("tree %s: %w", hash, err)
		}
		if e.isTree() {
			if _, err := s.tree(e.hash); err != nil {
				return fmt.Errorf("%q in tree %s: %w", e.name, hash, err)
			}
		}
	}
	return nil
}

// within fails if the trees of the tip take more memory than they may, whatever they came in.
func (s *store) within(limit int64) error {
	if s.size > limit {
		s.sweep()
	}
	if s.size > limit {
		return heldTooMuch(limit)
	}
	return nil
}

func heldTooMuch(limit int64) error {
	return &limitError{fmt.Sprintf("the trees of the branch take more than %d bytes of memory: raise MaxHeldBytes", limit)}
}

// advance makes commit the tip, and drops what it has superseded once that is more than the half.
func (s *store) advance(commit, root plumbing.Hash) {
	s.tip, s.root = commit, root
	if s.size > 2*s.live+sweepSlack {
		s.sweep()
	}
}

func (s *store) sweep() {
	all := s.trees
	s.trees, s.size = make(map[plumbing.Hash]string, len(all)/2), 0
	pending := []plumbing.Hash{s.root}
	for len(pending) > 0 {
		hash := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		tree, ok := all[hash]
		if _, done := s.trees[hash]; done || !ok {
			continue
		}
		s.add(hash, tree)
		for e, err := range entries(tree) {
			if err == nil && e.isTree() {
				pending = append(pending, e.hash)
			}
		}
	}
	for hash := range s.closed {
		if _, ok := s.trees[hash]; !ok {
			delete(s.closed, hash)
		}
	}
	s.live = s.size
}

const (
	cachedBlob = 64 << 10  // a larger file is not worth keeping
	youngBlobs = 512 << 10 // and twice that is all that is kept
)

// blobCache keeps small files that were read or written lately, in two generations.
type blobCache struct {
	young, old map[plumbing.Hash]string
	youngSize  int
	oldSize    int
}

func (c *blobCache) size() int { return c.youngSize + c.oldSize }

func (c *blobCache) get(hash plumbing.Hash) (string, bool) {
	data, ok := c.young[hash]
	if !ok {
		if data, ok = c.old[hash]; ok {
			c.put(hash, data)
		}
	}
	return data, ok
}

func (c *blobCache) put(hash plumbing.Hash, data string) {
	if _, ok := c.young[hash]; ok || len(data) > cachedBlob {
		return
	}
	if c.young == nil || c.youngSize > youngBlobs {
		c.old, c.oldSize = c.young, c.youngSize
		c.young, c.youngSize = map[plumbing.Hash]string{}, 0
	}
	c.young[hash] = data
	c.youngSize += len(data) + objectOverhead
}
