package gitsinktest_test

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

// whole encrypts objects as a whole, under one key.
type whole struct{ cipher.AEAD }

func (w whole) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	nonce := make([]byte, w.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	return hex.AppendEncode(nil, w.Seal(nonce, nonce, p.Content, nil)), nil
}

func (w whole) Same(_ context.Context, p event.Plaintext) (bool, error) {
	stored, err := hex.DecodeString(string(p.Stored))
	if err != nil || len(stored) < w.NonceSize() {
		return false, nil //nolint:nilerr // what cannot be decrypted is not the same
	}
	plain, err := w.Open(nil, stored[:w.NonceSize()], stored[w.NonceSize():], nil)
	return err == nil && bytes.Equal(plain, p.Content), nil
}

// aTestOfAnEncryptor is the test of an Encryptor of one's own.
func aTestOfAnEncryptor(t *testing.T) {
	key := bytes.Repeat([]byte("k"), chacha20poly1305.KeySize)
	gitsinktest.TestEncryptor(t, gitsinktest.EncryptorHarness{
		New: func(t testing.TB) event.Encryptor {
			aead, err := chacha20poly1305.NewX(key)
			if err != nil {
				t.Fatal(err)
			}
			return whole{aead}
		},
	})
}

// The kit is called by a test.
func ExampleTestEncryptor() {
	_ = aTestOfAnEncryptor
}
