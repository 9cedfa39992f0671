package gitsinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
)

// brokenEncryptor breaks a promise on purpose.
type brokenEncryptor struct {
	name string
	by   map[string]string // the checks that must refuse it, and what they must say
	make func(s sealer) event.Encryptor
}

// odds replaces methods of a sealer; nil ones are its own.
type odds struct {
	sealer
	encrypt func(ctx context.Context, p event.Plaintext) ([]byte, error)
	same    func(ctx context.Context, p event.Plaintext) (bool, error)
}

func (o odds) Encrypt(ctx context.Context, p event.Plaintext) ([]byte, error) {
	if o.encrypt == nil {
		return o.sealer.Encrypt(ctx, p)
	}
	return o.encrypt(ctx, p)
}

func (o odds) Same(ctx context.Context, p event.Plaintext) (bool, error) {
	if o.same == nil {
		return o.sealer.Same(ctx, p)
	}
	return o.same(ctx, p)
}

func encrypting(f func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error)) func(sealer) event.Encryptor {
	return func(s sealer) event.Encryptor {
		return odds{sealer: s, encrypt: func(ctx context.Context, p event.Plaintext) ([]byte, error) { return f(s, ctx, p) }}
	}
}

func comparing(f func(s sealer, ctx context.Context, p event.Plaintext) (bool, error)) func(sealer) event.Encryptor {
	return func(s sealer) event.Encryptor {
		return odds{sealer: s, same: func(ctx context.Context, p event.Plaintext) (bool, error) { return f(s, ctx, p) }}
	}
}

// beside is a file with a text beside what is sealed.
func beside(s sealer, ctx context.Context, p event.Plaintext, text []byte) ([]byte, error) {
	file, err := s.Encrypt(ctx, p)
	return append(append([]byte("# "), bytes.ReplaceAll(text, []byte("\n"), []byte("\n# "))...), append([]byte("\n"), file...)...), err
}

const (
	hidesSecrets = "a file has nothing of a Secret in plain text"
	hidesOthers  = "a file has nothing of another sensitive object in plain text"
	hidesFields  = "the fields that are named are hidden"
)

