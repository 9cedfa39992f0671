package gogit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// One Secret for HTTPS and SSH has a password that is not the key's.
func TestAPassphraseIsUsedOnlyWhereTheKeyNeedsOne(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewSSHServer(t, nil)
	plain := server.ClientKeyPEM()
	key, err := ssh.ParseRawPrivateKey(plain)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("open sesame"))
	require.NoError(t, err)
	locked := pem.EncodeToMemory(block)

	repo := server.NewRepo("app")
	auth, err := AuthFromSecret(map[string][]byte{
		"username": []byte("bot"), "password": []byte("of HTTPS"), "identity": plain, "known_hosts": []byte(server.KnownHosts()),
	})
	require.NoError(t, err)
	apply(t, newSink(t, &Options{Auth: fixed(auth)}), target(repo.SSHURL(), "main", ""), put("a", "1"))
	_, err = NewSSHSigner(plain, "of HTTPS")
	require.NoError(t, err)
	_, err = NewSSHSigner(locked, "open sesame")
	require.NoError(t, err)
	_, err = NewSSHSigner(locked, "of HTTPS")
	require.Error(t, err)
	_, err = smart.Credentials{SSHPrivateKey: locked}.Signer()
	require.ErrorContains(t, err, "set SSHPassphrase")
}

func TestKnownHostsOfAnotherTypeAreNamed(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewSSHServer(t, nil)
	repo := server.NewRepo("app")
	_, _, known, _, _, err := ssh.ParseKnownHosts([]byte(server.KnownHosts()))
	require.NoError(t, err)
	ed, ec := gogittest.HostKeys(t)
	other := ed
	if known.Type() == ed.PublicKey().Type() {
		other = ec
	}
	host, _, _ := strings.Cut(server.KnownHosts(), " ")
	s := newSink(t, &Options{Auth: fixed(Auth{
		SSHPrivateKey: server.ClientKeyPEM(), KnownHosts: []byte(host + " " + string(ssh.MarshalAuthorizedKey(other.PublicKey()))),
	})})
	e := refuse(t, s, target(repo.SSHURL(), "main", ""), put("a", "1"), gitsink.ErrAuth)
	require.ErrorContains(t, e, "known_hosts")
	require.ErrorContains(t, e, known.Type())
	require.ErrorIs(t, e, queue.ErrPermanent)
}

func TestAUserNameAloneIsNoCredential(t *testing.T) {
	t.Parallel()
	_, err := AuthFromSecret(map[string][]byte{"username": []byte("bot")})
	require.ErrorIs(t, err, gitsink.ErrAuth)
	require.ErrorContains(t, err, "password")
}

func TestNobodyPrintsCredentials(t *testing.T) {
	t.Parallel()
	secret := "s3cret-word"
	a := Auth{Username: secret, Password: secret, BearerToken: secret, SSHPrivateKey: []byte(secret), SSHPassphrase: secret, Proxy: secret}
	printed := []string{}
	for _, value := range []any{a, &a, struct{ A Auth }{a}, []Auth{a}, map[string]Auth{"a": a}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		require.NoError(t, err)
		printed = append(printed, string(text))
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "auth", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "auth", value)
		printed = append(printed, log.String())
		funcr.New(func(_, args string) { printed = append(printed, args) }, funcr.Options{}).Info("x", "auth", value)
	}
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")
	for _, text := range printed {
		require.NotContains(t, text, secret)
		require.NotContains(t, text, fmt.Sprintf("%x", secret))
		require.NotContains(t, text, numbers)
	}
}

func TestUserNamesAndTheBasicHeaderAreMasked(t *testing.T) {
	t.Parallel()
	ep := &transport.Endpoint{Protocol: "https", Host: "git.example"}
	for name, a := range map[string]smart.Credentials{
		"a token as the user":       {Username: "ghp_0123456789"},
		"the user beside the token": {Username: "ghp_0123456789", Password: "x-oauth-basic"},
		"a short one alone":         {Username: "tok-1"},
	} {
		r := &remote{secrets: a.Secrets(ep)}
		require.NotContains(t, r.show("bad user "+a.Username), a.Username, name)
		header := base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password))
		require.NotContains(t, r.show("you sent Basic "+header), header, name)
	}
	r := &remote{secrets: smart.Credentials{Username: "git", SSHPrivateKey: []byte("k")}.Secrets(&transport.Endpoint{Protocol: "ssh"})}
	require.Equal(t, "not a git repository", r.show("not a git repository"))
	require.Equal(t, "see https://***@git.example/x", r.show("see https://me:pw@git.example/x"))
}

func TestTheCauseOfMissingCredentialsIsKept(t *testing.T) {
	t.Parallel()
	cause := errors.New("the Secret is not there")
	err := &authError{cause}
	require.ErrorIs(t, err, cause)
	require.Equal(t, []error{cause}, classify(fmt.Errorf("x: %w", err)))
}
