package smart

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

func TestEachCredentialIsShownInItsOwnWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		auth      Credentials
		shown     string
		anonymous bool
	}{
		"nothing":             {Credentials{}, "", true},
		"what HTTP ignores":   {Credentials{SSHPrivateKey: []byte("k"), CABundle: []byte("c"), ClientKey: []byte("k"), Proxy: "p"}, "", true},
		"a certificate":       {Credentials{ClientCertificate: []byte("c")}, "", false},
		"a user alone":        {Credentials{Username: "tok"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("tok:")), false},
		"a password alone":    {Credentials{Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("git:p")), false},
		"both":                {Credentials{Username: "u", Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p")), false},
		"a token":             {Credentials{BearerToken: "t"}, "Bearer t", false},
		"a token before both": {Credentials{BearerToken: "t", Username: "u", Password: "p"}, "Bearer t", false},
	} {
		req := &http.Request{Header: http.Header{}}
		c.auth.show(req)
		require.Equal(t, c.shown, req.Header.Get("Authorization"), name)
		require.Equal(t, c.anonymous, c.auth.Anonymous(), name)
		for _, verb := range []string{"%v", "%#v", "%s", "%d", "%x"} {
			require.Equal(t, "smart.Credentials{***}", fmt.Sprintf(verb, c.auth), "%s, %s", name, verb)
		}
	}
}

func TestOnlyWhatIsSetChangesATransport(t *testing.T) {
	t.Parallel()
	_, certificate, key := gogittest.ClientCertificate(t)
	set := func(a Credentials) (*http.Transport, error) {
		made := without()
		made.TLSClientConfig = tlsDefaults()
		return made, a.configure(made)
	}
	made, err := set(Credentials{})
	require.NoError(t, err)
	require.Nil(t, made.TLSClientConfig.RootCAs)
	require.Nil(t, made.TLSClientConfig.Certificates)
	require.Nil(t, made.Proxy)

	made, err = set(Credentials{CABundle: certificate})
	require.NoError(t, err)
	all, err := x509.SystemCertPool()
	require.NoError(t, err)
	require.True(t, all.AppendCertsFromPEM(certificate))
	require.True(t, all.Equal(made.TLSClientConfig.RootCAs), "besides the system's")

	made, err = set(Credentials{ClientCertificate: certificate, ClientKey: key, Proxy: "http://p"})
	require.NoError(t, err)
	require.Len(t, made.TLSClientConfig.Certificates, 1)
	require.Len(t, made.TLSClientConfig.Certificates[0].Certificate, 1)
	through, err := made.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "git.example"}})
	require.NoError(t, err)
	require.Equal(t, "http://p", through.String())

	for says, a := range map[string]Credentials{
		"CABundle holds no certificate": {CABundle: []byte("none")},
		"ClientCertificate and":         {ClientCertificate: certificate},
		"ClientKey are no pair":         {ClientKey: key},
		"Proxy has the protocol":        {Proxy: "ftp://p"},
	} {
		_, err = set(a)
		require.ErrorIs(t, err, gitsink.ErrAuth, says)
		require.ErrorContains(t, err, says)
	}
}

func TestAKeyIsReadOrSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	ed, _ := gogittest.HostKeys(t)
	plain, public := sshKey(t, newEd25519(t), "")
	for _, a := range []Credentials{{SSHPrivateKey: plain}, {SSHPrivateKey: plain, SSHPassphrase: "of HTTPS"}} {
		signer, err := a.Signer()
		require.NoError(t, err)
		require.NotNil(t, signer)
	}
	known := []byte("git.example " + base64Key(ed.PublicKey().Type(), ed.PublicKey().Marshal()))
	config, err := Credentials{SSHPrivateKey: plain, KnownHosts: known}.sshConfig("me", "git.example:22")
	require.NoError(t, err)
	require.Equal(t, "me", config.User)
	require.Len(t, config.Auth, 1)
	require.Equal(t, []string{"ssh-ed25519"}, config.HostKeyAlgorithms)
	require.NoError(t, config.HostKeyCallback("git.example:22", nil, ed.PublicKey()))
	require.Error(t, config.HostKeyCallback("git.example:22", nil, public))
	for says, a := range map[string]Credentials{
		"no private key":                       {SSHPrivateKey: []byte("key"), KnownHosts: known},
		"line 1 of KnownHosts":                 {SSHPrivateKey: plain, KnownHosts: []byte("git.example ssh-ed25519 x")},
		"has no key of git.example:22: add it": {SSHPrivateKey: plain, KnownHosts: []byte("x." + string(known))},
		"set both":                             {SSHPrivateKey: plain},
	} {
		config, err := a.sshConfig("me", "git.example:22")
		require.ErrorIs(t, err, gitsink.ErrAuth, says)
		require.ErrorContains(t, err, says)
		require.Nil(t, config)
	}
}

// What locks a key takes its time.
func TestAnEncryptedKeyIsOpenedByItsPassphraseOnly(t *testing.T) {
	t.Parallel()
	locked, public := sshKey(t, newEd25519(t), "open sesame")
	signer, err := Credentials{SSHPrivateKey: locked, SSHPassphrase: "open sesame"}.Signer()
	require.NoError(t, err)
	require.Equal(t, public.Marshal(), signer.PublicKey().Marshal())
	for says, a := range map[string]Credentials{
		"is encrypted: set SSHPassphrase":     {SSHPrivateKey: locked},
		"cannot be read with this SSHPassphr": {SSHPrivateKey: locked, SSHPassphrase: "guess"},
		"is no private key in PEM":            {SSHPrivateKey: []byte("key"), SSHPassphrase: "guess"},
	} {
		signer, err := a.Signer()
		require.ErrorIs(t, err, gitsink.ErrAuth, says)
		require.ErrorContains(t, err, says)
		require.Nil(t, signer)
	}
}

func base64Key(kind string, key []byte) string {
	return kind + " " + base64.StdEncoding.EncodeToString(key)
}