var brokenEncryptors = []brokenEncryptor{
	{
		name: "it returns nothing",
		by:   map[string]string{hidesSecrets: "nothing and no error"},
		make: encrypting(func(sealer, context.Context, event.Plaintext) ([]byte, error) { return nil, nil }),
	},
	{
		name: "it returns its input",
		by:   map[string]string{hidesSecrets: "the plain text", hidesOthers: "the plain text"},
		make: encrypting(func(_ sealer, _ context.Context, p event.Plaintext) ([]byte, error) { return p.Content, nil }),
	},
	{
		name: "it panics",
		by:   map[string]string{hidesSecrets: "a panic"},
		make: encrypting(func(sealer, context.Context, event.Plaintext) ([]byte, error) { panic("no key") }),
	},
	{
		name: "it shows the fields that are named",
		by:   map[string]string{hidesFields: "hidden ones in it"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if len(p.Fields) == 0 {
				return s.Encrypt(ctx, p)
			}
			return beside(s, ctx, p, p.Content[len("apiVersion"):])
		}),
	},
	{
		name: "it hides Secrets alone",
		by:   map[string]string{hidesOthers: "hidden ones in it"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if event.IsSecret(p.Resource.ID) {
				return s.Encrypt(ctx, p)
			}
			return beside(s, ctx, p, p.Content)
		}),
	},
	{
		name: "it cuts what is long",
		by:   map[string]string{"a Secret of a megabyte is encrypted": "Same of what was just encrypted is false"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			p.Content = p.Content[:min(len(p.Content), 1<<16)]
			return s.Encrypt(ctx, p)
		}),
	},
	{
		name: "it loses what it has encrypted",
		by:   map[string]string{"what was encrypted can be decrypted": "another object"},
		make: func(s sealer) event.Encryptor {
			return odds{s, func(ctx context.Context, p event.Plaintext) ([]byte, error) {
				p.Content = []byte("apiVersion: v1\n")
				return s.Encrypt(ctx, p)
			}, func(context.Context, event.Plaintext) (bool, error) { return true, nil }}
		},
	},
	{
		name: "it knows only what it has encrypted itself",
		by:   map[string]string{"a restarted process finds what it has encrypted": "Same of a file of the process before is false"},
		make: func(s sealer) event.Encryptor {
			var own atomic.Pointer[[]byte]
			return odds{s, func(ctx context.Context, p event.Plaintext) ([]byte, error) {
				file, err := s.Encrypt(ctx, p)
				own.Store(&file)
				return file, err
			}, func(ctx context.Context, p event.Plaintext) (bool, error) {
				last := own.Load()
				return last != nil && bytes.Equal(*last, p.Stored), nil
			}}
		},
	},
	{
		name: "everything is the same",
		by: map[string]string{
			"a file with another content is not the same":             "is true",
			"what is encrypted over a stored file is the new content": "before its change is true",
			"a damaged file is not the same":                          "is true",
			"a file under other keys is not the same":                 "is true",
			"a file of another destination is not the same":           "is true",
			"arguments are not kept":                                  "is true",
		},
		make: comparing(func(sealer, context.Context, event.Plaintext) (bool, error) { return true, nil }),
	},
	{
		name: "nothing is the same",
		by:   map[string]string{hidesSecrets: "is false", "a restarted process finds what it has encrypted": "is false"},
		make: comparing(func(sealer, context.Context, event.Plaintext) (bool, error) { return false, nil }),
	},
	{
		name: "it compares the data alone",
		by:   map[string]string{"a file with another content is not the same": "Same of"},
		make: comparing(func(s sealer, _ context.Context, p event.Plaintext) (bool, error) {
			plain, err := s.decrypt(p)
			data := func(text []byte) string {
				var object map[string]any
				_ = yaml.Unmarshal(text, &object)
				return fmt.Sprint(object["data"], object["stringData"])
			}
			return err == nil && data(plain) == data(p.Content), nil
		}),
	},
	{
		name: "it compares words without their quotes",
		by:   map[string]string{"contents that are easily confused are told apart": "is true"},
		make: comparing(func(s sealer, _ context.Context, p event.Plaintext) (bool, error) {
			plain, err := s.decrypt(p)
			bare := func(text []byte) string { return string(bytes.TrimSpace(bytes.Trim(bytes.TrimSpace(text), `"\n`))) }
			return err == nil && bare(plain) == bare(p.Content), nil
		}),
	},
	{
		name: "it keeps the stored file",
		by:   map[string]string{"what is encrypted over a stored file is the new content": "Same of a changed object is false"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if p.Stored != nil {
				return p.Stored, nil
			}
			return s.Encrypt(ctx, p)
		}),
	},
	{
		name: "it writes half a file over a damaged one",
		by:   map[string]string{"over a damaged file there is an error or a good file": "is false"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			file, err := s.Encrypt(ctx, p)
			if _, damaged := s.decrypt(p); p.Stored != nil && damaged != nil {
				return file[:len(file)/2], err
			}
			return file, err
		}),
	},
	{
		name: "it keeps a state that calls share",
		by:   map[string]string{"it may be used concurrently": "is false"},
		make: func(s sealer) event.Encryptor {
			var calls atomic.Int64
			return encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
				if calls.Add(1)%3 == 0 {
					p.Content = nil // what a call beside it has left
				}
				return s.Encrypt(ctx, p)
			})(s)
		},
	},
	{
		name: "it sorts the fields of its argument",
		by:   map[string]string{"arguments are not changed": "Encrypt has changed its arguments"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if len(p.Fields) > 1 && p.Fields[0] > p.Fields[1] {
				p.Fields[0], p.Fields[1] = p.Fields[1], p.Fields[0]
			}
			return s.Encrypt(ctx, p)
		}),
	},
	{
		name: "it decrypts in place",
		by:   map[string]string{"arguments are not changed": "Same has changed its arguments"},
		make: comparing(func(s sealer, _ context.Context, p event.Plaintext) (bool, error) {
			plain, err := s.decrypt(p)
			copy(p.Stored, plain)
			return err == nil && bytes.Equal(plain, p.Content), nil
		}),
	},
	{
		name: "it keeps the content",
		by:   map[string]string{"arguments are not kept": "is false"},
		make: func(s sealer) event.Encryptor {
			kept := map[string][]byte{} // by file
			return odds{s, func(ctx context.Context, p event.Plaintext) ([]byte, error) {
				file, err := s.Encrypt(ctx, p)
				kept[string(file)] = p.Content
				return file, err
			}, func(_ context.Context, p event.Plaintext) (bool, error) {
				return bytes.Equal(kept[string(p.Stored)], p.Content), nil
			}}
		},
	},
	{
		name: "its file shares memory with the stored one",
		by:   map[string]string{"arguments are not kept": "shares memory"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			file, err := s.Encrypt(ctx, p)
			if len(p.Stored) >= len(file) {
				return p.Stored[:copy(p.Stored, file)], err
			}
			return file, err
		}),
	},
	{
		name: "its errors quote what it could not read",
		by:   map[string]string{"an error has no plain text in it": "hidden ones in it"},
		make: comparing(func(s sealer, ctx context.Context, p event.Plaintext) (bool, error) {
			if _, err := s.decrypt(p); err != nil {
				return false, fmt.Errorf("cannot read %q", p.Stored)
			}
			return s.Same(ctx, p)
		}),
	},
	{
		name: "its errors quote the content",
		by:   map[string]string{"an error has no plain text in it": "hidden ones in it"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if ctx.Err() != nil {
				return nil, errors.New(string(p.Content))
			}
			return s.Encrypt(ctx, p)
		}),
	},
	{
		name: "it is slow and does not heed its context",
		by:   map[string]string{"a call whose context has ended returns": "goes on after its context has ended"},
		make: encrypting(func(s sealer, ctx context.Context, p event.Plaintext) ([]byte, error) {
			if ctx.Err() != nil {
				<-unheeded
			}
			return s.Encrypt(ctx, p)
		}),
	},
}

// unheeded holds up what does not heed its context, until its test ends.
var unheeded chan struct{}
