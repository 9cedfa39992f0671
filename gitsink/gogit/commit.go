package gogit

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// work is what is pushed: a chain of commits on top of a base, and all objects that are new in it.
type work struct {
	base
	commits []plumbing.Hash // oldest first; none: the branch is made from the base's commit as it is
	objects []object

	newRoot   plumbing.Hash // the tree of the last commit
	newFolder plumbing.Hash // and of its base folder
}

func (w *work) tip() plumbing.Hash {
	if len(w.commits) == 0 {
		return w.commit
	}
	return w.commits[len(w.commits)-1]
}

func (w *work) hashes() []string {
	hashes := make([]string, len(w.commits))
	for i, hash := range w.commits {
		hashes[i] = hash.String()
	}
	return hashes
}

// build makes the commits of a plan. nil means that nothing has to be pushed.
func (c *call) build(b base, commits []gitsink.Commit) (*work, error) {
	if err := checkPaths(c.dst.BaseFolder, commits); err != nil {
		return nil, err
	}
	e, err := newEditor(c.lane.store, b.root)
	if err != nil {
		return nil, err
	}
	w := &work{base: b, newRoot: b.root, newFolder: b.folder}
	now := time.Now()
	writes := false
	for _, commit := range commits {
		for _, change := range commit.Changes {
			if err := e.apply(join(c.dst.BaseFolder, change.Path), change); err != nil {
				return nil, err
			}
			writes = writes || !change.Remove
		}
		if !e.root.dirty {
			continue
		}
		root := e.commit()
		made := e.made
		e.made = nil
		if root == w.newRoot {
			continue
		}
		o := newObject(plumbing.CommitObject, encodeCommit(root, w.tip(), commit, c.sink.opts.Committer, now))
		w.objects = append(append(w.objects, made...), o)
		w.commits, w.newRoot, w.newFolder = append(w.commits, o.hash), root, e.folder(c.dst.BaseFolder)
	}
	// What the plan wants may be inherited from the default branch in full; then the branch itself is what is missing.
	if len(w.commits) == 0 && !(writes && b.old.IsZero()) {
		return nil, nil
	}
	return w, nil
}

// encodeCommit writes a commit object as git fsck --strict wants it.
func encodeCommit(root, parent plumbing.Hash, commit gitsink.Commit, fallback gitsink.Signature, now time.Time) []byte {
	committer := commit.Committer
	if committer.Name == "" && committer.Email == "" {
		fallback.When = committer.When
		committer = fallback
	}
	author := commit.Author
	if author.Name == "" && author.Email == "" {
		when := author.When
		author = committer
		if !when.IsZero() {
			author.When = when
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "tree %s\n", root)
	if !parent.IsZero() {
		fmt.Fprintf(&text, "parent %s\n", parent)
	}
	fmt.Fprintf(&text, "author %s\ncommitter %s\n\n%s", encodeSignature(author, now), encodeSignature(committer, now), cleanMessage(commit.Message))
	return []byte(text.String())
}

func encodeSignature(s gitsink.Signature, now time.Time) string {
	name, email := cleanIdentity(s.Name), cleanIdentity(s.Email)
	if name == "" {
		name = email
	}
	if name == "" {
		name = "unknown"
	}
	if s.When.IsZero() {
		s.When = now
	}
	return fmt.Sprintf("%s <%s> %d +0000", name, email, max(s.When.Unix(), 0))
}

// cleanIdentity drops what would end a name or address early, or break the header's line, and what git itself would drop
// at its ends.
func cleanIdentity(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	return strings.Trim(s, ` .,:;"\'`)
}

func cleanMessage(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\x00", "")
	s = strings.TrimSpace(s)
	if s == "" {
		s = "update"
	}
	return s + "\n"
}
