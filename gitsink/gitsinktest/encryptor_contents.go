package gitsinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"sigs.k8s.io/yaml"
)

// What the checks of contents do.

// hides encrypts an object and looks for its hidden values.
func hides(ctx context.Context, e *encryptorEnv, s sensitive) error {
	enc := e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	switch {
	case err != nil:
		return err
	case len(bytes.TrimSpace(file)) == 0:
		return errors.New("Encrypt returned nothing and no error")
	case bytes.Contains(file, bytes.TrimSpace(s.Content)):
		return errors.New("Encrypt returned the plain text")
	}
	if err := s.shown(string(file), "the file"); err != nil {
		return err
	}
	return requireSame(ctx, enc, s.Plaintext, file, true, "what was just encrypted")
}

func decrypts(ctx context.Context, e *encryptorEnv) error {
	all := append(odd(e.To), sensitiveSecret(e.To, "s"), sensitiveObject(e.To), sensitiveObject(e.To, "/spec/credentials/token"))
	for _, s := range all {
		file, err := encrypted(ctx, e.make(), s.Plaintext)
		if err != nil {
			return err
		}
		plain, err := e.Decrypt(e.t, file)
		if err != nil {
			return fmt.Errorf("decrypting the file of %s: %w", s.Resource.ID, err)
		}
		var got, want any
		if err := errors.Join(yaml.Unmarshal(plain, &got), yaml.Unmarshal(s.Content, &want)); err != nil {
			return err
		}
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("what Decrypt returns of %s is another object", s.Resource.ID)
		}
	}
	return nil
}

func findsAgain(ctx context.Context, e *encryptorEnv) error {
	for _, s := range append(odd(e.To), sensitiveSecret(e.To, "s"), sensitiveObject(e.To), sensitiveObject(e.To, "/spec/credentials/token")) {
		file, err := encrypted(ctx, e.make(), s.Plaintext)
		if err != nil {
			return err
		}
		if err := requireSame(ctx, e.make(), s.Plaintext, file, true, "a file of the process before"); err != nil {
			return err
		}
	}
	return nil
}

func tellsContentsApart(ctx context.Context, e *encryptorEnv) error {
	s, enc := sensitiveSecret(e.To, "s"), e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	if err != nil {
		return err
	}
	for what, other := range map[string]sensitive{
		"a changed value":      s.replaced("AAECAwT/", "AAECAwT+"),
		"a removed key":        s.replaced("  tls.crt: AAECAwT/\n", ""),
		"another key":          s.replaced("  empty: \"\"\n", "  emptied: \"\"\n"),
		"a changed label":      s.replaced("app: shop", "app: store"),
		"a changed annotation": s.replaced("note: an annotation", "note: another"),
		"another type":         s.replaced("type: Opaque", "type: example.com/other"),
	} {
		if err := requireSame(ctx, enc, other.Plaintext, file, false, what); err != nil {
			return err
		}
	}
	return nil
}

func tellsOddContentsApart(ctx context.Context, e *encryptorEnv) error {
	enc, all := e.make(), odd(e.To)
	for i, s := range all {
		file, err := encrypted(ctx, enc, s.Plaintext)
		if err != nil {
			return err
		}
		for j, other := range all {
			if err := requireSame(ctx, enc, other.Plaintext, file, i == j, fmt.Sprintf("%q, where %q is stored", other.Content, s.Content)); err != nil {
				return err
			}
		}
	}
	return nil
}

func replaces(ctx context.Context, e *encryptorEnv) error {
	s := sensitiveSecret(e.To, "s")
	file, err := encrypted(ctx, e.make(), s.Plaintext)
	if err != nil {
		return err
	}
	for _, next := range []sensitive{s.replaced("AAECAwT/", "AAECAwT+"), s.replaced("app: shop", "app: store"), s.replaced("  tls.crt: AAECAwT/\n", "")} {
		next.Stored = file
		changed, err := encrypted(ctx, e.make(), next.Plaintext)
		if err != nil {
			return err
		}
		if err := s.shown(string(changed), "the changed file"); err != nil {
			return err
		}
		if err := requireSame(ctx, e.make(), next.Plaintext, changed, true, "a changed object"); err != nil {
			return err
		}
		if err := requireSame(ctx, e.make(), s.Plaintext, changed, false, "the object before its change"); err != nil {
			return err
		}
	}
	return nil
}

func noticesDamage(ctx context.Context, e *encryptorEnv) error {
	s, enc := sensitiveSecret(e.To, "s"), e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	if err != nil {
		return err
	}
	for what, damaged := range damages(file, s.Content) {
		p := s.Plaintext
		p.Stored = damaged
		// an error is as good as false: the object is tried again
		if same, err := enc.Same(ctx, p); err == nil && same {
			return fmt.Errorf("Same of %s is true", what)
		}
	}
	return nil
}

func survivesDamage(ctx context.Context, e *encryptorEnv) error {
	s, enc := sensitiveSecret(e.To, "s"), e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	if err != nil {
		return err
	}
	for what, damaged := range damages(file, s.Content) {
		p := s.Plaintext
		p.Stored = damaged
		made, err := enc.Encrypt(ctx, p)
		if err != nil {
			continue
		}
		if err := s.shown(string(made), "the file over "+what); err != nil {
			return err
		}
		if err := requireSame(ctx, enc, s.Plaintext, made, true, "what was encrypted over "+what); err != nil {
			return err
		}
	}
	return nil
}
