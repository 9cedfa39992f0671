package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// EncryptorHarness makes the Encryptors that [TestEncryptor] checks.
type EncryptorHarness struct {
	// New makes an Encryptor. Each call stands for a process of its own: all must have the same
	// keys and share nothing else. What one needs besides is let go of by t.Cleanup. Required.
	New func(t testing.TB) event.Encryptor

	// Other makes one with other keys, for the same destination. Nil: the check that needs it is
	// skipped.
	Other func(t testing.TB) event.Encryptor

	// Decrypt returns the object in a file that New's Encryptor has written, in YAML, by other
	// means than the Encryptor. Nil: the check that needs it is skipped.
	Decrypt func(t testing.TB, file []byte) ([]byte, error)

	// To is a destination for which New's Encryptor has keys. Default: one that the kit makes up.
	To destination.Destination

	// OtherTo is a destination that has keys of its own, if destinations do. Default: none, and the
	// check that needs it is skipped.
	OtherTo destination.Destination
}

// encryptorNeed is what a check asks of an EncryptorHarness.
type encryptorNeed int

const (
	otherKeys        encryptorNeed = 1 << iota // Other
	decryption                                 // Decrypt
	otherDestination                           // OtherTo
)

func (n encryptorNeed) lacks(h EncryptorHarness) string {
	switch {
	case n&otherKeys != 0 && h.Other == nil:
		return "the harness has no Other"
	case n&decryption != 0 && h.Decrypt == nil:
		return "the harness has no Decrypt"
	case n&otherDestination != 0 && h.OtherTo == (destination.Destination{}):
		return "the harness has no OtherTo"
	}
	return ""
}

// encryptorCheck is one promise of an Encryptor.
type encryptorCheck struct {
	name    string // a sentence
	promise string // quoted from the documentation
	needs   encryptorNeed
	run     func(ctx context.Context, e *encryptorEnv) error
}

// TestEncryptor checks that an Encryptor keeps the contract of event.Encryptor, and what this
// package asks for besides. Each check is a subtest with Encryptors of its own. One that fails
// quotes the promise that was broken. Run it with the race detector, too.
func TestEncryptor(t *testing.T, h EncryptorHarness) {
	t.Helper()
	for _, c := range encryptorChecks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.against(t, h, patience); errors.Is(err, errSkipped) {
				t.Skip(err)
			} else if err != nil {
				t.Errorf("%v\n%q", err, c.promise)
			}
		})
	}
}

// against runs the check. A check that hangs is left behind.
func (c encryptorCheck) against(t testing.TB, h EncryptorHarness, patience time.Duration) error {
	t.Helper()
	if lack := c.needs.lacks(h); lack != "" {
		return fmt.Errorf("%w: %s", errSkipped, lack)
	}
	if h.To == (destination.Destination{}) {
		h.To = destination.Destination{
			Ref: destination.Ref{Namespace: "gitsinktest", Name: "encrypted"}, RepositoryRef: destination.Ref{Namespace: "gitsinktest", Name: "repository"},
			Repository: "https://git.example/team/app.git", Branch: "main", BaseFolder: "base",
		}
	}
	e := &encryptorEnv{EncryptorHarness: h, t: t, patience: patience}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- survived(func() error { return c.run(ctx, e) }) }()
	timer := time.NewTimer(2 * patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return errHangs
	}
}

// encryptorEnv gives a check its Encryptors.
type encryptorEnv struct {
	EncryptorHarness
	t        testing.TB
	patience time.Duration
}

func (e *encryptorEnv) make() event.Encryptor { return e.New(e.t) }

// encrypted returns the file of an object.
func encrypted(ctx context.Context, enc event.Encryptor, p event.Plaintext) ([]byte, error) {
	file, err := enc.Encrypt(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("Encrypt of %s: %w", p.Resource.ID, err)
	}
	return file, nil
}

// requireSame returns an error unless a file is said to hold, or not to hold, an object.
func requireSame(ctx context.Context, enc event.Encryptor, p event.Plaintext, file []byte, want bool, what string) error {
	p.Stored = file
	same, err := enc.Same(ctx, p)
	if err != nil {
		return fmt.Errorf("Same of %s: %w", what, err)
	}
	if same != want {
		return fmt.Errorf("Same of %s is %t, want %t", what, same, want)
	}
	return nil
}
