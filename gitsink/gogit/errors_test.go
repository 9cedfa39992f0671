package gogit

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestTheWordsOfServersThatRefuseAPushHaveAClass(t *testing.T) {
	for words, want := range map[string]error{
		"protected branch hook declined\nremote: error: GH006: Protected branch update failed for refs/heads/main.":  gitsink.ErrProtected,
		"push declined due to repository rule violations\nremote: error: GH013: Repository rule violations found":    gitsink.ErrProtected,
		"pre-receive hook declined\nGitLab: You are not allowed to push code to protected branches on this project.": gitsink.ErrProtected,
		"pre-receive hook declined\nGitea: Not allowed to push to protected branch main":                             gitsink.ErrProtected,
		"pre-receive hook declined\nbranch main is protected from force push":                                        gitsink.ErrProtected,
		"TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.":      gitsink.ErrProtected,
		"pre-receive hook declined\nBranch refs/heads/main can only be modified through pull requests.":              gitsink.ErrProtected,
		"pre-receive hook declined\nPermission denied to update branch main.":                                        gitsink.ErrProtected,
		"prohibited by Gerrit: not permitted: update":                                                                gitsink.ErrProtected,
		"pre-receive hook declined\nGitLab: You are not allowed to push code to this project.":                       gitsink.ErrAuth,
		"TF401027: You need the Git 'GenericContribute' permission to perform this action.":                          gitsink.ErrAuth,
		"pre-receive hook declined\nerror: GH001: Large files detected.":                                             gitsink.ErrTooLarge,
		"unpacker error: index-pack abnormal exit\nfatal: pack exceeds maximum allowed size":                         gitsink.ErrTooLarge,
		"pre-receive hook declined\nno Mondays":                                                                      gitsink.ErrRejected,
		"hook declined":                                                                                              gitsink.ErrRejected,
		"failed to update ref":                                                                                       gitsink.ErrRejected,
		"unpacker error\nfatal: fsck error: hasDotgit":                                                               gitsink.ErrRejected,
		"deny updating a hidden ref":                                                                                 gitsink.ErrRejected,
	} {
		require.Equal(t, want, classOfRefusal(words), words)
	}
}

func TestFailuresOfAConnectionHaveAClass(t *testing.T) {
	status := func(code int, reason string) error {
		return fmt.Errorf("wrapped: %w", &saidError{&statusError{status: code}, reason})
	}
	for _, test := range []struct {
		err   error
		want  error
		final bool // the server cannot have taken a push
	}{
		{status(http.StatusUnauthorized, "who?"), gitsink.ErrAuth, true},
		{status(http.StatusForbidden, "no"), gitsink.ErrAuth, true},
		{status(http.StatusForbidden, "You have exceeded a secondary rate limit"), gitsink.ErrUnavailable, true},
		{&statusError{http.StatusForbidden, time.Minute}, gitsink.ErrUnavailable, true},
		{status(http.StatusNotFound, ""), gitsink.ErrNotFound, true},
		{status(http.StatusProxyAuthRequired, ""), gitsink.ErrAuth, true},
		{status(http.StatusGone, ""), gitsink.ErrNotFound, true},
		{status(http.StatusRequestEntityTooLarge, ""), gitsink.ErrTooLarge, true},
		{status(http.StatusTooManyRequests, ""), gitsink.ErrUnavailable, true},
		{status(http.StatusInternalServerError, "permission denied"), gitsink.ErrUnavailable, false},
		{status(http.StatusGatewayTimeout, ""), gitsink.ErrUnavailable, false},
		{errors.New("ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]"), gitsink.ErrAuth, false},
		{errors.New("ssh: handshake failed: known_hosts: host shows the key SHA256:x, which is not in KnownHosts"), gitsink.ErrAuth, false},
		{errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority"), gitsink.ErrAuth, false},
		{errors.New("dial tcp 127.0.0.1:1: connect: connection refused"), gitsink.ErrUnavailable, false},
		{errors.New("whatever else"), gitsink.ErrUnavailable, false},
		{fmt.Errorf("tree: %w", errIncomplete), gitsink.ErrUnavailable, false},
		{&pathError{path: "a", reason: "b"}, gitsink.ErrPath, false},
	} {
		classes := classify(test.err)
		require.Contains(t, classes, test.want, test.err.Error())
		require.Equal(t, test.final, surelyRefused(test.err), test.err.Error())
	}
}
