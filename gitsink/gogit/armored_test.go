package gogit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/hiddeco/sshsig"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestASignatureStandsInTheHeaderOfItsCommit(t *testing.T) {
	t.Parallel()
	const commit = "tree x\nauthor y\n\na subject\n\na body\n"
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		signature string
		fault     error
		want      string
		says      string
	}{
		"as it is": {signature: "-----BEGIN X-----\ny\n-----END X-----", want: "-----BEGIN X-----\n y\n -----END X-----"},
		"with blanks and the lines of Windows": {signature: "\n -----BEGIN X-----\r\n\r\ny\r\n-----END X-----\r\n\n",
			want: "-----BEGIN X-----\n \n y\n -----END X-----"},
		"no beginning": {signature: "y\n-----END X-----", says: "17 bytes that are no armored signature"},
		"no end":       {signature: "-----BEGIN X-----\ny", says: "no armored signature"},
		"a NUL":        {signature: "-----BEGIN X-----\n\x00\n-----END X-----", says: "no armored signature"},
		"nothing":      {says: "0 bytes that are no armored signature"},
		"an error":     {signature: "-----BEGIN X-----\ny\n-----END X-----", fault: broken, says: "broken"},
	} {
		shown := ""
		signed, err := sign(t.Context(), object.SHA1, seeing{func(commit []byte) ([]byte, error) {
			shown = string(commit)
			commit[0] = '!' // which is its own
			return []byte(c.signature), c.fault
		}}, []byte(commit))
		require.Equal(t, commit, shown, name)
		if c.says != "" {
			require.ErrorIs(t, err, errUnsigned, name)
			require.ErrorContains(t, err, c.says, name)
			require.Equal(t, c.fault != nil, errors.Is(err, broken), name)
			require.Nil(t, signed, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, "tree x\nauthor y\ngpgsig "+c.want+"\n\na subject\n\na body\n", string(signed), name)
	}
	_, err := sign(t.Context(), object.SHA1, nil, []byte(commit))
	require.ErrorIs(t, err, errUnsigned)
	require.ErrorIs(t, &signError{broken}, broken)
	nobody, err := Unsigned.Sign(t.Context(), []byte(commit))
	require.NoError(t, err)
	require.Nil(t, nobody)
}

// seeing is a Signer that is shown a commit.
type seeing struct {
	sign func([]byte) ([]byte, error)
}

func (s seeing) Sign(_ context.Context, commit []byte) ([]byte, error) { return s.sign(commit) }

func TestAnSSHKeySignsForGit(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, passphrase := range []string{"", "open sesame"} {
		pem, public := sshKey(t, private, passphrase)
		signer, err := NewSSHSigner(pem, passphrase)
		require.NoError(t, err)
		armored, err := signer.Sign(t.Context(), []byte("commit"))
		require.NoError(t, err)
		signature, err := sshsig.Unarmor(armored)
		require.NoError(t, err)
		require.NoError(t, sshsig.Verify(strings.NewReader("commit"), signature, public, sshsig.HashSHA512, "git"))
	}
	pem, _ := sshKey(t, private, "open sesame")
	for _, key := range [][]byte{nil, []byte("x"), pem} {
		signer, err := NewSSHSigner(key, "wrong")
		require.ErrorContains(t, err, "the SSH key for signing cannot be read with this passphrase")
		require.Nil(t, signer)
	}
	sealed, err := (&sshSigner{sealedKey{}}).Sign(t.Context(), []byte("commit"))
	require.ErrorIs(t, err, errSealed)
	require.Nil(t, sealed)
}

// sealedKey is a key whose store is sealed.
type sealedKey struct{ ssh.Signer }

var errSealed = errors.New("the key store is sealed")

func (sealedKey) PublicKey() ssh.PublicKey { return publicKey{} }
func (sealedKey) Sign(io.Reader, []byte) (*ssh.Signature, error) {
	return nil, errSealed
}

type publicKey struct{ ssh.PublicKey }

func (publicKey) Type() string    { return "none" }
func (publicKey) Marshal() []byte { return nil }

