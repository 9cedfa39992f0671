package sops

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// plan is how an object is to be written.
type plan struct {
	event.Plaintext
	ring  *Keyring
	rule  rule
	hider *hider
	tree  branch // of the content, sorted
}

func (k *Keyring) plan(p event.Plaintext) (*plan, error) {
	r, err := k.ruleFor(p.Path)
	if err != nil {
		return nil, err
	}
	tree, err := contentTree(p.Content)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrContent, quote.Path(p.Path), err)
	}
	h, err := r.hider(p, tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quote.Path(p.Path), err)
	}
	return &plan{Plaintext: p, ring: k, rule: r, hider: h, tree: tree}, nil
}

func contentTree(content []byte) (branch, error) {
	root, err := parse(content)
	if err != nil {
		return nil, err
	}
	tree, err := mapping(root)
	if err != nil {
		return nil, err
	}
	if _, ok := tree.get(reserved); ok || len(tree) == 0 {
		return nil, fmt.Errorf("it is empty, or has the key %q, where SOPS keeps its metadata", reserved)
	}
	return sorted(tree).(branch), nil
}

// stored is a file as it stands.
type stored struct {
	meta   *metadata
	opened *opened // nil if no identity opens it
}

// opened is what an identity finds in a file.
type opened struct {
	key   []byte
	tree  branch
	mac   string
	stood map[place]string
}

// read returns the file as it stands, nil if there is none. An error matches ErrStored.
func (p *plan) read() (*stored, error) {
	if len(bytes.TrimSpace(p.Stored)) == 0 {
		return nil, nil // an empty file has nothing to lose
	}
	s, err := openStored(p.Stored, p.ring)
	if err == nil && s.opened == nil && !p.mayReplace(s) {
		err = fmt.Errorf("%w: no identity opens it", ErrRecipient)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; it stays until it is put right or removed from the branch", ErrStored, quote.Path(p.Path), err)
	}
	return s, nil
}

// mayReplace reports whether a file may be written anew that nobody here can read. There are public
// keys only, and it was written here, or is for one of them: Git keeps what stood there, and who
// reads the new one could read that.
func (p *plan) mayReplace(s *stored) bool {
	sealed, _ := p.isSealed()
	return sealed || !p.rule.ours() && slices.ContainsFunc(p.rule.recipients(), func(r string) bool {
		return slices.Contains(s.meta.recipients(), r)
	})
}

func openStored(file []byte, ring *Keyring) (*stored, error) {
	root, err := parse(file)
	if err != nil {
		return nil, err
	}
	meta, err := readMetadata(root)
	if err != nil {
		return nil, err
	}
	key, err := meta.unwrap(ring.identities)
	if errors.Is(err, errNoLock) {
		return &stored{meta: meta}, nil
	}
	if err != nil {
		return nil, err
	}
	tree, err := mapping(root)
	if err != nil {
		return nil, err
	}
	o, err := openTree(meta, key, tree)
	return &stored{meta, o}, err
}

func openTree(meta *metadata, key []byte, tree branch) (*opened, error) {
	h, err := meta.hider()
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	o := &opened{key: key}
	if o.tree, o.mac, o.stood, err = h.decrypt(tree, aead); err != nil {
		return nil, err
	}
	return o, checkMAC(aead, meta.MAC, meta.LastModified, o.mac)
}

// isIn reports whether a file holds the object as it is planned.
func (p *plan) isIn(s *stored) bool {
	if s.opened == nil {
		_, current := p.isSealed()
		return current
	}
	return s.meta.scope() == p.hider.scope && slices.Equal(s.meta.recipients(), p.rule.recipients()) && equal(s.opened.tree, p.tree)
}
