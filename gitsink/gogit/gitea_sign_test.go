package gogit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/hiddeco/sshsig"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink"
)

// wantingSignatures makes a repository whose branch main takes signed commits only.
func (g *gitea) wantingSignatures(t *testing.T, owner *giteaUser) *giteaRepo {
	t.Helper()
	repo := g.repo(t, owner, map[string]any{"auto_init": true})
	repo.protect(t, map[string]any{"rule_name": "main", "enable_push": true, "require_signed_commits": true})
	return repo
}

// proveKey shows Gitea that a user holds a key of SSH. Only then does it count for signatures;
// there is no API for it.
func (g *gitea) proveKey(t *testing.T, u *giteaUser) {
	t.Helper()
	_, token := g.ask(t, u, http.MethodGet, "user/gpg_key_token", nil)
	key, err := ssh.ParsePrivateKey(u.key)
	require.NoError(t, err)
	signature, err := sshsig.Sign(bytes.NewReader(token), key, sshsig.HashSHA512, "gitea")
	require.NoError(t, err)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(path string, form url.Values) {
		resp, err := browser.PostForm(g.URL()+path, form)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusSeeOther, resp.StatusCode, path)
	}
	send("/user/login", url.Values{"user_name": {u.name}, "password": {u.password}})
	send("/user/settings/keys", url.Values{
		"type": {"verify_ssh"}, "title": {"test"}, "content": {u.public},
		"fingerprint": {ssh.FingerprintSHA256(key.PublicKey())}, "signature": {string(sshsig.Armor(signature))},
	})
}

func TestGiteaTakesCommitsThatAKeyItKnowsHasSigned(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.userOf(t, unique("owner"), "bot@example.com") // as openPGPKey has it
	g.proveKey(t, owner)
	bySSHKey, err := NewSSHSigner(owner.key, "")
	require.NoError(t, err)
	private, public := openPGPKey(t, "", nil)
	g.call(t, owner, http.MethodPost, "user/gpg_keys", map[string]any{"armored_public_key": string(public)}, nil)
	byOpenPGP, err := NewOpenPGPSigner(private, "")
	require.NoError(t, err)
	g.each(t, func(t *testing.T, by giteaWay) {
		for _, signer := range []Signer{bySSHKey, byOpenPGP} {
			repo := g.wantingSignatures(t, owner)
			opts := signWith(signer)
			opts.Auth, opts.Committer = fixed(by.auth(owner)), gitsink.Signature{Name: "Bot", Email: owner.email}
			s, d := newSink(t, opts), target(by.of(repo), "main", "")
			apply(t, s, d, put("a", "1"))
			apply(t, s, d, put("a", "2"))
			require.Equal(t, "3", repo.git(t, "rev-list", "--count", "main"))
		}
	})
}

func TestGiteaRefusesCommitsThatNobodyHasSigned(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		said := refuseAll(t, by, g.wantingSignatures(t, owner), owner, "main", gitsink.ErrRefused, 1)
		require.Contains(t, said, "set Options.Signer")
	})
}

func TestGiteaRefusesCommitsThatAnUnknownKeyHasSigned(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.proveKey(t, owner)
	_, stray, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	strayKey, _ := sshKey(t, stray, "")
	for name, test := range map[string]struct {
		key   []byte
		email string
	}{
		"an unknown key":         {strayKey, owner.email},
		"somebody else's commit": {owner.key, "somebody@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			g.each(t, func(t *testing.T, by giteaWay) {
				repo := g.wantingSignatures(t, owner)
				signer, err := NewSSHSigner(test.key, "")
				require.NoError(t, err)
				opts := signWith(signer)
				opts.Auth, opts.Committer = fixed(by.auth(owner)), gitsink.Signature{Name: "Bot", Email: test.email}
				count := repo.pushes(t)
				_, err = newSink(t, opts).Apply(t.Context(), target(by.of(repo), "main", ""), put("a", "1"))
				said := requireRefused(t, err, gitsink.ErrRefused, owner)
				require.Contains(t, said, "knows the key of Options.Signer")
				require.Equal(t, 1, count())
			})
		})
	}
}
