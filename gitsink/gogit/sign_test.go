package gogit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func signWith(s Signer) *Options {
	return &Options{Signer: func(context.Context, destination.Destination) (Signer, error) { return s, nil }}
}

// sshKey returns a private key in PEM, encrypted if there is a passphrase, and the public key.
func sshKey(t *testing.T, private crypto.PrivateKey, passphrase string) ([]byte, ssh.PublicKey) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(block), signer.PublicKey()
}

// verify asks git whether all commits of main have a good signature.
func verify(t *testing.T, repo *gitservertest.Repo, env []string, config ...string) error {
	t.Helper()
	var args []string
	for _, c := range config {
		args = append(args, "-c", c)
	}
	args = append(args, "verify-commit")
	for _, commit := range repo.Log("main") {
		args = append(args, commit.Hash)
	}
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = repo.Dir(), append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestGitVerifiesWhatAnSSHKeyHasSigned(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]struct {
		private    crypto.PrivateKey
		passphrase string
	}{"ed25519": {ed, ""}, "ecdsa": {ec, ""}, "rsa": {rs, ""}, "encrypted": {ed, "open sesame"}} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			private, public := sshKey(t, key.private, key.passphrase)
			signer, err := NewSSHSigner(private, key.passphrase)
			require.NoError(t, err)
			s := newSink(t, signWith(signer))
			d := target(repo.URL(), "main", "base")
			apply(t, s, d, history("x", "A", "B"))
			apply(t, s, d, commits(gitsink.Commit{Message: "a subject\n\na body\n\nof paragraphs\n", Changes: writes("y", "1")}))
			repo.Fsck()
			allowed := filepath.Join(t.TempDir(), "allowed")
			line := `kubescribe@localhost namespaces="git" ` + string(ssh.MarshalAuthorizedKey(public))
			require.NoError(t, os.WriteFile(allowed, []byte(line), 0o600))
			require.NoError(t, verify(t, repo, nil, "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+allowed))

			tampered := strings.Replace(repo.Git("cat-file", "commit", "main"), "a subject", "another subject", 1)
			hash := gitStdin(t, repo, tampered+"\n", "hash-object", "-t", "commit", "-w", "--stdin")
			repo.Git("update-ref", "refs/heads/main", hash)
			require.Error(t, verify(t, repo, nil, "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+allowed))
		})
	}
}

// openPGPKey returns an armored private key, encrypted if there is a passphrase, and the public
// one.
func openPGPKey(t *testing.T, passphrase string, config *packet.Config) (private, public []byte) {
	t.Helper()
	entity, err := openpgp.NewEntity("Bot", "", "bot@example.com", config)
	require.NoError(t, err)
	write := func(kind string, serialize func(*bytes.Buffer) error) []byte {
		var plain, armored bytes.Buffer
		require.NoError(t, serialize(&plain))
		w, err := armor.Encode(&armored, kind, nil)
		require.NoError(t, err)
		_, err = w.Write(plain.Bytes())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return armored.Bytes()
	}
	public = write(openpgp.PublicKeyType, func(b *bytes.Buffer) error { return entity.Serialize(b) })
	if passphrase != "" {
		require.NoError(t, entity.EncryptPrivateKeys([]byte(passphrase), nil))
		return write(openpgp.PrivateKeyType, func(b *bytes.Buffer) error { return entity.SerializePrivateWithoutSigning(b, nil) }), public
	}
	return write(openpgp.PrivateKeyType, func(b *bytes.Buffer) error { return entity.SerializePrivate(b, nil) }), public
}

func TestGitVerifiesWhatAnOpenPGPKeyHasSigned(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	if _, err := exec.LookPath("gpg"); err != nil && os.Getenv("CI") == "" {
		t.Skip("gpg is not installed: git needs it to verify; .ci/run installs it")
	}
	for passphrase, format := range map[string]string{"": "sha256", "open sesame": "sha1"} {
		t.Run("passphrase "+passphrase, func(t *testing.T) {
			repo := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: format}).NewRepo("app")
			private, public := openPGPKey(t, passphrase, nil)
			signer, err := SignerFromSecret(map[string][]byte{"git.asc": private, "passphrase": []byte(passphrase)})
			require.NoError(t, err)
			apply(t, newSink(t, signWith(signer)), target(repo.URL(), "main", "base"), history("x", "A", "B"))
			repo.Fsck()
			home, err := os.MkdirTemp("", "gpg") // its socket needs a short path
			require.NoError(t, err)
			env := []string{"GNUPGHOME=" + home}
			t.Cleanup(func() {
				cmd := exec.Command("gpgconf", "--kill", "all")
				cmd.Env = append(os.Environ(), env...)
				_ = cmd.Run()
				_ = os.RemoveAll(home)
			})
			require.Error(t, verify(t, repo, env), "the key is not known yet")
			cmd := exec.CommandContext(t.Context(), "gpg", "--batch", "--import")
			cmd.Env, cmd.Stdin = append(os.Environ(), env...), bytes.NewReader(public)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.NoError(t, verify(t, repo, env))
		})
	}
}

