package gogit

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestEachCredentialIsShownInItsOwnWay(t *testing.T) {
	for name, c := range map[string]struct {
		auth      Auth
		shown     string
		anonymous bool
	}{
		"nothing":             {Auth{}, "", true},
		"what HTTP ignores":   {Auth{SSHPrivateKey: []byte("k"), CABundle: []byte("c"), ClientKey: []byte("k"), Proxy: "p"}, "", true},
		"a certificate":       {Auth{ClientCertificate: []byte("c")}, "", false},
		"a user alone":        {Auth{Username: "tok"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("tok:")), false},
		"a password alone":    {Auth{Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("git:p")), false},
		"both":                {Auth{Username: "u", Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p")), false},
		"a token":             {Auth{BearerToken: "t"}, "Bearer t", false},
		"a token before both": {Auth{BearerToken: "t", Username: "u", Password: "p"}, "Bearer t", false},
	} {
		req := &http.Request{Header: http.Header{}}
		c.auth.show(req)
		require.Equal(t, c.shown, req.Header.Get("Authorization"), name)
		require.Equal(t, c.anonymous, c.auth.anonymous(), name)
		for _, verb := range []string{"%v", "%#v", "%s", "%d", "%x"} {
			require.Equal(t, "gogit.Auth{***}", fmt.Sprintf(verb, c.auth), "%s, %s", name, verb)
		}
	}
	require.Equal(t, "a", firstOf("", "a", "b"))
	require.Empty(t, firstOf("", ""))
}

func TestOnlyWhatIsSetChangesATransport(t *testing.T) {
	_, certificate, key := clientCertificate(t)
	set := func(a Auth) (*http.Transport, error) {
		made := without()
		made.TLSClientConfig = tlsDefaults()
		return made, a.configure(made)
	}
	made, err := set(Auth{})
	require.NoError(t, err)
	require.Nil(t, made.TLSClientConfig.RootCAs)
	require.Nil(t, made.TLSClientConfig.Certificates)
	require.Nil(t, made.Proxy)

	made, err = set(Auth{CABundle: certificate})
	require.NoError(t, err)
	all, err := x509.SystemCertPool()
	require.NoError(t, err)
	require.True(t, all.AppendCertsFromPEM(certificate))
	require.True(t, all.Equal(made.TLSClientConfig.RootCAs), "besides the system's")

	made, err = set(Auth{ClientCertificate: certificate, ClientKey: key, Proxy: "http://p"})
	require.NoError(t, err)
	require.Len(t, made.TLSClientConfig.Certificates, 1)
	require.Len(t, made.TLSClientConfig.Certificates[0].Certificate, 1)
	through, err := made.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "git.example"}})
	require.NoError(t, err)
	require.Equal(t, "http://p", through.String())

	for says, a := range map[string]Auth{
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

func TestASecretIsHiddenInEachSpellingAndANameOnlyWhereItIsOne(t *testing.T) {
	web, shell := transport.Endpoint{Protocol: "https"}, transport.Endpoint{Protocol: "ssh"}
	as := func(ep transport.Endpoint, user string) transport.Endpoint { ep.User = user; return ep }
	for name, c := range map[string]struct {
		auth   Auth
		ep     transport.Endpoint
		hidden []string
		shown  []string
	}{
		"nothing":                       {Auth{}, web, nil, []string{"git", "git:"}},
		"a password":                    {Auth{Username: "bot", Password: "p/+ w"}, web, []string{"p/+ w", "p%2F+%20w", "p%2F%2B+w", "cC8rIHc=", "cC8rIHc", "bot:p/+ w"}, []string{"bot"}},
		"a password and the usual name": {Auth{Password: "p"}, web, []string{"p", "git:p"}, []string{"git"}},
		"a name alone":                  {Auth{Username: "bot"}, web, []string{"bot", "bot:"}, nil},
		"the usual name alone":          {Auth{Username: "git"}, web, nil, []string{"git", "git:"}},
		"a long name":                   {Auth{Username: "12345678", Password: "p"}, web, []string{"12345678", "12345678:p"}, nil},
		"one that is not so long":       {Auth{Username: "1234567", Password: "p"}, web, []string{"1234567:p"}, []string{"1234567"}},
		"a name in the URL":             {Auth{}, as(web, "tok"), []string{"tok", "tok:"}, nil},
		"a name of SSH":                 {Auth{}, as(shell, "somebody-long"), nil, []string{"somebody-long", "somebody-long:"}},
		"others":                        {Auth{BearerToken: "bt", SSHPassphrase: "pp"}, shell, []string{"bt", "pp"}, nil},
		"a proxy's password":            {Auth{Proxy: "http://me:x@p"}, shell, []string{"x", "me:x"}, []string{"me"}},
		"a proxy without one":           {Auth{Proxy: "http://p"}, shell, nil, []string{"p"}},
		"no proxy":                      {Auth{Proxy: "http://\x7f"}, shell, nil, nil},
	} {
		got := c.auth.secrets(&c.ep)
		for _, secret := range c.hidden {
			require.Contains(t, got, secret, name)
		}
		for _, word := range append(c.shown, "", ":") {
			require.NotContains(t, got, word, name)
		}
		require.Equal(t, len(c.hidden) > 0, len(got) > 0, name)
		require.True(t, slices.IsSortedFunc(got, func(a, b string) int { return len(b) - len(a) }), "%s: the longest first: %q", name, got)
	}
	r := &remote{secrets: []string{"abcd", "ab"}}
	require.Equal(t, "*** and ***", r.redact("abcd and ab"))
}

func TestAKeyIsReadOrSaysWhatIsMissing(t *testing.T) {
	ed, _ := hostKeys(t)
	plain, public := sshKey(t, newEd25519(t), "")
	for _, a := range []Auth{{SSHPrivateKey: plain}, {SSHPrivateKey: plain, SSHPassphrase: "of HTTPS"}} {
		signer, err := a.signer()
		require.NoError(t, err)
		require.NotNil(t, signer)
	}
	known := []byte("git.example " + base64Key(ed.PublicKey().Type(), ed.PublicKey().Marshal()))
	config, err := Auth{SSHPrivateKey: plain, KnownHosts: known}.sshConfig("me", "git.example:22")
	require.NoError(t, err)
	require.Equal(t, "me", config.User)
	require.Len(t, config.Auth, 1)
	require.Equal(t, []string{"ssh-ed25519"}, config.HostKeyAlgorithms)
	require.NoError(t, config.HostKeyCallback("git.example:22", nil, ed.PublicKey()))
	require.Error(t, config.HostKeyCallback("git.example:22", nil, public))
	for says, a := range map[string]Auth{
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
	locked, public := sshKey(t, newEd25519(t), "open sesame")
	signer, err := Auth{SSHPrivateKey: locked, SSHPassphrase: "open sesame"}.signer()
	require.NoError(t, err)
	require.Equal(t, public.Marshal(), signer.PublicKey().Marshal())
	for says, a := range map[string]Auth{
		"is encrypted: set SSHPassphrase":     {SSHPrivateKey: locked},
		"cannot be read with this SSHPassphr": {SSHPrivateKey: locked, SSHPassphrase: "guess"},
		"is no private key in PEM":            {SSHPrivateKey: []byte("key"), SSHPassphrase: "guess"},
	} {
		signer, err := a.signer()
		require.ErrorIs(t, err, gitsink.ErrAuth, says)
		require.ErrorContains(t, err, says)
		require.Nil(t, signer)
	}
}

func base64Key(kind string, key []byte) string {
	return kind + " " + base64.StdEncoding.EncodeToString(key)
}

func TestASecretIsEnoughOrSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want Auth
		err  error
	}{
		"a user and a token":           {map[string]string{"username": "u", "bearerToken": "t"}, Auth{Username: "u", BearerToken: "t"}, nil},
		"a user and a key":             {map[string]string{"username": "u", "identity": "k"}, Auth{Username: "u", SSHPrivateKey: []byte("k")}, nil},
		"an empty key before another":  {map[string]string{"ssh-privatekey": "", "identity": "", "sshPrivateKey": "k"}, Auth{SSHPrivateKey: []byte("k")}, nil},
		"a password alone":             {map[string]string{"password": "p"}, Auth{Password: "p"}, nil},
		"an empty key of an App":       {map[string]string{"password": "p", "githubAppPrivateKey": ""}, Auth{Password: "p"}, nil},
		"an App's beside another":      {map[string]string{"password": "p", "githubAppPrivateKey": "k"}, Auth{}, errGitHubApp},
		"a user alone":                 {map[string]string{"username": "u", "ca.crt": "c", "proxy": "p"}, Auth{}, errNoPassword},
		"nothing":                      {nil, Auth{}, errNoCredentials},
		"a key of a certificate alone": {map[string]string{"tls.key": "k", "known_hosts": "h"}, Auth{}, errNoCredentials},
	} {
		got, err := AuthFromSecret(secretData(c.data))
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.err == nil, err == nil, name)
		if c.err != nil {
			require.ErrorIs(t, err, c.err, name)
		}
	}
	for name, c := range map[string]struct {
		data map[string]string
		want string
	}{
		"an address":            {map[string]string{"address": "http://p:1"}, "http://p:1"},
		"a password of nobody":  {map[string]string{"address": "http://p:1", "password": "x"}, "http://p:1"},
		"a user in the address": {map[string]string{"address": "http://me:x@p:1"}, "http://me:x@p:1"},
		"a user":                {map[string]string{"address": "http://p:1", "username": "me"}, "http://me:@p:1"},
	} {
		proxy, err := ProxyFromSecret(secretData(c.data))
		require.NoError(t, err, name)
		require.Equal(t, c.want, proxy, name)
	}
	proxy, err := ProxyFromSecret(secretData(map[string]string{"address": "p:1"}))
	require.ErrorIs(t, err, gitsink.ErrAuth)
	require.Empty(t, proxy)
}

