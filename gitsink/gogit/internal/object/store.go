package object

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrIncomplete means that an object is missing that must be there. It is never read as an empty
// folder: the files of the folder would be taken for removed.
var ErrIncomplete = errors.New("object is missing")

const (
	objectOverhead = 96      // what a map entry costs beside its content
	sweepSlack     = 1 << 20 // superseded trees that are not worth a sweep
)

// Store is what a lane knows of its branch: trees of one commit, and a few small files. A
// complete one holds all trees of the commit; the other kind those on the way to some folders,
// and below these. A store in doubt is replaced, not repaired. It is not safe for concurrent use.
type Store struct {
	Tip      ID   // the commit whose trees are here; zero: nothing is
	Root     ID   // its tree
	Shallows []ID // of a complete one: where the history known to it begins
	Trees    Map[string]
	Blobs    blobCache
	Size     int64 // of all trees
	live     int64 // of those that the last sweep left

	Complete bool
	// Of the other kind.
	closed  Map[bool]       // trees with which all below them are here
	folders map[string]bool // base folders that were here once: of their trees most will still be
}

// NewStore returns a Store that is at no commit.
func NewStore() *Store {
	return &Store{folders: map[string]bool{}}
}

// Memory returns the bytes that the Store takes, about.
func (s *Store) Memory() int64 {
	return s.Size + int64(s.Blobs.size()) + int64(s.closed.Len())*objectOverhead/2
}

// Add takes a tree in. Large ones that other stores have as well are in memory once.
func (s *Store) Add(hash ID, tree string) {
	if !s.Trees.Has(hash) {
		s.Trees.Set(hash, shared.tree(hash, tree))
		s.Size += int64(len(tree)) + objectOverhead
	}
}

func (s *Store) has(hash ID) bool { return s.Trees.Has(hash) }

// AddAll takes trees in.
func (s *Store) AddAll(trees *Map[string]) {
	for hash, tree := range trees.All() {
		s.Add(hash, tree)
	}
}

// Lookup returns a tree that the server has.
func (s *Store) Lookup(hash ID) (tree string, ok bool) {
	return s.Trees.Get(hash)
}

// Tree returns the content of a tree; the zero hash is the tree that does not exist.
func (s *Store) Tree(hash ID) (string, error) {
	tree, ok := s.Trees.Get(hash)
	if !ok && !hash.IsZero() {
		return "", fmt.Errorf("tree %s: %w", hash, ErrIncomplete)
	}
	return tree, nil
}

// Receive takes all new trees of a commit and makes it the tip of a complete store. It checks the
// new trees only, since the others were checked before. On an error the store is not to be used
// any more.
func (s *Store) Receive(commit, root ID, trees *Map[string]) error {
	s.AddAll(trees)
	if _, err := s.Tree(root); err != nil {
		return err
	}
	for hash, tree := range trees.All() {
		if err := s.check(hash, tree); err != nil {
			return err
		}
	}
	s.Complete = true
	s.Advance(commit, root)
	return nil
}

// check fails if a tree is damaged or a tree in it is missing.
func (s *Store) check(hash ID, tree string) error {
	for e, err := range Entries(hash.format, tree) {
		if err != nil {
			return fmt.Errorf("tree %s: %w", hash, err)
		}
		if e.IsTree() {
			if _, err := s.Tree(e.ID()); err != nil {
				return fmt.Errorf("%q in tree %s: %w", e.Name, hash, err)
			}
		}
	}
	return nil
}

// Within fails if the trees of the tip take more memory than they may, whatever they came in.
func (s *Store) Within(limit int64) error {
	if s.Size > limit {
		s.sweep()
	}
	if s.Size > limit {
		return HeldTooMuch(limit)
	}
	return nil
}

// HeldTooMuch is the error of trees that take more memory than they may.
func HeldTooMuch(limit int64) error {
	return &LimitError{fmt.Sprintf("the trees of the branch take more than %d bytes of memory: raise MaxHeldBytes", limit)}
}

// Advance makes commit the tip, and drops what it has superseded once that is more than the half.
func (s *Store) Advance(commit, root ID) {
	s.Tip, s.Root = commit, root
	if s.Size > 2*s.live+sweepSlack {
		s.sweep()
	}
}

func (s *Store) sweep() {
	all := s.Trees
	s.Trees, s.Size = all.grown(), 0
	pending := []ID{s.Root}
	for len(pending) > 0 {
		hash := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		tree, ok := all.Get(hash)
		if s.Trees.Has(hash) || !ok {
			continue
		}
		s.Add(hash, tree)
		for e, err := range Entries(hash.format, tree) {
			if err == nil && e.IsTree() {
				pending = append(pending, e.ID())
			}
		}
	}
	for hash := range s.closed.All() {
		if !s.Trees.Has(hash) {
			s.closed.Delete(hash)
		}
	}
	s.live = s.Size
}

const (
	cachedBlob = 64 << 10  // a larger file is not worth keeping
	youngBlobs = 128 << 10 // and twice that is all that is kept
	// pushedBlobs is kept of one push. Few of its files are ever read: those of a base folder's
	// owner, attributes, and what is encrypted.
	pushedBlobs = 64 << 10
	manyBlobs   = 64
	fewOfMany   = 4
)

// blobCache keeps small files that were read or written lately, in two generations.
type blobCache struct {
	young, old Map[string]
	youngSize  int
	oldSize    int
}

func (c *blobCache) size() int { return c.youngSize + c.oldSize }

// Get returns the content of a file that is kept.
func (c *blobCache) Get(hash ID) (string, bool) {
	data, ok := c.young.Get(hash)
	if !ok {
		if data, ok = c.old.Get(hash); ok {
			c.Put(hash, data)
		}
	}
	return data, ok
}

// PutPushed keeps the smallest of the files that were pushed: of a seed a few, since it would
// fill the memory of each lane with the same objects.
func (c *blobCache) PutPushed(blobs map[ID][]byte) {
	left := pushedBlobs
	for i, hash := range slices.SortedFunc(maps.Keys(blobs), func(a, b ID) int { return len(blobs[a]) - len(blobs[b]) }) {
		if left -= len(blobs[hash]) + objectOverhead; left < 0 || i == fewOfMany && len(blobs) > manyBlobs {
			return
		}
		c.Put(hash, string(blobs[hash])) // the plan's data is the caller's
	}
}

// Put keeps the content of a file, unless it is too large.
func (c *blobCache) Put(hash ID, data string) {
	if c.young.Has(hash) || len(data) > cachedBlob {
		return
	}
	if c.youngSize > youngBlobs {
		c.old, c.oldSize = c.young, c.youngSize
		c.young, c.youngSize = Map[string]{}, 0
	}
	c.young.Set(hash, data)
	c.youngSize += len(data) + objectOverhead
}
