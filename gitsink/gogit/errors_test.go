package gogit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestTheWordsOfServersThatRefuseAPushHaveAClass(t *testing.T) {
	for words, want := range map[string]error{
		"protected branch hook declined\nremote: error: GH006: Protected branch update failed for refs/heads/main.":                                         gitsink.ErrProtected,
		"push declined due to repository rule violations\nremote: error: GH013: Repository rule violations found for refs/heads/main.":                      gitsink.ErrProtected,
		"push declined due to repository rule violations\nGH013: Repository rule violations found\n- GITHUB PUSH PROTECTION\n- Push cannot contain secrets": gitsink.ErrRejected,
		"pre-receive hook declined\nerror: GH001: Large files detected.":                                                                                    gitsink.ErrTooLarge,
		"push declined due to email privacy restrictions\nerror: GH007: Your push would publish a private email address.":                                   gitsink.ErrRejected,
		"Internal Server Error":      gitsink.ErrUnavailable,
		"fatal error in commit_refs": gitsink.ErrUnavailable,
		"pre-receive hook declined\nGitLab: You are not allowed to push code to protected branches on this project.":          gitsink.ErrProtected,
		"pre-receive hook declined\nGitLab: You are not allowed to push code to this project.":                                gitsink.ErrAuth,
		"pre-receive hook declined\nGitLab: Commit message does not follow the pattern '^JIRA-'":                              gitsink.ErrRejected,
		"pre-receive hook declined\nGitLab: You are attempting to check in one or more blobs which exceed the 100MiB limit":   gitsink.ErrTooLarge,
		"pre-receive hook declined\nGitLab: Your push has been rejected, because this repository has exceeded its size limit": gitsink.ErrTooLarge,
		"pre-receive hook declined\nGitLab: The repository is temporarily read-only. Please try again later.":                 gitsink.ErrUnavailable,
		"pre-receive hook declined\nGitea: Not allowed to push to protected branch main":                                      gitsink.ErrProtected,
		"pre-receive hook declined\nGitea: branch main is protected from force push":                                          gitsink.ErrProtected,
		"pre-receive hook declined\nGitea: branch main is protected from changing file secret.yaml":                           gitsink.ErrRejected,
		"pre-receive hook declined\nForgejo: Quota exceeded":                                                                  gitsink.ErrTooLarge,
		"TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.":               gitsink.ErrProtected,
		"TF401027: You need the Git 'GenericContribute' permission to perform this action.":                                   gitsink.ErrAuth,
		"TF401028: The reference 'refs/heads/main' has already been updated by another client":                                gitsink.ErrUnavailable,
		"TF402462: The push was rejected because its size is greater than the limit":                                          gitsink.ErrTooLarge,
		"pre-receive hook declined\nBranch refs/heads/main can only be modified through pull requests.":                       gitsink.ErrProtected,
		"pre-receive hook declined\nPermission denied to update branch main.":                                                 gitsink.ErrProtected,
		"prohibited by Gerrit: not permitted: update":                                                                         gitsink.ErrProtected,
		"unpacker error: index-pack abnormal exit\nfatal: pack exceeds maximum allowed size":                                  gitsink.ErrTooLarge,
		"unpacker error: unpack-objects abnormal exit\nfatal: fsck error in packed object: hasDotgit":                         gitsink.ErrRejected,
		"unpacker error: unpack-objects abnormal exit\nfatal: write error: No space left on device":                           gitsink.ErrUnavailable,
		"pre-receive hook declined\nno Mondays":                                                                               gitsink.ErrRejected,
		"hook declined":                                                                                                       gitsink.ErrRejected,
		"failed to update ref":                                                                                                gitsink.ErrUnavailable,
		"cannot lock ref 'refs/heads/main': Unable to create 'refs/heads/main.lock': File exists.":                            gitsink.ErrUnavailable,
		"deny updating a hidden ref": gitsink.ErrRejected,
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
		{errors.New("remote error: tls: certificate required"), gitsink.ErrAuth, false},
		{&saidError{io.EOF, "ERROR: Repository not found."}, gitsink.ErrNotFound, false},
		{&saidError{io.EOF, "ERROR: Permission to org/repo.git denied to bot."}, gitsink.ErrAuth, false},
		{&saidError{io.EOF, "ERROR: This repository was archived so it is read-only."}, gitsink.ErrProtected, false},
		{&saidError{io.EOF, "remote: GitLab: The project you were looking for could not be found or you don't have permission to view it."}, gitsink.ErrNotFound, false},
		{&saidError{io.EOF, "remote: TF401019: The Git repository with name or identifier app does not exist"}, gitsink.ErrNotFound, false},
		{&saidError{io.EOF, "conq: repository access denied."}, gitsink.ErrAuth, false},
		{&saidError{io.EOF, "Gitea: User: 2:bot with Key: 1:key is not authorized to write to org/app."}, gitsink.ErrAuth, false},
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
