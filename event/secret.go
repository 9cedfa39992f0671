package event

import (
	"bytes"
	"context"
	"errors"
)

// ErrSecret is matched by the error for a core v1 Secret, or another object that is sensitive,
// without an Encryptor.
var ErrSecret = errors.New("event: a Secret is not written in plain text")

// ErrSensitive is the ErrSecret of an object that is no Secret, and sensitive by a rule or an
// option.
var ErrSensitive error = sensitiveError{}

type sensitiveError struct{}

// Error implements error.
func (sensitiveError) Error() string { return "event: what is sensitive is not written in plain text" }

// Is matches ErrSecret.
func (sensitiveError) Is(target error) bool { return target == ErrSecret }

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
