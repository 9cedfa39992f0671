package sops

import (
	"crypto/cipher"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
)

// place is a value and where it stands. SOPS leaves the indexes of lists out, so that two equal
// values of a list have one place.
type place struct {
	additional string
	leaf       any
}

// walker goes through a document in its order. It computes the MAC and makes a new tree of what
// leaf returns.
type walker struct {
	*hider
	mac  hash.Hash
	leaf func(leaf any, hidden bool, additional string) (out, plain any, err error)
}

func (h *hider) walker(leaf func(leaf any, hidden bool, additional string) (out, plain any, err error)) *walker {
	w := &walker{hider: h, mac: sha512.New(), leaf: leaf}
	if h.MACOnlyEncrypted {
		w.mac.Write(macOnlyEncrypted[:])
	}
	return w
}

// macOnlyEncrypted begins a MAC that leaves out what is readable, so that it differs from one that
// does not: the SHA-256 of "sops".
var macOnlyEncrypted = [32]byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
	0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// document walks a document and returns the new one with its MAC.
func (w *walker) document(b branch) (branch, string, error) {
	out, err := w.branch(b, w.top(), "")
	if err != nil {
		return nil, "", err
	}
	return out, strings.ToUpper(hex.EncodeToString(w.mac.Sum(nil))), nil
}

func (w *walker) branch(b branch, hidden bool, additional string) (branch, error) {
	out := make(branch, len(b))
	for i, m := range b {
		v, err := w.value(m.value, w.below(hidden, m.key), additional+m.key+":")
		if err != nil {
			return nil, err
		}
		out[i] = member{m.key, v}
	}
	return out, nil
}

func (w *walker) value(v any, hidden bool, additional string) (any, error) {
	switch v := v.(type) {
	case branch:
		return w.branch(v, hidden, additional)
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			out, err := w.value(item, hidden, additional)
			if err != nil {
				return nil, err
			}
			if out != (any)(comment{}) {
				list = append(list, out)
			}
		}
		return list, nil
	case nil:
		return nil, nil // it is no leaf to SOPS
	}
	if !hidden && unreadable(v) {
		return nil, errNumber
	}
	out, plain, err := w.leaf(v, hidden, additional)
	if err != nil {
		return nil, err
	}
	if _, isComment := plain.(comment); !isComment && (hidden || !w.MACOnlyEncrypted) {
		text, _ := textOf(plain)
		w.mac.Write(text)
	}
	return out, nil
}

// encrypt returns a document with what is meant encrypted, and its MAC. What stood encrypted at its
// place stays as it was: the same bytes under the same nonce.
func (h *hider) encrypt(content branch, aead cipher.AEAD, stood map[place]string) (branch, string, error) {
	return h.walker(func(leaf any, hidden bool, additional string) (out, plain any, err error) {
		if !hidden || leaf == "" {
			return leaf, leaf, nil
		}
		if old, ok := stood[place{additional, leaf}]; ok {
			return old, leaf, nil
		}
		text, kind := textOf(leaf)
		return seal(aead, text, kind, additional), leaf, nil
	}).document(content)
}

// decrypt is the reverse of encrypt. It also returns what stood where.
func (h *hider) decrypt(stored branch, aead cipher.AEAD) (content branch, mac string, stood map[place]string, err error) {
	stood = map[place]string{}
	content, mac, err = h.walker(func(leaf any, hidden bool, additional string) (out, plain any, err error) {
		if !hidden || leaf == "" {
			return leaf, leaf, nil
		}
		value, ok := leaf.(string)
		if !ok {
			return nil, nil, errForm
		}
		text, kind, err := unseal(aead, value, additional)
		if err != nil {
			return nil, nil, err
		}
		if plain, err = leafOf(text, kind); err != nil {
			return nil, nil, errForm
		}
		if _, same := textOf(plain); same == kind {
			stood[place{additional, plain}] = value
		}
		return plain, plain, nil
	}).document(stored)
	return content, mac, stood, err
}

var errMAC = errors.New("its MAC does not match: it was changed")

// sealMAC encrypts a MAC for the moment of the change.
func sealMAC(aead cipher.AEAD, mac, modified string) string {
	return seal(aead, []byte(mac), typeString, modified)
}

// checkMAC returns an error unless the encrypted MAC is this one.
func checkMAC(aead cipher.AEAD, encrypted, modified, mac string) error {
	text, kind, err := unseal(aead, encrypted, modified)
	if err != nil || kind != typeString || subtle.ConstantTimeCompare(text, []byte(mac)) != 1 {
		return errMAC
	}
	return nil
}
