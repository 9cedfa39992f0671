package sops

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// Options of an Encryptor. One of the two is required.
type Options struct {
	// Keyring is that of all destinations. Default: none.
	Keyring *Keyring
	// KeyringFor returns the Keyring of a destination: tenants have keys of their own. It is asked
	// for every object, concurrently, and must answer at once: make a Keyring when its keys change,
	// not here. If it returns nil, the object is refused with ErrNoKeys. Default: Keyring.
	KeyringFor func(ctx context.Context, d destination.Destination) (*Keyring, error)
}

// Encryptor is an event.Encryptor that writes SOPS files. It may be used concurrently. It keeps
// nothing: what it knows of a file is in the file.
type Encryptor struct {
	keyringFor func(context.Context, destination.Destination) (*Keyring, error)
}

var _ event.Encryptor = (*Encryptor)(nil)

// New returns an Encryptor. The error matches ErrKeys.
func New(opts *Options) (*Encryptor, error) {
	switch {
	case opts == nil || opts.Keyring == nil && opts.KeyringFor == nil:
		return nil, fmt.Errorf("%w: set Options.Keyring or Options.KeyringFor", ErrKeys)
	case opts.Keyring != nil && opts.KeyringFor != nil:
		return nil, fmt.Errorf("%w: set one of Options.Keyring and Options.KeyringFor, not both", ErrKeys)
	case opts.KeyringFor != nil:
		return &Encryptor{opts.KeyringFor}, nil
	}
	only := *opts.Keyring
	return &Encryptor{func(context.Context, destination.Destination) (*Keyring, error) { return &only, nil }}, nil
}

// Same implements event.Encryptor. What cannot be read is not the same; Encrypt says why.
func (e *Encryptor) Same(ctx context.Context, p event.Plaintext) (bool, error) {
	plan, err := e.plan(ctx, p)
	if err != nil {
		return false, err
	}
	s, err := plan.read()
	if err != nil || s == nil {
		return false, nil //nolint:nilerr // the contract: what cannot be decrypted is not the same
	}
	return plan.isIn(s), nil
}

// Encrypt implements event.Encryptor. A stored file that cannot be read is refused with ErrStored.
func (e *Encryptor) Encrypt(ctx context.Context, p event.Plaintext) ([]byte, error) {
	plan, err := e.plan(ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := plan.read()
	if err != nil {
		return nil, err
	}
	file, err := plan.write(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrContent, quote.Path(p.Path), err)
	}
	return file, nil
}

func (e *Encryptor) plan(ctx context.Context, p event.Plaintext) (*plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ring, err := e.keyringFor(ctx, p.Destination)
	if err != nil {
		return nil, err
	}
	if ring == nil {
		return nil, fmt.Errorf("%w: KeyringFor has none for the destination %s", ErrNoKeys, p.Destination.Ref)
	}
	return ring.plan(p)
}

// write returns the file of the object. What stands in the old one stays where it can, so that a
// change of one value is one of one line.
func (p *plan) write(old *stored) ([]byte, error) {
	key, meta, stood, err := p.dataKey(old)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	tree, mac, err := p.hider.encrypt(p.tree, aead, stood)
	if err != nil {
		return nil, err
	}
	if stood != nil && old.opened.mac == mac { // no value has changed
		meta.MAC, meta.LastModified = old.meta.MAC, old.meta.LastModified
	} else {
		meta.LastModified = time.Now().UTC().Format(time.RFC3339)
		meta.MAC = sealMAC(aead, mac, meta.LastModified)
	}
	file, err := join(tree, meta, equal(tree, p.tree))
	if err != nil {
		return nil, err
	}
	if len(file) > maxBytes || countMarks(file) > maxMarks {
		return nil, errLarge // it could not be read again
	}
	return p.sign(file, key), nil
}

// join returns a file. The metadata stand at the end, as SOPS writes them. Of an object that has
// nothing to hide they stand behind the first key, where SOPS finds them as well: the Writer takes
// a file with all of the content in one piece for one that was not encrypted.
func join(tree branch, meta *metadata, plain bool) ([]byte, error) {
	parts := []map[string]any{object(tree).(map[string]any), meta.object()}
	if plain {
		parts = []map[string]any{object(tree[:1]).(map[string]any), meta.object(), object(tree[1:]).(map[string]any)}
	}
	var file []byte
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		text, err := event.Encode(&unstructured.Unstructured{Object: part})
		if err != nil {
			return nil, err
		}
		file = append(file, text...)
	}
	return file, nil
}

// dataKey returns the data key, with metadata that lock it for the recipients, and what stood
// encrypted with it, nil for a new one. The key stays while it is ours and the recipients are the
// same. Somebody who was a recipient knows it. One who is new would, if it stayed, know one that is
// marked as made for the others, and could bring it back when they have been removed.
func (p *plan) dataKey(old *stored) (key []byte, meta *metadata, stood map[place]string, err error) {
	s := p.hider.scope
	meta = &metadata{Version: version, EncryptedRegex: s.EncryptedRegex, EncryptedSuffix: s.EncryptedSuffix, MACOnlyEncrypted: s.MACOnlyEncrypted}
	if old != nil && p.isOurs(old) {
		meta.Age = old.meta.Age
		return old.opened.key, meta, old.opened.stood, nil
	}
	key = make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails
	for _, recipient := range p.rule.keys {
		w, err := wrap(key, recipient)
		if err != nil {
			return nil, nil, nil, err
		}
		meta.Age = append(meta.Age, w)
	}
	return key, meta, nil, nil
}
