package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/opaque"
)

// ErrSecret is matched by the error for a core v1 Secret without an Encryptor.
var ErrSecret = errors.New("event: a Secret is not written in plain text")

// IsSecret reports whether id is a core v1 Secret, which is only ever written encrypted.
func IsSecret(id ID) bool { return id.Group == "" && id.Resource == "secrets" }

// IsSecretKind reports whether r is of the core kind Secret, whatever its resource: an aggregated
// API may serve Secrets under a name of its own, and FromObject is told the resource apart from the
// object.
func IsSecretKind(r Resource) bool { return r.Group == "" && r.Kind == "Secret" }

// SaysSecret reports whether content, as Encode writes it, is a core Secret by its own apiVersion
// and kind. It is the last check before a file is written.
func SaysSecret(content []byte) bool {
	// Keys are in byte order and only those of the object itself begin a line.
	return bytes.HasPrefix(content, []byte("apiVersion: v1\n")) && bytes.Contains(content, []byte("\nkind: Secret\n"))
}

// Encryptor encrypts what is sensitive on its way into a file. Implementations must be safe for
// concurrent use, must not keep or change their arguments, and must not put plain text into an
// error.
type Encryptor interface {
	// Encrypt returns what is stored instead of the content. It may take from p.Stored what is
	// still good, so that what did not change stays as it is.
	Encrypt(ctx context.Context, p Plaintext) ([]byte, error)
	// Same reports whether p.Stored is a valid encryption of the content for this destination,
	// under the keys in use today. Ciphertext differs each time: without Same every restart would
	// commit every Secret again. What cannot be decrypted is not the same.
	Same(ctx context.Context, p Plaintext) (bool, error)
}

// Plaintext is what an Encryptor encrypts. Its contents show in no log and no error, however it is
// printed.
type Plaintext struct {
	Destination destination.Destination
	Resource    Resource
	// Path is that of the file from the root of the repository, with slashes.
	Path string
	// Content is the canonical YAML of the object.
	Content []byte
	// Fields are JSON pointers (RFC 6901) to what must not be stored in plain. Without any, that
	// is data and stringData of a Secret, and of any other object all but apiVersion, kind and
	// metadata.
	Fields []string
	// Stored is the file as it stands; nil if there is none.
	Stored []byte
}

// String names the object and where it goes.
func (p Plaintext) String() string {
	return fmt.Sprintf("%s for %s", p.Resource.ID, p.Destination.Ref)
}

// GoString is String, so that not even %#v shows the contents.
func (p Plaintext) GoString() string { return p.String() }

// MarshalLog implements logr.Marshaler with String.
func (p Plaintext) MarshalLog() any { return p.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (p Plaintext) Format(f fmt.State, verb rune) { opaque.Format(f, verb, p.String()) }

// LogValue implements slog.LogValuer with String.
func (p Plaintext) LogValue() slog.Value { return opaque.LogValue(p.String()) }

// MarshalJSON implements json.Marshaler with String.
func (p Plaintext) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(p.String()) }
