package gogit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/queue"
)

// openSSH starts a server that lets one key in, and returns it with what logs in there.
func openSSH(t *testing.T, private crypto.PrivateKey, passphrase, config string) (*testenv.SSHD, Auth) {
	t.Helper()
	key, public := sshKey(t, private, passphrase)
	server := testenv.StartSSHD(t, &testenv.SSHDOptions{AuthorizedKeys: []ssh.PublicKey{public}, Config: config})
	return server, Auth{SSHPrivateKey: key, SSHPassphrase: passphrase, KnownHosts: []byte(server.KnownHosts())}
}

func newEd25519(t *testing.T) crypto.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return private
}

func TestOpenSSHIsSpoken(t *testing.T) {
	t.Parallel()
	server, auth := openSSH(t, newEd25519(t), "", "")
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	s, d := newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", "base")
	apply(t, s, d, counting("a"))
	first := repo.Commit("main", files("base/b", "1", "other", "1"), "outside")
	apply(t, s, d, reading("c"))
	apply(t, newSink(t, &Options{Auth: fixed(auth)}), d, counting("d"))
	require.Equal(t, map[string]string{"base/a": "0", "base/b": "1", "base/c": "0  1", "base/d": "3", "other": "1"}, repo.Tree("main"))
	repo.Linear("main", first)
	repo.Fsck()

	repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New("no Mondays") })
	e := refuse(t, s, d, put("a", "2"), gitsink.ErrRejected)
	require.Contains(t, e.Server, "no Mondays")
	e = refuse(t, s, target(server.URL()+repo.Dir()+"x", "main", ""), put("a", "1"), gitsink.ErrNotFound)
	require.ErrorIs(t, e, queue.ErrPermanent)
}

func TestOpenSSHHasARepositoryOfSHA256(t *testing.T) {
	t.Parallel()
	server, auth := openSSH(t, newEd25519(t), "", "")
	for name, filled := range map[string]bool{"empty": false, "filled": true} {
		folder := t.TempDir() + "/" + name + ".git"
		sha256Repository(t, folder, filled)
		result := apply(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+folder, "main", ""), put("a", "1"))
		require.Len(t, result.Tip, 64)
		require.NoError(t, runGit(t, folder, "cat-file", "-e", "main:a"))
		require.NoError(t, runGit(t, folder, "fsck", "--strict"))
	}
}

func TestOpenSSHLetsKeysOfAllTypesIn(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	ofRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ofECDSA, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, private := range map[string]crypto.PrivateKey{"rsa": ofRSA, "ecdsa": ofECDSA, "ed25519": newEd25519(t)} {
		server, auth := openSSH(t, private, "a passphrase", "")
		apply(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", ""), put(name, "1"))
	}
	require.Len(t, repo.Tree("main"), 3)
}

func TestOpenSSHRefusesWhoeverItDoesNotKnow(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	stray, _ := sshKey(t, newEd25519(t), "")
	for name, config := range map[string]string{"a reason to go on": "", "a reason to disconnect": "MaxAuthTries 1"} {
		server, auth := openSSH(t, newEd25519(t), "", config)
		auth.SSHPrivateKey = stray
		e := refuse(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", ""), put("a", "1"), gitsink.ErrAuth)
		require.ErrorIs(t, e, queue.ErrPermanent, name)
		t.Log(e)
	}
}

func TestOpenSSHIsNotTrustedByAnotherKey(t *testing.T) {
	t.Parallel()
	server, auth := openSSH(t, newEd25519(t), "", "")
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	host, _, _ := strings.Cut(server.KnownHosts(), " ")
	ofECDSA, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, private := range map[string]crypto.PrivateKey{"another": newEd25519(t), "of another type": ofECDSA} {
		_, public := sshKey(t, private, "")
		auth.KnownHosts = []byte(host + " " + string(ssh.MarshalAuthorizedKey(public)))
		e := refuse(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", ""), put("a", "1"), gitsink.ErrAuth)
		require.ErrorContains(t, e, "known_hosts", name)
		require.ErrorIs(t, e, queue.ErrPermanent, name)
	}
	require.Empty(t, repo.Branches())
}

func TestOpenSSHRunsNoGitForWhoMayNotUseIt(t *testing.T) {
	t.Parallel()
	server, auth := openSSH(t, newEd25519(t), "", "ForceCommand echo 'Your account is disabled.' >&2; exit 1")
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	e := refuse(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", ""), put("a", "1"), gitsink.ErrAuth)
	require.Contains(t, e.Server, "Your account is disabled.")

	server, auth = openSSH(t, newEd25519(t), "", "MaxSessions 0") // logs in, and opens no channel
	e = refuse(t, newSink(t, &Options{Auth: fixed(auth)}), target(server.URL()+repo.Dir(), "main", ""), put("a", "1"), gitsink.ErrRefused)
	require.NotErrorIs(t, e, gitsink.ErrUnavailable)
	require.Empty(t, repo.Branches())
}
