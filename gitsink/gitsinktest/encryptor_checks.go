package gitsinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
)

// encryptorChecks are all checks of [TestEncryptor].
var encryptorChecks = []encryptorCheck{
	{
		name:    "a file has nothing of a Secret in plain text",
		promise: "Encrypt returns what is stored instead of the content.",
		run:     func(ctx context.Context, e *encryptorEnv) error { return hides(ctx, e, sensitiveSecret(e.To, "s")) },
	},
	{
		name:    "a file has nothing of another sensitive object in plain text",
		promise: "and of any other object all but apiVersion, kind and metadata.",
		run:     func(ctx context.Context, e *encryptorEnv) error { return hides(ctx, e, sensitiveObject(e.To)) },
	},
	{
		name:    "the fields that are named are hidden",
		promise: "Fields are JSON pointers (RFC 6901) to what must not be stored in plain.",
		run: func(ctx context.Context, e *encryptorEnv) error {
			return hides(ctx, e, sensitiveObject(e.To, "/spec/credentials/token", "/spec/list/4/secret"))
		},
	},
	{
		name:    "what was encrypted can be decrypted",
		promise: "Encrypt returns what is stored instead of the content.",
		needs:   decryption,
		run:     decrypts,
	},
	{
		name:    "a restarted process finds what it has encrypted",
		promise: "without Same every restart would commit every Secret again.",
		run:     findsAgain,
	},
	{
		name:    "a file with another content is not the same",
		promise: "Same reports whether p.Stored is a valid encryption of the content",
		run:     tellsContentsApart,
	},
	{
		name:    "contents that are easily confused are told apart",
		promise: "Contents that YAML could take for each other are not the same.",
		run:     tellsOddContentsApart,
	},
	{
		name:    "what is encrypted over a stored file is the new content",
		promise: "It may take from p.Stored what is still good, so that what did not change stays as it is.",
		run:     replaces,
	},
	{
		name:    "a damaged file is not the same",
		promise: "What cannot be decrypted is not the same.",
		run:     noticesDamage,
	},
	{
		name:    "over a damaged file there is an error or a good file",
		promise: "Over a file that cannot be decrypted Encrypt returns an error, or a file that is the same.",
		run:     survivesDamage,
	},
	{
		name:    "a file under other keys is not the same",
		promise: "under the keys in use today.",
		needs:   otherKeys,
		run: func(ctx context.Context, e *encryptorEnv) error {
			s := sensitiveSecret(e.To, "s")
			file, err := encrypted(ctx, e.Other(e.t), s.Plaintext)
			if err != nil {
				return err
			}
			return requireSame(ctx, e.make(), s.Plaintext, file, false, "a file under other keys")
		},
	},
	{
		name:    "a file of another destination is not the same",
		promise: "is a valid encryption of the content for this destination",
		needs:   otherDestination,
		run: func(ctx context.Context, e *encryptorEnv) error {
			s, enc := sensitiveSecret(e.OtherTo, "s"), e.make()
			file, err := encrypted(ctx, enc, s.Plaintext)
			if err != nil {
				return err
			}
			s.Destination = e.To
			return requireSame(ctx, enc, s.Plaintext, file, false, "a file of another destination")
		},
	},
	{
		name:    "it may be used concurrently",
		promise: "Implementations must be safe for concurrent use",
		run:     concurrently,
	},
	{
		name:    "arguments are not changed",
		promise: "must not keep or change their arguments",
		run:     changesNoArgument,
	},
	{
		name:    "arguments are not kept",
		promise: "must not keep or change their arguments",
		run:     keepsNoArgument,
	},
	{
		name:    "an error has no plain text in it",
		promise: "must not put plain text into an error.",
		run:     showsNothing,
	},
	{
		name:    "a call whose context has ended returns",
		promise: "A call whose context has ended, or ends meanwhile, returns soon, with an error or a result.",
		run:     heedsItsContext,
	},
	{
		name:    "a Secret of a megabyte is encrypted",
		promise: "An object may have a megabyte, which is what Kubernetes allows.",
		run: func(ctx context.Context, e *encryptorEnv) error {
			s := sensitiveSecret(e.To, "large")
			s.Content = bytes.Replace(s.Content, []byte("AAECAwT/"), []byte(strings.Repeat("AAECAwT/", 1<<17)), 1)
			return hides(ctx, e, s)
		},
	},
}

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

