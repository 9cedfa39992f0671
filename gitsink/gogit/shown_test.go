package gogit

import (
	"slices"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestASecretIsHiddenInEachSpellingAndANameOnlyWhereItIsOne(t *testing.T) {
	t.Parallel()
	web, shell := transport.Endpoint{Protocol: "https"}, transport.Endpoint{Protocol: "ssh"}
	as := func(ep transport.Endpoint, user string) transport.Endpoint { ep.User = user; return ep }
	for name, c := range map[string]struct {
		auth   smart.Credentials
		ep     transport.Endpoint
		hidden []string
		shown  []string
	}{
		"nothing":                       {smart.Credentials{}, web, nil, []string{"git", "git:"}},
		"a password":                    {smart.Credentials{Username: "bot", Password: "p/+ w"}, web, []string{"p/+ w", "p%2F+%20w", "p%2F%2B+w", "cC8rIHc=", "cC8rIHc", "bot:p/+ w"}, []string{"bot"}},
		"a password and the usual name": {smart.Credentials{Password: "p"}, web, []string{"p", "git:p"}, []string{"git"}},
		"a name alone":                  {smart.Credentials{Username: "bot"}, web, []string{"bot", "bot:"}, nil},
		"the usual name alone":          {smart.Credentials{Username: "git"}, web, nil, []string{"git", "git:"}},
		"a long name":                   {smart.Credentials{Username: "12345678", Password: "p"}, web, []string{"12345678", "12345678:p"}, nil},
		"one that is not so long":       {smart.Credentials{Username: "1234567", Password: "p"}, web, []string{"1234567:p"}, []string{"1234567"}},
		"a name in the URL":             {smart.Credentials{}, as(web, "tok"), []string{"tok", "tok:"}, nil},
		"a name of SSH":                 {smart.Credentials{}, as(shell, "somebody-long"), nil, []string{"somebody-long", "somebody-long:"}},
		"others":                        {smart.Credentials{BearerToken: "bt", SSHPassphrase: "pp"}, shell, []string{"bt", "pp"}, nil},
		"a proxy's password":            {smart.Credentials{Proxy: "http://me:x@p"}, shell, []string{"x", "me:x"}, []string{"me"}},
		"a proxy without one":           {smart.Credentials{Proxy: "http://p"}, shell, nil, []string{"p"}},
		"no proxy":                      {smart.Credentials{Proxy: "http://\x7f"}, shell, nil, nil},
	} {
		got := c.auth.Secrets(&c.ep)
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
	require.Equal(t, "*** and ***", redact("abcd and ab", r.secrets))
}

func TestASecretIsEnoughOrSaysWhy(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
