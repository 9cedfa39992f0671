package gitsinktest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/kittest"
)

// sealer is an Encryptor that keeps the contract: it encrypts the content as a whole.
type sealer struct{ key string }

func (s sealer) aead(to destination.Destination) cipher.AEAD {
	key := sha256.Sum256([]byte(s.key + to.Ref.String()))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

const sealedPrefix = "sealed: "

func (s sealer) Encrypt(ctx context.Context, p event.Plaintext) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce)
	return []byte(sealedPrefix + hex.EncodeToString(s.aead(p.Destination).Seal(nonce, nonce, p.Content, nil)) + "\n"), nil
}

func (s sealer) decrypt(p event.Plaintext) ([]byte, error) {
	text, found := bytes.CutPrefix(p.Stored, []byte(sealedPrefix))
	raw, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || !found || len(raw) < 12 {
		return nil, errors.New("it is not sealed")
	}
	return s.aead(p.Destination).Open(nil, raw[:12], raw[12:], nil)
}

func (s sealer) Same(ctx context.Context, p event.Plaintext) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	plain, err := s.decrypt(p)
	return err == nil && bytes.Equal(plain, p.Content), nil
}

var (
	tenant      = destination.Destination{Ref: destination.Ref{Namespace: "a", Name: "d"}}
	otherTenant = destination.Destination{Ref: destination.Ref{Namespace: "b", Name: "d"}}
)

func encryptorHarness(wrap func(sealer) event.Encryptor) EncryptorHarness {
	return EncryptorHarness{
		New:   func(testing.TB) event.Encryptor { return wrap(sealer{"key"}) },
		Other: func(testing.TB) event.Encryptor { return sealer{"another"} },
		Decrypt: func(_ testing.TB, file []byte) ([]byte, error) {
			return sealer{"key"}.decrypt(event.Plaintext{Destination: tenant, Stored: file})
		},
		To: tenant, OtherTo: otherTenant,
	}
}

func TestAnEncryptorKeepsTheContract(t *testing.T) {
	TestEncryptor(t, encryptorHarness(func(s sealer) event.Encryptor { return s }))
}

func TestEveryCheckOfEncryptorsQuotesTheDocumentation(t *testing.T) {
	kittest.RequireQuotes(t, encryptorCatalogue(), "../../event/secret.go", "../../event/plaintext.go", "doc.go")
}

func TestWhatAnEncryptorHarnessLacksIsSkipped(t *testing.T) {
	bare := EncryptorHarness{New: func(testing.TB) event.Encryptor { return sealer{"key"} }}
	skipped := 0
	for _, c := range encryptorChecks {
		err := c.against(t, bare, patience)
		if c.needs == 0 {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorIs(t, err, errSkipped, c.name)
		skipped++
	}
	require.Equal(t, 3, skipped)
}

func TestEachBrokenEncryptorIsRefused(t *testing.T) {
	unheeded = make(chan struct{})
	defer close(unheeded)
	kittest.RequireRefused(t, encryptorCatalogue(), brokenEncryptorRuns(), errSkipped)
}

func TestEachCheckRefusesABrokenEncryptor(t *testing.T) {
	kittest.RequireUse(t, encryptorCatalogue(), brokenEncryptorRuns())
}

func encryptorCatalogue() (all []kittest.Check) {
	for _, c := range encryptorChecks {
		all = append(all, kittest.Check{Name: c.name, Promise: c.promise})
	}
	return all
}

func brokenEncryptorRuns() (all []kittest.Broken) {
	named := map[string]encryptorCheck{}
	for _, c := range encryptorChecks {
		named[c.name] = c
	}
	for _, b := range brokenEncryptors {
		all = append(all, kittest.Broken{Name: b.name, By: b.by, Run: func(t *testing.T, name string) error {
			return named[name].against(t, encryptorHarness(b.make), time.Second)
		}})
	}
	return all
}
