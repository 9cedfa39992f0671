package gogit

import (
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// pushStack is what a group pushes: the commits of its plans in turn, on top of the branch, with
// all objects that are new in them. A plan sees what the plans before it have made.
type pushStack struct {
	format object.Format
	store  *object.Store
	old    object.ID // the branch's tip, to compare and swap with; zero: there is no such branch
	tip    object.ID // the last commit; at first the one to build on, zero: none
	root   object.ID // its tree; zero: none

	objects []object.Object
	trees   map[object.ID]string // of the objects
	blobs   map[object.ID][]byte
	size    int64
	parts   []stackPart
	create  bool // the branch is wanted even without a new commit
}

// stackPart is what one call has put on a stack.
type stackPart struct {
	call    *call
	commits []builtCommit
}

// builtCommit is a commit and what it was made from.
type builtCommit struct {
	hash object.ID
	from gitsink.Commit
}

func newPushStack(f object.Format, s *object.Store, old object.ID) *pushStack {
	return &pushStack{
		format: f, store: s, old: old, tip: s.Tip, root: s.Root, trees: map[object.ID]string{}, blobs: map[object.ID][]byte{},
	}
}

// Tree implements object.Trees.
func (ch *pushStack) Tree(hash object.ID) (string, error) {
	if tree, ok := ch.trees[hash]; ok {
		return tree, nil
	}
	return ch.store.Tree(hash)
}

// empty reports whether there is nothing to push.
func (ch *pushStack) empty() bool {
	creates := ch.create && ch.old.IsZero() && !ch.tip.IsZero()
	return ch.tip == ch.store.Tip && !creates
}

// commits is how many there are.
func (ch *pushStack) commits() int {
	n := 0
	for _, p := range ch.parts {
		n += len(p.commits)
	}
	return n
}

// builtCommits is what a plan's commits become, before they are on a stack.
type builtCommits struct {
	commits   []builtCommit
	objects   []object.Object
	tip, root object.ID
	writes    bool // something is to be there, whether it is new or not
}

// encoder writes a commit object.
type encoder func(root, parent object.ID, commit gitsink.Commit, now time.Time) ([]byte, error)

// build makes the commits of a plan on top of the stack, below a base folder. One whose tree is
// its parent's is left out.
func (ch *pushStack) build(folder string, commits []gitsink.Commit, encode encoder) (*builtCommits, error) {
	if err := object.CheckPaths(folder, commits); err != nil {
		return nil, err
	}
	e, err := object.NewEditor(ch.format, ch, ch.root)
	if err != nil {
		return nil, err
	}
	d := &builtCommits{tip: ch.tip, root: ch.root}
	given := object.NewFinder(ch) // of what the plan was given, which is below ch.root
	now := time.Now()
	for _, commit := range commits {
		for _, change := range commit.Changes {
			if err := ch.apply(e, given, folder, change); err != nil {
				return nil, err
			}
			d.writes = d.writes || !change.Remove
		}
		root, objects := e.Commit()
		if root == d.root || d.root.IsZero() && root == ch.format.EmptyTree() {
			continue
		}
		data, err := encode(root, d.tip, commit, now)
		if err != nil {
			return nil, err
		}
		o := object.New(ch.format, plumbing.CommitObject, data)
		d.objects = append(append(d.objects, objects...), o)
		d.commits = append(d.commits, builtCommit{o.Hash, commit})
		d.tip, d.root = o.Hash, root
	}
	return d, nil
}

// apply makes a change below a base folder. A copy takes its file by name alone, which the server
// has: it is reachable from the commit that the plan was given, or is in this push.
func (ch *pushStack) apply(e *object.Editor, given *object.Finder, folder string, change gitsink.Change) error {
	path := object.Join(folder, change.Path)
	if change.Remove || change.From == "" {
		return e.Apply(path, change)
	}
	file, err := given.FileAt(ch.root, object.Join(folder, change.From))
	if err != nil {
		return err
	}
	return e.Copy(path, file)
}

// add puts built commits on top of the stack.
func (ch *pushStack) add(c *call, d *builtCommits) {
	ch.parts = append(ch.parts, stackPart{c, d.commits})
	ch.create = ch.create || d.writes
	for _, o := range d.objects {
		switch o.Kind {
		case plumbing.TreeObject:
			ch.trees[o.Hash] = o.Text()
		case plumbing.BlobObject:
			ch.blobs[o.Hash] = o.Data
		}
		ch.size += int64(len(o.Data))
	}
	ch.objects = append(ch.objects, d.objects...)
	ch.tip, ch.root = d.tip, d.root
}

// moveStore brings the store to where the stack has brought the branch.
func (ch *pushStack) moveStore() {
	for hash, tree := range ch.trees {
		ch.store.Add(hash, tree)
	}
	ch.store.Blobs.PutPushed(ch.blobs)
	ch.store.Advance(ch.tip, ch.root)
}

// signed reports whether a signature is in the commits of a stack.
func (ch *pushStack) signed() bool {
	return slices.ContainsFunc(ch.objects, object.IsSigned)
}
