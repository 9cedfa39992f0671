package gitsinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/event"
)

// What the checks of calls do.

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