func concurrently(ctx context.Context, e *encryptorEnv) error {
	enc := e.make()
	var group sync.WaitGroup
	faults := make([]error, 8)
	for i := range faults {
		group.Go(func() {
			faults[i] = survived(func() error {
				for range 8 {
					s := sensitiveSecret(e.To, fmt.Sprintf("s%d", i))
					file, err := encrypted(ctx, enc, s.Plaintext)
					if err != nil {
						return err
					}
					if err := requireSame(ctx, enc, s.Plaintext, file, true, "a file made beside others"); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	group.Wait()
	return errors.Join(faults...)
}

func changesNoArgument(ctx context.Context, e *encryptorEnv) error {
	enc := e.make()
	s := sensitiveObject(e.To, "/spec/list/4/secret", "/spec/credentials/token")
	file, err := encrypted(ctx, enc, cloned(s.Plaintext))
	if err != nil {
		return err
	}
	p := s.replaced("-2.5", "-3.5").Plaintext
	p.Stored = file
	before := cloned(p)
	if _, err := encrypted(ctx, enc, p); err != nil {
		return err
	}
	if !reflect.DeepEqual(p, before) {
		return errors.New("Encrypt has changed its arguments")
	}
	if _, err := enc.Same(ctx, p); err != nil {
		return fmt.Errorf("Same: %w", err)
	}
	if !reflect.DeepEqual(p, before) {
		return errors.New("Same has changed its arguments")
	}
	return nil
}

func cloned(p event.Plaintext) event.Plaintext {
	p.Content, p.Stored, p.Fields = bytes.Clone(p.Content), bytes.Clone(p.Stored), slices.Clone(p.Fields)
	return p
}

// keepsNoArgument uses the memory of the arguments for something else.
func keepsNoArgument(ctx context.Context, e *encryptorEnv) error {
	enc, s := e.make(), sensitiveSecret(e.To, "s")
	other := s.replaced("app: shop", "app: shed")
	given := cloned(s.Plaintext)
	file, err := encrypted(ctx, enc, given)
	if err != nil {
		return err
	}
	result := bytes.Clone(file)
	copy(given.Content, other.Content)
	if !bytes.Equal(file, result) {
		return errors.New("the file shares memory with the content")
	}
	given = cloned(s.replaced("AAECAwT/", "AAECAwT+").Plaintext)
	given.Stored = bytes.Clone(file)
	changed, err := encrypted(ctx, enc, given)
	if err != nil {
		return err
	}
	result = bytes.Clone(changed)
	copy(given.Content, other.Content)
	clear(given.Stored)
	if !bytes.Equal(changed, result) {
		return errors.New("the file shares memory with the stored one")
	}
	const what = "a file whose arguments are something else by now"
	if err := requireSame(ctx, enc, s.Plaintext, file, true, what); err != nil {
		return err
	}
	return requireSame(ctx, enc, other.Plaintext, file, false, what)
}

func showsNothing(ctx context.Context, e *encryptorEnv) error {
	s, enc := sensitiveSecret(e.To, "s"), e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	if err != nil {
		return err
	}
	stored := damages(file, s.Content)
	if e.Other != nil {
		if stored["a file under other keys"], err = encrypted(ctx, e.Other(e.t), s.Plaintext); err != nil {
			return err
		}
	}
	var asked []event.Plaintext
	for _, damaged := range stored {
		p := s.Plaintext
		p.Stored = damaged
		asked = append(asked, p)
	}
	broken := s.Plaintext
	broken.Content = append(bytes.Clone(s.Content), " : [ "+s.hidden[0]...)
	none := s.Plaintext
	none.Fields = []string{"no pointer"}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, p := range append(asked, broken, none) {
		for _, in := range []context.Context{ctx, ended} {
			_, first := enc.Encrypt(in, p)
			_, second := enc.Same(in, p)
			for _, err := range []error{first, second} {
				if err == nil {
					continue
				}
				if err := s.shown(fmt.Sprintf("%v %+v %#v", err, err, err), "an error"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func heedsItsContext(ctx context.Context, e *encryptorEnv) error {
	s, enc := sensitiveSecret(e.To, "s"), e.make()
	file, err := encrypted(ctx, enc, s.Plaintext)
	if err != nil {
		return err
	}
	s.Stored = file
	for _, call := range []struct {
		name string
		run  func(context.Context)
	}{
		{"Encrypt", func(ctx context.Context) { _, _ = enc.Encrypt(ctx, s.Plaintext) }},
		{"Same", func(ctx context.Context) { _, _ = enc.Same(ctx, s.Plaintext) }},
	} {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = survived(func() error { call.run(ended); return nil })
		}()
		timer := time.NewTimer(e.patience)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			return fmt.Errorf("%s goes on after its context has ended", call.name)
		}
	}
	return nil
}