func TestAHostHasOneSpellingWhereItIsAllowed(t *testing.T) {
	basic := Auth{Username: "u", Password: "p"}
	o := &Options{AllowedPlainTextHosts: []string{"[2001:DB8::1]", "Git.Example", "::ffff:192.0.2.1"}}
	for _, host := range []string{"[2001:db8::1]", "[2001:db8:0::1]:80", "git.example", "GIT.EXAMPLE:1", "192.0.2.1", "localhost", "[::ffff:127.0.0.1]"} {
		require.NoError(t, o.checkPlainText("http://"+host+"/app", basic), host)
	}
	for _, host := range []string{"[2001:db8::2]", "git.example.org", "192.0.2.2"} {
		require.ErrorIs(t, o.checkPlainText("http://"+host+"/app", basic), gitsink.ErrPlainText, host)
	}
	require.NoError(t, o.checkPlainText("http://\x7f", basic), "nothing is sent to nowhere")
	for _, url := range []string{"https://x/app", "http://localhost/app"} {
		require.ErrorIs(t, o.checkPlainText(url, Auth{Proxy: "ftp://p"}), gitsink.ErrAuth)
	}
	allowed := Auth{Username: "u", Password: "p", Proxy: "https://proxy.example"}
	require.NoError(t, o.checkPlainText("http://git.example/app", allowed), "a proxy with TLS")
	require.ErrorContains(t, o.checkPlainText("http://localhost/app", allowed), "to localhost")
	allowed.Proxy = "http://proxy.example"
	require.ErrorContains(t, o.checkPlainText("http://git.example/app", allowed), "to proxy.example, a proxy")
	require.NoError(t, o.checkPlainText("http://git.example/app", Auth{Proxy: "http://proxy.example"}), "there is nothing to show")
}
