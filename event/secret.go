package event

import (
	"bytes"
	"context"
	"errors"

	"github.com/kubescribe/kubescribe/destination"
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

// Encryptor encrypts the content of Secrets on its way into a file. Implementations must be safe
// for concurrent use, must not keep or change their arguments, and must not put plain text into an
// error.
type Encryptor interface {
	// Encrypt returns what is stored instead of plain, the canonical YAML of r.
	Encrypt(ctx context.Context, d destination.Destination, r Resource, plain []byte) ([]byte, error)
	// Same reports whether stored is a valid encryption of plain for this destination, under the
	// keys in use today. Ciphertext differs each time: without Same every restart would commit
	// every Secret again. Content that cannot be decrypted is not the same.
	Same(ctx context.Context, d destination.Destination, r Resource, stored, plain []byte) (bool, error)
}