// signerFunc is a Signer that is a function.
type signerFunc func() ([]byte, error)

func (f signerFunc) Sign(context.Context, []byte) ([]byte, error) { return f() }

func TestACommitIsNeverUnsignedWhereASignerIsConfigured(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	broken := errors.New("the key store is sealed")
	for name, opts := range map[string]*Options{
		"no signer":     signWith(nil),
		"empty":         signWith(signerFunc(func() ([]byte, error) { return nil, nil })),
		"no armor":      signWith(signerFunc(func() ([]byte, error) { return []byte("signature"), nil })),
		"a NUL":         signWith(signerFunc(func() ([]byte, error) { return []byte("-----BEGIN X-----\n\x00\n-----END X-----"), nil })),
		"sign fails":    signWith(signerFunc(func() ([]byte, error) { return nil, broken })),
		"no key at all": {Signer: func(context.Context, destination.Destination) (Signer, error) { return nil, broken }},
	} {
		_, err := newSink(t, opts).Apply(t.Context(), target(repo.URL(), "main", ""), put("a", "1"))
		var e *gitsink.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, opCommit, e.Op)
		if strings.HasPrefix(name, "sign fails") || strings.HasPrefix(name, "no key") {
			require.ErrorIs(t, err, broken, name)
		}
		require.Empty(t, repo.Branches(), name)
	}
	apply(t, newSink(t, signWith(Unsigned)), target(repo.URL(), "main", ""), put("a", "1"))
	require.NotContains(t, repo.Git("cat-file", "commit", "main"), "gpgsig")
}

func TestTheSignerIsAskedForEachCall(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, _ := sshKey(t, ed, "")
	signer, err := NewSSHSigner(private, "")
	require.NoError(t, err)
	var asked atomic.Int32
	s := newSink(t, &Options{Signer: func(_ context.Context, d destination.Destination) (Signer, error) {
		asked.Add(1)
		return signer, nil
	}})
	s.freshFor = time.Hour
	for _, o := range crowded(t, s, repo, members(t, repo.URL(), put("a", "0"), put("a", "1"), nothing), nil) {
		require.NoError(t, o.err)
	}
	require.EqualValues(t, 4, asked.Load())
	for _, commit := range repo.Log("main") {
		require.Contains(t, repo.Git("cat-file", "commit", commit.Hash), "gpgsig -----BEGIN SSH SIGNATURE-----")
	}
}

func TestKeysThatCannotSignAreRefusedWithoutShowingThem(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, _ := sshKey(t, ed, "right")
	pgp, public := openPGPKey(t, "right", nil)
	for want, secret := range map[string]map[string][]byte{
		"SSH key for signing cannot be read":          {"ssh-privatekey": private, "passphrase": []byte("wrong")},
		"SSH key for signing cannot be read with":     {"identity": []byte("garbage-hunter2")},
		"OpenPGP key for signing cannot be decrypted": {"git.asc": pgp, "passphrase": []byte("wrong")},
		"OpenPGP key for signing cannot be read":      {"git.asc": []byte("garbage-hunter2")},
		"holds no private key that can sign":          {"git.asc": public},
		`it has the keys ["other"]`:                   {"other": []byte("hunter2")},
	} {
		_, err := SignerFromSecret(secret)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "wrong")
	}
}
