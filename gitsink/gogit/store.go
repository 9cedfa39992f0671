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

// store is what a lane knows of its branch: the trees of one commit, and a few small files. It is closed: with a tree it
// holds all trees below it. A store in doubt is replaced, not repaired. It is not safe for concurrent use.
type store struct {
	tip      plumbing.Hash   // the commit whose trees are here; zero: nothing is
	root     plumbing.Hash   // its tree
	shallows []plumbing.Hash // the commits at which the history known to the store begins (gitprotocol-pack(5))
	trees    map[plumbing.Hash]string
	blobs    blobCache
	size     int64 // of all trees
	live     int64 // of those that the last sweep left
}

func newStore() *store { return &store{trees: map[plumbing.Hash]string{}} }

func (s *store) memory() int64 { return s.size + int64(s.blobs.size()) }

func (s *store) add(hash plumbing.Hash, tree string) {
	if _, ok := s.trees[hash]; !ok {
		s.trees[hash] = tree
		s.size += int64(len(tree)) + objectOverhead
	}
}

// tree returns the content of a tree; the zero hash is the tree that does not exist.
func (s *store) tree(hash plumbing.Hash) (string, error) {
	tree, ok := s.trees[hash]
	if !ok && !hash.IsZero() {
		return "", fmt.Errorf("tree %s: %w", hash, errIncomplete)
	}
	return tree, nil
}

// receive takes the trees of a fetch and makes commit the tip. All that it checks are the new trees, since the others were
// checked before. On an error the store is not to be used any more.
func (s *store) receive(commit, root plumbing.Hash, trees map[plumbing.Hash]string) error {
	for hash, tree := range trees {
		s.add(hash, tree)
	}
	if _, err := s.tree(root); err != nil {
		return err
	}
	for hash, tree := range trees {
		if err := s.closed(hash, tree); err != nil {
			return err
		}
	}
	s.advance(commit, root)
	return nil
}

func (s *store) closed(hash plumbing.Hash, tree string) error {
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
	s.live = s.size
}

// folder finds the tree at a slash path below root. The zero hash means that there is none; a file, symbolic link or
// submodule in its place is a *pathError.
func (s *store) folder(root plumbing.Hash, path string) (plumbing.Hash, error) {
	for name := range components(path) {
		tree, err := s.tree(root)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		e, ok := lookup(tree, name)
		if !ok {
			return plumbing.ZeroHash, nil
		}
		if !e.isTree() {
			return plumbing.ZeroHash, &pathError{path: path, reason: fmt.Sprintf("%q is a %s, not a folder", name, e.kind())}
		}
		root = e.hash
	}
	return root, nil
}

const (
	cachedBlob = 64 << 10  // a larger file is not worth keeping
	youngBlobs = 512 << 10 // and twice that is all that is kept
)

// blobCache keeps small files that were read or written lately, in two generations.
type blobCache struct {
	young, old map[plumbing.Hash][]byte
	youngSize  int
	oldSize    int
}

func (c *blobCache) size() int { return c.youngSize + c.oldSize }

func (c *blobCache) get(hash plumbing.Hash) ([]byte, bool) {
	data, ok := c.young[hash]
	if !ok {
		if data, ok = c.old[hash]; ok {
			c.put(hash, data)
		}
	}
	return data, ok
}

func (c *blobCache) put(hash plumbing.Hash, data []byte) {
	if _, ok := c.young[hash]; ok || len(data) > cachedBlob {
		return
	}
	if c.young == nil || c.youngSize > youngBlobs {
		c.old, c.oldSize = c.young, c.youngSize
		c.young, c.youngSize = map[plumbing.Hash][]byte{}, 0
	}
	c.young[hash] = data
	c.youngSize += len(data) + objectOverhead
}
