package gogit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
)

// A hook of the repository shows whether a program of Git has run there.
func TestALocalRepositoryIsNotOpenedUnlessItsFolderIsAllowed(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	ran := filepath.Join(t.TempDir(), "ran")
	repo.Hook("pre-receive", "touch "+ran)
	for _, folders := range [][]string{{}, {"/other"}, {repo.Dir() + "x"}, {repo.Dir() + "/objects"}, {"app"}, {""}} {
		for _, url := range []string{repo.FileURL(), repo.Dir(), "FILE://" + repo.Dir()} {
			s := newSink(t, &Options{AllowedLocalFolders: folders})
			e := refuse(t, s, target(url, "main", ""), put("a", "1"), destination.ErrLocalNotAllowed)
			require.ErrorIs(t, e, queue.ErrPermanent)
			require.ErrorContains(t, e, "use https:// or ssh://, or ask whoever runs this program to allow its folder")
			require.NoFileExists(t, ran)
		}
	}
	for i, folders := range [][]string{{repo.Dir()}, {"/other", "file://" + filepath.Dir(repo.Dir()) + "/"}} {
		apply(t, newSink(t, &Options{AllowedLocalFolders: folders}), target(repo.FileURL(), "main", ""), put("a", strings.Repeat("1", 1+i)))
		require.FileExists(t, ran)
	}
}

// A hook gets nothing of the environment but where things are: neither tokens, nor what would
// lead git elsewhere.
func TestAHookSeesNoSecretOfTheProcess(t *testing.T) {
	repo, other := gitservertest.NewServer(t, nil).NewRepo("app"), t.TempDir()
	seen := filepath.Join(t.TempDir(), "seen")
	repo.Hook("pre-receive", "env >"+seen)
	for name, value := range map[string]string{
		"GITHUB_TOKEN": "s3cret", "AWS_SECRET_ACCESS_KEY": "s3cret", "KUBECONFIG": "/s3cret", "HTTPS_PROXY": "http://me:s3cret@host",
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "receive.denyUpdates", "GIT_CONFIG_VALUE_0": "s3cret",
		"GIT_CONFIG_PARAMETERS": "'core.sshCommand=s3cret'", "GIT_SSH_COMMAND": "s3cret", "GIT_ASKPASS": "s3cret", "SSH_AUTH_SOCK": "/s3cret",
		"GIT_DIR": other, "GIT_OBJECT_DIRECTORY": other, "GIT_ALTERNATE_OBJECT_DIRECTORIES": other, "GIT_NAMESPACE": "s3cret",
		"GIT_TRACE": filepath.Join(other, "trace"), "GIT_PROTOCOL": "version=2", "LC_ALL": "de_DE.UTF-8", "LD_PRELOAD": "",
	} {
		t.Setenv(name, value)
	}
	apply(t, newSink(t, nil), target(repo.FileURL(), "main", ""), put("a", "1"))
	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.NotContains(t, string(text), "s3cret")
	require.Contains(t, string(text), "LC_ALL=C\n")
	entries, err := os.ReadDir(other)
	require.NoError(t, err)
	require.Empty(t, entries)
	allowed := []string{
		"LC_ALL", "PWD", "OLDPWD", "_", "SHLVL", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME",
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "GIT_") { // of receive-pack itself
			require.Contains(t, allowed, name)
		}
	}
}
