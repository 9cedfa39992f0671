package gitsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	slashpath "path"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/panics"
)

// ErrEncryptor is matched by the error for a Secret whose Encryptor panicked, or returned nothing
// or the plain text. The Secret is left out of the commit and tried again; all other objects are
// written.
var ErrEncryptor = errors.New("gitsink: the Encryptor is broken")

// content returns the content to write, or nil if the file has it already. It is the last gate
// before a file: what is a v1 Secret by its resource, its kind or its own words leaves here
// encrypted, or not at all.
func (p *planRun) content(ctx context.Context, e event.Event, path string, exists bool) (*event.Content, error) {
	if !event.IsSecret(e.Resource.ID) {
		if event.IsSecretKind(e.Resource) || event.SaysSecret(e.Content.Bytes()) {
			return nil, fmt.Errorf("%w: it came as an object of the resource %q", event.ErrSecret, e.Resource.Resource)
		}
		return e.Content, nil
	}
	if p.writer.opts.Encryptor == nil {
		return nil, fmt.Errorf("%w: no Encryptor is configured", event.ErrSecret)
	}
	_, changed := p.overlay[path] // then the stored file is not what stands there any more
	changed = changed && p.moves[path] == ""
	if stored, ok := p.stored[path]; ok && exists && !changed {
		equal, err := p.encrypts(ctx, p.plaintext(e, path, stored))
		if err != nil || equal {
			return nil, err
		}
		return p.encrypt(ctx, p.plaintext(e, path, stored))
	}
	return p.encrypt(ctx, p.plaintext(e, path, nil))
}

func (p *planRun) plaintext(e event.Event, path string, stored []byte) event.Plaintext {
	return event.Plaintext{
		Destination: p.to,
		Resource:    e.Resource,
		Path:        slashpath.Join(p.to.BaseFolder, path),
		Content:     e.Content.Bytes(),
		Stored:      stored,
	}
}

// encrypts reports whether the stored file is an encryption of the content.
func (p *planRun) encrypts(ctx context.Context, plain event.Plaintext) (same bool, err error) {
	defer recoverEncryptor(&err)
	return p.writer.opts.Encryptor.Same(ctx, plain)
}

// encrypt returns the ciphertext of a content. It refuses an empty one, which would pass
// for a file that is as it should be, so that the Secret would be lost in silence, and the plain
// text itself, which would be pushed.
func (p *planRun) encrypt(ctx context.Context, plain event.Plaintext) (encrypted *event.Content, err error) {
	defer recoverEncryptor(&err)
	data, err := p.writer.opts.Encryptor.Encrypt(ctx, plain)
	switch {
	case err != nil:
		return nil, err
	case len(bytes.TrimSpace(data)) == 0:
		return nil, fmt.Errorf("%w: it returned nothing and no error", ErrEncryptor)
	case bytes.Contains(data, bytes.TrimSpace(plain.Content)):
		return nil, fmt.Errorf("%w: it returned the plain text", ErrEncryptor)
	}
	return event.NewContent(data), nil
}

func recoverEncryptor(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %w", ErrEncryptor, panics.Error(p))
	}
}
