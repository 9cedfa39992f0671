package gogit

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestFailuresOfAConnectionHaveAClass(t *testing.T) {
	t.Parallel()
	status := func(code int, reason string) error {
		return fmt.Errorf("wrapped: %w", &smart.RemoteError{Err: &smart.StatusError{Status: code}, Words: reason})
	}
	for _, test := range []struct {
		err   error
		want  error
		final bool // the server cannot have taken a push
	}{
		{status(http.StatusUnauthorized, "who?"), gitsink.ErrAuth, true},
		{status(http.StatusForbidden, "no"), gitsink.ErrAuth, true},
		{status(http.StatusForbidden, "You have exceeded a secondary rate limit"), gitsink.ErrUnavailable, true},
		{&smart.StatusError{Status: http.StatusForbidden, RetryAfter: time.Minute}, gitsink.ErrUnavailable, true},
		{status(http.StatusNotFound, ""), gitsink.ErrNotFound, true},
		{status(http.StatusProxyAuthRequired, ""), gitsink.ErrAuth, true},
		{status(http.StatusGone, ""), gitsink.ErrNotFound, true},
		{status(http.StatusRequestEntityTooLarge, ""), gitsink.ErrTooLarge, true},
		{status(http.StatusTooManyRequests, ""), gitsink.ErrUnavailable, true},
		{status(http.StatusForbidden, "This repository was archived so it is read-only."), gitsink.ErrProtected, true},
		{status(http.StatusNotFound, "permission denied"), gitsink.ErrNotFound, true},
		{status(http.StatusInternalServerError, "permission denied"), gitsink.ErrUnavailable, false},
		{status(http.StatusGatewayTimeout, ""), gitsink.ErrUnavailable, false},
		{errors.New("ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]"), gitsink.ErrAuth, false},
		{errors.New("ssh: handshake failed: known_hosts: host shows the key SHA256:x, which is not in KnownHosts"), gitsink.ErrAuth, false},
		{errors.New("known_hosts: KnownHosts has keys of host:22 for x only, which has y: add one of those"), gitsink.ErrAuth, false},
		{errors.New("ssh: handshake failed: ssh: no common algorithm for client to server cipher"), gitsink.ErrUnsupported, false},
		{errors.New("remote error: tls: certificate required"), gitsink.ErrAuth, false},
		{errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority"), gitsink.ErrAuth, false},
		{errors.New("dial tcp 127.0.0.1:1: connect: connection refused"), gitsink.ErrUnavailable, false},
		{errors.New("whatever else"), gitsink.ErrUnavailable, false},
		// An answer has come.
		{fmt.Errorf("tree: %w", object.ErrIncomplete), gitsink.ErrProtocol, false},
		{fmt.Errorf("tree: %w", object.ErrDamaged), gitsink.ErrProtocol, false},
		{&object.PathError{Path: "a", Reason: "b"}, gitsink.ErrPath, false},
	} {
		classes := classify(test.err)
		require.Contains(t, classes, test.want, test.err.Error())
		require.Equal(t, test.final, surelyRefused(test.err), test.err.Error())
	}
}

// net/http puts the URL into its errors, and the error of an operation has it already.
func TestAFailureNamesTheURLOnce(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	err := refuse(t, s, target("http://127.0.0.1:1/org/repo", "main", "f"), put("a.yaml", "x"), gitsink.ErrUnavailable)
	require.Equal(t, 1, strings.Count(err.Error(), "org/repo"), err)
	require.NotContains(t, gitsink.Brief(err), "org/repo")
	require.Contains(t, gitsink.Brief(err), "connection refused")
	require.Equal(t, gitsink.ReasonServerUnavailable, gitsink.Reason(err))
}
