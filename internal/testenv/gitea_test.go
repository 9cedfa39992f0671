package testenv

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestGiteaAnswersUntilItIsStoppedAndLeavesNothingBehind(t *testing.T) {
	programs := giteaPrograms(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	g, err := startGitea(t.Context(), programs)
	require.NoError(t, err)
	defer g.stop()

	name, password := g.Admin()
	status := func(password string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL()+"/api/v1/admin/users", nil)
		require.NoError(t, err)
		req.SetBasicAuth(name, password)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, status(password))
	require.Equal(t, http.StatusUnauthorized, status("another"))
	require.NoError(t, speaksSSH(t.Context(), address(g.ssh)))
	require.True(t, strings.HasPrefix(g.KnownHosts(), knownhosts.Normalize(address(g.ssh))+" ssh-ed25519 "), g.KnownHosts())

	g.stop()
	require.True(t, isFree(g.web))
	require.True(t, isFree(g.ssh))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestGiteaThatCannotStartShowsItsLogAndLeavesNothingBehind(t *testing.T) {
	programs := giteaPrograms(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("PATH", t.TempDir()) // no git
	_, err := startGitea(t.Context(), programs)
	require.ErrorContains(t, err, "exited before it was ready")
	require.ErrorContains(t, err, "gitea.log")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
