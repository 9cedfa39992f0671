package gogit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// giteaURL names a running Gitea, with the user information of an administrator. internal/testenv/gitea builds one.
const giteaURL = "KUBESCRIBE_GITEA_URL"

// gitea is a real forge.
type gitea struct {
	base  *url.URL
	owner string
}

func (g gitea) call(t *testing.T, method, path string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	u := *g.base
	u.Path = "/api/v1/" + path
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), bytes.NewReader(data))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	said, _ := io.ReadAll(resp.Body)
	require.Less(t, resp.StatusCode, 300, "%s %s: %s", method, path, said)
}

func (g gitea) url(repo string) string {
	u := *g.base
	u.User, u.Path = nil, "/"+g.owner+"/"+repo
	return u.String()
}

func TestGiteaIsUnderstood(t *testing.T) {
	base, err := url.Parse(os.Getenv(giteaURL))
	require.NoError(t, err)
	if base.Host == "" {
		t.Skip(giteaURL + " names no Gitea")
	}
	g := gitea{base, base.User.Username()}
	password, _ := base.User.Password()
	suffix := fmt.Sprint(rand.N(1_000_000_000))
	repo, reader := "app"+suffix, "reader"+suffix
	g.call(t, http.MethodPost, "user/repos", map[string]any{"name": repo, "auto_init": true, "default_branch": "main"})
	g.call(t, http.MethodPost, "admin/users", map[string]any{
		"username": reader, "email": reader + "@example.com", "password": "Pw-" + suffix, "must_change_password": false,
	})
	g.call(t, http.MethodPut, "repos/"+g.owner+"/"+repo+"/collaborators/"+reader, map[string]any{"permission": "read"})
	g.call(t, http.MethodPost, "repos/"+g.owner+"/"+repo+"/branch_protections", map[string]any{"rule_name": "signed", "enable_push": true, "require_signed_commits": true})
	g.call(t, http.MethodPost, "repos/"+g.owner+"/"+repo+"/branch_protections", map[string]any{"rule_name": "closed", "enable_push": false})
	writer := newSink(t, &Options{Auth: fixed(Auth{Username: g.owner, Password: password})})
	other := newSink(t, &Options{Auth: fixed(Auth{Username: reader, Password: "Pw-" + suffix})})

	apply(t, writer, target(g.url(repo), "main", ""), put("a", "1"))
	for name, test := range map[string]struct {
		sink   *Sink
		repo   string
		branch string
		class  error
	}{
		"a missing repository": {writer, "missing" + suffix, "main", gitsink.ErrNotFound},
		"a closed branch":      {writer, repo, "closed", gitsink.ErrProtected},
		"a reader":             {other, repo, "main", gitsink.ErrAuth},
		"a branch of signed":   {writer, repo, "signed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.sink.Apply(t.Context(), target(g.url(test.repo), test.branch, ""), put("b", "1"))
			t.Log(err)
			require.Error(t, err)
			require.NotErrorIs(t, err, gitsink.ErrUnavailable)
			require.NotContains(t, err.Error(), password)
			require.NotContains(t, err.Error(), base64.StdEncoding.EncodeToString([]byte(g.owner+":"+password)))
			if test.class == nil {
				require.True(t, strings.Contains(err.Error(), "set Options.Signer"))
				return
			}
			require.ErrorIs(t, err, test.class)
			require.ErrorIs(t, err, queue.ErrPermanent)
		})
	}
}
