package sops

import (
	"fmt"
	"log/slog"

	"github.com/kubescribe/kubescribe/internal/opaque"
)

// The methods below keep keys out of logs and errors, whoever prints them and however: String and
// GoString for fmt, Format for its other verbs, MarshalLog for logr, LogValue for slog, MarshalJSON
// for what marshals a struct that holds one. They are methods of the values, since those of a
// pointer are not found for a copy.

// String names the recipient of the identity.
func (i Identity) String() string { return "the identity of " + i.Recipient() }

// GoString is String, so that not even %#v shows the key.
func (i Identity) GoString() string { return i.String() }

// MarshalLog implements logr.Marshaler with String.
func (i Identity) MarshalLog() any { return i.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (i Identity) Format(f fmt.State, verb rune) { opaque.Format(f, verb, i.String()) }

// LogValue implements slog.LogValuer with String.
func (i Identity) LogValue() slog.Value { return opaque.LogValue(i.String()) }

// MarshalJSON implements json.Marshaler with String.
func (i Identity) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(i.String()) }

// String says how many keys there are.
func (k Keys) String() string {
	return fmt.Sprintf("keys of %d recipients and %d identities", len(k.Recipients), len(k.Identities))
}

// GoString is String, so that not even %#v shows a key.
func (k Keys) GoString() string { return k.String() }

// MarshalLog implements logr.Marshaler with String.
func (k Keys) MarshalLog() any { return k.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (k Keys) Format(f fmt.State, verb rune) { opaque.Format(f, verb, k.String()) }

// LogValue implements slog.LogValuer with String.
func (k Keys) LogValue() slog.Value { return opaque.LogValue(k.String()) }

// MarshalJSON implements json.Marshaler with String.
func (k Keys) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(k.String()) }

// String says how many keys there are.
func (k Keyring) String() string {
	return fmt.Sprintf("a keyring of %d rules and %d identities", len(k.rules), len(k.identities))
}

// GoString is String, so that not even %#v shows a key.
func (k Keyring) GoString() string { return k.String() }

// MarshalLog implements logr.Marshaler with String.
func (k Keyring) MarshalLog() any { return k.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (k Keyring) Format(f fmt.State, verb rune) { opaque.Format(f, verb, k.String()) }

// LogValue implements slog.LogValuer with String.
func (k Keyring) LogValue() slog.Value { return opaque.LogValue(k.String()) }

// MarshalJSON implements json.Marshaler with String.
func (k Keyring) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(k.String()) }

// String names the type. Its keyring shows no key either.
func (e Encryptor) String() string { return "a sops.Encryptor" }

// GoString is String, so that not even %#v shows a key.
func (e Encryptor) GoString() string { return e.String() }

// MarshalLog implements logr.Marshaler with String.
func (e Encryptor) MarshalLog() any { return e.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (e Encryptor) Format(f fmt.State, verb rune) { opaque.Format(f, verb, e.String()) }

// LogValue implements slog.LogValuer with String.
func (e Encryptor) LogValue() slog.Value { return opaque.LogValue(e.String()) }

// MarshalJSON implements json.Marshaler with String.
func (e Encryptor) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(e.String()) }
