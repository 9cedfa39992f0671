package smart

import (
	"crypto"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

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
