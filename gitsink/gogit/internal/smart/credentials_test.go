package smart

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestSSHNeedsAKeyAndWhoToTrust(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]Credentials{
		"neither": {}, "no key": {KnownHosts: []byte("host ssh-ed25519 AAAA")}, "no known hosts": {SSHPrivateKey: []byte("key")},
	} {
		_, err := auth.sshConfig("git", "git.example:22")
		require.ErrorIs(t, err, gitsink.ErrAuth, name)
		require.ErrorContains(t, err, "SSH needs SSHPrivateKey and KnownHosts: set both", name)
	}
}
