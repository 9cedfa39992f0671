package gogit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAuthFromSecretKnowsTheKeysThatAreInUse(t *testing.T) {
	t.Parallel()
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
		"kubernetes.io/tls": {
			map[string]string{"tls.crt": "cert", "tls.key": "key"},
			Auth{ClientCertificate: []byte("cert"), ClientKey: []byte("key")},
		},
		"Flux, old names of the certificate": {
			map[string]string{"certFile": "cert", "keyFile": "key", "username": "bot"},
			Auth{ClientCertificate: []byte("cert"), ClientKey: []byte("key"), Username: "bot"},
		},
		"Argo CD, HTTPS": {
			map[string]string{"type": "git", "url": "https://host/repo", "username": "bot", "password": "token", "tlsClientCertData": "cert", "tlsClientCertKey": "key", "proxy": "http://proxy:8080"},
			Auth{Username: "bot", Password: "token", ClientCertificate: []byte("cert"), ClientKey: []byte("key"), Proxy: "http://proxy:8080"},
		},
		"Argo CD, SSH": {
			map[string]string{"sshPrivateKey": "key", "ssh_known_hosts": "hosts"},
			Auth{SSHPrivateKey: []byte("key"), KnownHosts: []byte("hosts")},
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
	t.Parallel()
	_, err := AuthFromSecret(secretData(map[string]string{"pasword": "hunter2", "user": "bot"}))
	require.ErrorContains(t, err, `["pasword" "user"]`)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = AuthFromSecret(nil)
	require.Error(t, err)
}

func TestASecretOfAGitHubAppIsNamed(t *testing.T) {
	t.Parallel()
	_, err := AuthFromSecret(secretData(map[string]string{"githubAppID": "1", "githubAppPrivateKey": "hunter2"}))
	require.ErrorIs(t, err, gitsink.ErrAuth)
	require.ErrorContains(t, err, "GitHub App")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestProxyFromSecretMakesAURL(t *testing.T) {
	t.Parallel()
	proxy, err := ProxyFromSecret(secretData(map[string]string{"address": "http://proxy:8080", "username": "me", "password": "a/b"}))
	require.NoError(t, err)
	require.Equal(t, "http://me:a%2Fb@proxy:8080", proxy)
	_, err = ProxyFromSecret(secretData(map[string]string{"password": "hunter2"}))
	require.ErrorContains(t, err, "key address")
	require.NotContains(t, err.Error(), "hunter2")
}

func secretData(in map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for key, value := range in {
		out[key] = []byte(value)
	}
	return out
}

func TestOneKeyOfASecretMayBeEnough(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Auth{
		"bearerToken": {BearerToken: "v"}, "identity": {SSHPrivateKey: []byte("v")}, "ca.crt": {CABundle: []byte("v")}, "proxy": {Proxy: "v"},
	} {
		got, err := AuthFromSecret(map[string][]byte{name: []byte("v")})
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"known_hosts", "other"} {
		_, err := AuthFromSecret(map[string][]byte{name: []byte("v")})
		require.ErrorContains(t, err, name)
	}
}
