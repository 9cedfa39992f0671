package gogit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// Signer signs commits. It may be used concurrently.
type Signer interface {
	// Sign returns the armored signature of a commit object that has none yet, as git
	// verify-commit(1) wants it: one of SSH (ssh-keygen -Y sign -n git) or OpenPGP (gpg --armor
	// --detach-sign). On an error the commit is not made. ctx ends with the group of calls, or
	// after Options.StepTimeout.
	Sign(ctx context.Context, commit []byte) ([]byte, error)
}

// Unsigned is for a destination whose commits are not to be signed, where Options.Signer is set
// for others.
var Unsigned Signer = unsigned{}

type unsigned struct{}

// Sign implements Signer.
func (unsigned) Sign(context.Context, []byte) ([]byte, error) { return nil, nil }

// errUnsigned is what keeps a commit from going unsigned.
var errUnsigned = errors.New("the commit cannot be signed")

// sshSigner signs with a key of SSH.
type sshSigner struct{ key ssh.Signer }

// NewSSHSigner returns a Signer with a private key in PEM, as ssh-keygen(1) writes it. The
// passphrase is not used for a key that is not encrypted. Whoever verifies needs the public key
// in gpg.ssh.allowedSignersFile (git-config(1)).
func NewSSHSigner(privateKey []byte, passphrase string) (Signer, error) {
	key, err := smart.Credentials{SSHPrivateKey: privateKey, SSHPassphrase: passphrase}.Signer()
	if err != nil {
		return nil, errors.New("gogit: the SSH key for signing cannot be read with this passphrase: give a private key in PEM")
	}
	return &sshSigner{key}, nil
}

// Sign implements Signer.
func (s *sshSigner) Sign(_ context.Context, commit []byte) ([]byte, error) {
	signature, err := sshsig.Sign(bytes.NewReader(commit), s.key, sshsig.HashSHA512, "git")
	if err != nil {
		return nil, err
	}
	return sshsig.Armor(signature), nil
}

// openPGPSigner signs with a key of OpenPGP.
type openPGPSigner struct{ entity *openpgp.Entity }

// NewOpenPGPSigner returns a Signer with the first private key that can sign in an armored key
// ring, as gpg --export-secret-keys --armor writes it. The passphrase is "" for a key that is not
// encrypted.
func NewOpenPGPSigner(armoredKeys []byte, passphrase string) (Signer, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(armoredKeys))
	if err != nil {
		return nil, errors.New("gogit: the OpenPGP key for signing cannot be read: give a private key as gpg --export-secret-keys --armor writes it")
	}
	for _, entity := range ring {
		key, ok := entity.SigningKey(time.Now())
		if !ok || key.PrivateKey == nil || key.PrivateKey.Dummy() {
			continue
		}
		if key.PrivateKey.Encrypted {
			if err := entity.DecryptPrivateKeys([]byte(passphrase)); err != nil {
				return nil, errors.New("gogit: the OpenPGP key for signing cannot be decrypted with this passphrase")
			}
		}
		return &openPGPSigner{entity}, nil
	}
	return nil, errors.New("gogit: the OpenPGP key ring for signing holds no private key that can sign: it may have expired or been revoked")
}

// Sign implements Signer. A key that has expired meanwhile signs no more.
func (s *openPGPSigner) Sign(_ context.Context, commit []byte) ([]byte, error) {
	var armored bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&armored, s.entity, bytes.NewReader(commit), nil); err != nil {
		return nil, err
	}
	return append(armored.Bytes(), '\n'), nil
}

// SignerFromSecret reads the data of a Kubernetes Secret: git.asc, an OpenPGP key, with its
// passphrase, as Flux has it; or ssh-privatekey or identity, a key of SSH, with its passphrase or
// password. A Secret with none of them is an error that names the keys it has, never a value.
func SignerFromSecret(data map[string][]byte) (Signer, error) {
	if key := data["git.asc"]; len(key) > 0 {
		return NewOpenPGPSigner(key, string(data["passphrase"]))
	}
	for _, name := range []string{"ssh-privatekey", "identity"} {
		if key := data[name]; len(key) > 0 {
			return NewSSHSigner(key, cmp.Or(string(data["passphrase"]), string(data["password"])))
		}
	}
	return nil, fmt.Errorf("gogit: the Secret has none of git.asc, ssh-privatekey and identity to sign with: it has the keys %q", slices.Sorted(maps.Keys(data)))
}

// sign returns the commit with its signature in the header, where git looks for it
// (gitformat-signature(5)).
func sign(ctx context.Context, f object.Format, s Signer, commit []byte) ([]byte, error) {
	if s == nil {
		return nil, fmt.Errorf("%w: Options.Signer returned none: return Unsigned if that is meant", errUnsigned)
	}
	signature, err := s.Sign(ctx, bytes.Clone(commit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsigned, err)
	}
	text := strings.TrimSpace(strings.ReplaceAll(string(signature), "\r\n", "\n"))
	if !strings.HasPrefix(text, "-----BEGIN ") || !strings.HasSuffix(text, "-----") || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("%w: the Signer returned %d bytes that are no armored signature", errUnsigned, len(signature))
	}
	return object.WithSignature(f, commit, text), nil
}

// signError is an error of Options.Signer or of a Signer. What it wraps is matched by the result.
type signError struct{ err error }

// Error implements error.
func (e *signError) Error() string { return e.err.Error() }

// Unwrap lets errors.Is and errors.As see the cause.
func (e *signError) Unwrap() error { return e.err }
