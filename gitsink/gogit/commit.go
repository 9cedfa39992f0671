package gogit

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// chain is what a group pushes: the commits of its plans in turn, on top of the branch, with all objects that are new in
// them. A plan sees what the plans before it have made.
type chain struct {
	store *store
	old   plumbing.Hash // the branch's tip, to compare and swap with; zero: there is no such branch
	tip   plumbing.Hash // the last commit; at first the one to build on, zero: none
	root  plumbing.Hash // its tree; zero: none

	objects []object
	trees   map[plumbing.Hash]string // of the objects
	blobs   map[plumbing.Hash][]byte
	size    int64
	parts   []part
	create  bool // the branch is wanted even without a new commit
}

// part is what one call has put into a chain.
type part struct {
	call    *call
	commits []made
}

// made is a commit and what it was made from.
type made struct {
	hash plumbing.Hash
	from gitsink.Commit
}

func newChain(s *store, old plumbing.Hash) *chain {
	return &chain{
		store: s, old: old, tip: s.tip, root: s.root, trees: map[plumbing.Hash]string{}, blobs: map[plumbing.Hash][]byte{},
	}
}

func (ch *chain) tree(hash plumbing.Hash) (string, error) {
	if tree, ok := ch.trees[hash]; ok {
		return tree, nil
	}
	return ch.store.tree(hash)
}

// nothing tells whether there is nothing to push.
func (ch *chain) nothing() bool {
	creates := ch.create && ch.old.IsZero() && !ch.tip.IsZero()
	return ch.tip == ch.store.tip && !creates
}

// commits is how many there are.
func (ch *chain) commits() int {
	n := 0
	for _, p := range ch.parts {
		n += len(p.commits)
	}
	return n
}

// draft is what a plan's commits become, before they are part of a chain.
type draft struct {
	commits   []made
	objects   []object
	tip, root plumbing.Hash
	writes    bool // something is to be there, whether it is new or not
}

// emptyTree is what the first commit of a branch would have if its plan wrote nothing.
var emptyTree = plumbing.ComputeHash(plumbing.TreeObject, nil)

// encoder writes a commit object.
type encoder func(root, parent plumbing.Hash, commit gitsink.Commit, now time.Time) ([]byte, error)

// draft makes the commits of a plan on top of the chain, below a base folder. One whose tree is its parent's is left out.
func (ch *chain) draft(folder string, commits []gitsink.Commit, encode encoder) (*draft, error) {
	if err := checkPaths(folder, commits); err != nil {
		return nil, err
	}
	e, err := newEditor(ch, ch.root)
	if err != nil {
		return nil, err
	}
	d := &draft{tip: ch.tip, root: ch.root}
	now := time.Now()
	for _, commit := range commits {
		for _, change := range commit.Changes {
			if err := e.apply(join(folder, change.Path), change); err != nil {
				return nil, err
			}
			d.writes = d.writes || !change.Remove
		}
		root, objects := e.commit()
		if root == d.root || d.root.IsZero() && root == emptyTree {
			continue
		}
		data, err := encode(root, d.tip, commit, now)
		if err != nil {
			return nil, err
		}
		o := newObject(plumbing.CommitObject, data)
		d.objects = append(append(d.objects, objects...), o)
		d.commits = append(d.commits, made{o.hash, commit})
		d.tip, d.root = o.hash, root
	}
	return d, nil
}

// add takes a draft on top of the chain into it.
func (ch *chain) add(c *call, d *draft) {
	ch.parts = append(ch.parts, part{c, d.commits})
	ch.create = ch.create || d.writes
	for _, o := range d.objects {
		switch o.kind {
		case plumbing.TreeObject:
			ch.trees[o.hash] = string(o.data)
		case plumbing.BlobObject:
			ch.blobs[o.hash] = o.data
		}
		ch.size += int64(len(o.data))
	}
	ch.objects = append(ch.objects, d.objects...)
	ch.tip, ch.root = d.tip, d.root
}

// landed brings the store to where the chain has brought the branch.
func (ch *chain) landed() {
	for hash, tree := range ch.trees {
		ch.store.add(hash, tree)
	}
	for hash, data := range ch.blobs {
		ch.store.blobs.put(hash, string(data)) // the plan's data is the caller's
	}
	ch.store.advance(ch.tip, ch.root)
}

// digest is what a plan wanted of a commit, to know it again.
type digest [sha256.Size]byte

func digestOf(c gitsink.Commit) digest {
	h := sha256.New()
	for _, s := range []gitsink.Signature{c.Author, c.Committer} {
		fmt.Fprintf(h, "%q %q %d\n", s.Name, s.Email, s.When.Unix())
	}
	fmt.Fprintf(h, "%q\n", c.Message)
	for _, change := range c.Changes {
		fmt.Fprintf(h, "%q %t %d\n", change.Path, change.Remove, len(change.Data))
		h.Write(change.Data)
	}
	return digest(h.Sum(nil))
}
