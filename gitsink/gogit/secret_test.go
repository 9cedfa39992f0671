package gogit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestAuthFromSecretKnowsTheKeysThatAreInUse(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want Auth
	}{
		"kubernetes.io/basic-auth": {
			map[string]string{"username": "bot", "password": "token"},
			Auth{Username: "bot", Password: "token"},
		},
		"kubernetes.io/ssh-auth": {
			map[string]string{"ssh-privatekey": "key", "known_hosts": "hosts"},
			Auth{SSHPrivateKey: []byte("key"), KnownHosts: []byte("hosts")},
		},
		"Flux, SSH": {
			map[string]string{"identity": "key", "identity.pub": "pub", "known_hosts": "hosts", "password": "phrase"},
			Auth{SSHPrivateKey: []byte("key"), KnownHosts: []byte("hosts"), Password: "phrase", SSHPassphrase: "phrase"},
		},
		"Flux, bearer": {
			map[string]string{"bearerToken": "token", "ca.crt": "ca"},
			Auth{BearerToken: "token", CABundle: []byte("ca")},
		},
		"Flux, old name of the bundle": {
			map[string]string{"username": "bot", "password": "token", "caFile": "ca"},
			Auth{Username: "bot", Password: "token", CABundle: []byte("ca")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AuthFromSecret(secretData(c.data))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, got))
		})
	}
}

func TestAuthFromSecretNamesTheKeysOfASecretThatItCannotUseAndNoValue(t *testing.T) {
	_, err := AuthFromSecret(secretData(map[string]string{"pasword": "hunter2", "user": "bot"}))
	require.ErrorContains(t, err, `["pasword" "user"]`)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = AuthFromSecret(nil)
	require.Error(t, err)
}

func secretData(in map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for key, value := range in {
		out[key] = []byte(value)
	}
	return out
}
