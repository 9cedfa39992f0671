package gitsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	slashpath "path"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/panics"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// ErrEncryptor is matched by the error for a Secret, or another sensitive object, whose Encryptor
// panicked, or returned nothing, the plain text or a part of it. The object is left out of the
// commit and tried again; all other objects are written.
var ErrEncryptor = errors.New("gitsink: the Encryptor is broken")

// content returns the content to write, or nil if the file has it already. It is the last gate
// before a file: what is a v1 Secret by its resource, its kind or its own words, and what is
// sensitive by its event or by WriterOptions, leaves here encrypted, or not at all.
func (p *planRun) content(ctx context.Context, e event.Event, path string, exists bool) (*event.Content, error) {
	secret := event.IsSecret(e.Resource.ID)
	if !secret && (event.IsSecretKind(e.Resource) || event.SaysSecret(e.Content.Bytes())) {
		return nil, fmt.Errorf("%w: it came as an object of the resource %q", event.ErrSecret, e.Resource.Resource)
	}
	sensitive := p.writer.sensitive(e.Resource, e.Sensitive)
	switch {
	case sensitive == nil:
		return e.Content, nil
	case p.writer.opts.Encryptor == nil && secret:
		return nil, fmt.Errorf("%w: no Encryptor is configured", event.ErrSecret)
	case p.writer.opts.Encryptor == nil:
		return nil, fmt.Errorf("%w: no Encryptor is configured", event.ErrSensitive)
	}
	plain := p.plaintext(e, path, sensitive)
	_, changed := p.overlay[path] // then the stored file is not what stands there any more
	changed = changed && p.moves[path] == ""
	if stored, ok := p.stored[path]; ok && exists && !changed {
		plain.Stored = stored
		equal, err := p.encrypts(ctx, plain)
		if err != nil {
			return nil, err
		}
		// What an Encryptor takes for its own may be the file from before the object was sensitive.
		if _, leaks := plain.Leaks(stored); equal && !leaks {
			return nil, nil
		}
	}
	return p.encrypt(ctx, plain)
}

// secretFields are what is sensitive of each Secret.
var secretFields = []string{"/data", "/stringData"}

// sensitive returns what is sensitive of an object: by WriterOptions, and by its event; nil: the
// object may be stored in plain.
func (w *Writer) sensitive(r event.Resource, by *event.Sensitive) *event.Sensitive {
	by = by.Union(event.SensitiveBy(w.opts.Sensitive, r.Group, r.Resource))
	switch {
	case !event.IsSecret(r.ID):
		return by
	case by == nil || len(by.Fields) == 0:
		return &event.Sensitive{}
	}
	return by.Union(&event.Sensitive{Fields: secretFields})
}

func (p *planRun) plaintext(e event.Event, path string, sensitive *event.Sensitive) event.Plaintext {
	return event.Plaintext{
		Destination: p.to,
		Resource:    e.Resource,
		Path:        slashpath.Join(p.to.BaseFolder, path),
		Content:     e.Content.Bytes(),
		Fields:      sensitive.In(e.Content.Bytes()),
	}
}

// encrypts reports whether the stored file is an encryption of the content.
func (p *planRun) encrypts(ctx context.Context, plain event.Plaintext) (same bool, err error) {
	defer recoverEncryptor(&err)
	return p.writer.opts.Encryptor.Same(ctx, plain)
}

// encrypt returns the ciphertext of a content. It refuses an empty one, which would pass
// for a file that is as it should be, so that the object would be lost in silence, and one with the
// plain text, or with the plain value of a sensitive field, which would be pushed.
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
	if field, leaks := plain.Leaks(data); leaks {
		return nil, fmt.Errorf("%w: it returned the plain value of %s", ErrEncryptor, quote.Words(field))
	}
	return event.NewContent(data), nil
}

func recoverEncryptor(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %w", ErrEncryptor, panics.Error(p))
	}
}