func TestAnOpenPGPKeySignsUntilItExpires(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for _, passphrase := range []string{"", "open sesame"} {
		private, public := openPGPKey(t, passphrase, nil)
		signer, err := NewOpenPGPSigner(private, passphrase)
		require.NoError(t, err)
		armored, err := signer.Sign(t.Context(), []byte("commit"))
		require.NoError(t, err)
		require.True(t, bytes.HasSuffix(armored, []byte("-----\n")))
		ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(public))
		require.NoError(t, err)
		_, err = openpgp.CheckArmoredDetachedSignature(ring, strings.NewReader("commit"), bytes.NewReader(armored), nil)
		require.NoError(t, err)
	}
	private, public := openPGPKey(t, "right", nil)
	_, err := NewOpenPGPSigner(private, "wrong")
	require.ErrorContains(t, err, "cannot be decrypted with this passphrase")
	_, err = NewOpenPGPSigner([]byte("x"), "")
	require.ErrorContains(t, err, "the OpenPGP key for signing cannot be read")
	_, err = NewOpenPGPSigner(public, "")
	require.ErrorContains(t, err, "holds no private key that can sign")
	old, _ := openPGPKey(t, "", &packet.Config{KeyLifetimeSecs: 60, Time: func() time.Time { return time.Now().Add(-time.Hour) }})
	_, err = NewOpenPGPSigner(old, "")
	require.ErrorContains(t, err, "it may have expired or been revoked")

	// Those that cannot sign are passed over.
	both := ringOf(t, public, private)
	signer, err := NewOpenPGPSigner(both, "right")
	require.NoError(t, err)
	require.NotNil(t, signer)
	entity, err := openpgp.NewEntity("Bot", "", "bot@example.com", &packet.Config{
		KeyLifetimeSecs: 60, Time: func() time.Time { return time.Now().Add(-time.Hour) },
	})
	require.NoError(t, err)
	_, err = (&openPGPSigner{entity}).Sign(t.Context(), []byte("commit"))
	require.Error(t, err, "it has expired meanwhile")
}

// ringOf is a key ring of several.
func ringOf(t *testing.T, rings ...[]byte) []byte {
	t.Helper()
	var all, armored bytes.Buffer
	for _, ring := range rings {
		block, err := armor.Decode(bytes.NewReader(ring))
		require.NoError(t, err)
		_, err = all.ReadFrom(block.Body)
		require.NoError(t, err)
	}
	w, err := armor.Encode(&armored, openpgp.PrivateKeyType, nil)
	require.NoError(t, err)
	_, err = w.Write(all.Bytes())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return armored.Bytes()
}

func TestTheSignerOfASecretIsThatOfItsFirstKey(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	plain, _ := sshKey(t, private, "")
	locked, _ := sshKey(t, private, "right")
	pgp, _ := openPGPKey(t, "right", nil)
	for name, c := range map[string]struct {
		data map[string][]byte
		want any
	}{
		"git.asc first":         {map[string][]byte{"git.asc": pgp, "passphrase": []byte("right"), "identity": plain}, &openPGPSigner{}},
		"an empty git.asc":      {map[string][]byte{"git.asc": {}, "identity": plain}, &sshSigner{}},
		"an empty key of SSH":   {map[string][]byte{"ssh-privatekey": {}, "identity": plain}, &sshSigner{}},
		"with a passphrase":     {map[string][]byte{"ssh-privatekey": locked, "passphrase": []byte("right"), "password": []byte("x")}, &sshSigner{}},
		"with a password":       {map[string][]byte{"identity": locked, "password": []byte("right")}, &sshSigner{}},
		"ssh-privatekey first":  {map[string][]byte{"ssh-privatekey": plain, "identity": []byte("x")}, &sshSigner{}},
		"git.asc with password": {map[string][]byte{"git.asc": pgp, "password": []byte("right")}, nil},
		"all are empty":         {map[string][]byte{"git.asc": {}, "ssh-privatekey": {}, "identity": {}}, nil},
	} {
		signer, err := SignerFromSecret(c.data)
		if c.want == nil {
			require.Error(t, err, name)
			require.Nil(t, signer, name)
			continue
		}
		require.NoError(t, err, name)
		require.IsType(t, c.want, signer, name)
	}
	_, err = SignerFromSecret(map[string][]byte{"git.asc": {}, "b": []byte("hunter2"), "a": nil})
	require.ErrorContains(t, err, `it has the keys ["a" "b" "git.asc"]`)
	require.NotContains(t, err.Error(), "hunter2")
}
