package gogit

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// daemon serves the folder of a repository by git-daemon(1), and returns the URL of the repository.
func daemon(t *testing.T, repo *gitservertest.Repo) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(strings.TrimSpace(string(out)), "git-daemon"), "--listen=127.0.0.1", "--port="+port, "--reuseaddr",
		"--export-all", "--enable=receive-pack", "--informative-errors", "--base-path="+filepath.Dir(repo.Dir()))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 5*time.Millisecond)
	return "git://" + address + "/" + filepath.Base(repo.Dir())
}

func TestGitsOwnProtocolIsSpoken(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	url := daemon(t, repo)
	s, d := newSink(t, nil), target(url, "main", "base")
	apply(t, s, d, counting("a"))
	first := repo.Commit("main", files("base/b", "1"), "outside")
	apply(t, s, d, reading("c"))
	require.Equal(t, map[string]string{"base/a": "0", "base/b": "1", "base/c": "0  1"}, repo.Tree("main"))
	repo.Linear("main", first)
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New("no Mondays") })
	e := refuse(t, s, d, put("a", "2"), gitsink.ErrRejected)
	require.Contains(t, e.Server, "no Mondays")
	e = refuse(t, s, target(url+"x", "main", ""), put("a", "1"), gitsink.ErrNotFound)
	require.NotEmpty(t, e.Error())
}
