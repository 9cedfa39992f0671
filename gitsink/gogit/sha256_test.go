package gogit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
)

// sha256Repository makes a bare repository whose objects are named by SHA-256; a filled one has a
// branch.
func sha256Repository(t *testing.T, folder string, filled bool) {
	t.Helper()
	git := func(dir string, args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	git(filepath.Dir(folder), "init", "-q", "--bare", "--object-format=sha256", "-b", "main", folder)
	git(folder, "config", "http.receivepack", "true")
	if filled {
		work := t.TempDir()
		git(work, "init", "-q", "--object-format=sha256", "-b", "main")
		git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "start")
		git(work, "push", "-q", folder, "main")
	}
}

func TestARepositoryOfSHA256IsSaidToBeOne(t *testing.T) {
	t.Parallel()
	for name, filled := range map[string]bool{"empty": false, "filled": true} {
		server := gitservertest.NewServer(t, nil)
		login := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
		repo := server.NewRepo("app")
		require.NoError(t, os.RemoveAll(repo.Dir()))
		sha256Repository(t, repo.Dir(), filled)
		s := newSink(t, &Options{Auth: fixed(Auth{SSHPrivateKey: login.ClientKeyPEM(), KnownHosts: []byte(login.KnownHosts())})})
		for _, url := range []string{repo.URL(), repo.FileURL(), repo.Dir(), repo.SSHURL(), daemon(t, repo)} {
			e := refuse(t, s, target(url, "main", ""), put("a", "1"), gitsink.ErrUnsupported)
			require.ErrorContains(t, e, "object-format sha256", "%s, %s", name, url)
			require.ErrorIs(t, e, queue.ErrPermanent)
			require.NotErrorIs(t, e, gitsink.ErrUnavailable)
		}
	}
}
