package smart

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func tlsDefaults() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

// connected makes a request on a transport, so that it holds an idle connection to a server in
// memory.
func connected(t *testing.T, made *http.Transport) (gone func() bool) {
	t.Helper()
	closed := make(chan struct{})
	made.DialContext = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer close(closed)
			reader := bufio.NewReader(there)
			for {
				if _, err := http.ReadRequest(reader); err != nil {
					return
				}
				_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}()
		return here, nil
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://git.example/", nil)
	require.NoError(t, err)
	resp, err := made.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return func() bool {
		synctest.Wait()
		select {
		case <-closed:
			return true
		default:
			return false
		}
	}
}

func TestIdleConnectionsAreClosedByWhoeverOwnsThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owned       bool
		end         func(*HTTP)
		base, trust bool // are gone then
	}{
		"what nobody uses":        {true, (*HTTP).CloseIdle, true, true},
		"of a given one, too":     {false, (*HTTP).CloseIdle, true, true},
		"what is not trusted now": {true, (*HTTP).forget, false, true},
		"all, at the end":         {true, (*HTTP).Close, true, true},
		"but of a given one":      {false, (*HTTP).Close, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			base := without()
			transports := NewHTTP(base)
			transports.owned = c.owned
			made, err := transports.trusting(Credentials{Proxy: "http://p"})
			require.NoError(t, err)
			ofBase, ofTrust := connected(t, base), connected(t, made.(*http.Transport))
			require.False(t, ofBase() || ofTrust(), name)
			c.end(transports)
			require.Equal(t, c.base, ofBase(), name)
			require.Equal(t, c.trust, ofTrust(), name)
			base.CloseIdleConnections()
			made.(*http.Transport).CloseIdleConnections()
		})
	}
}

func TestCredentialsThatCannotBeUsedSayWhy(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, invalidAuth("why"), gitsink.ErrAuth)
	require.True(t, strings.HasSuffix(invalidAuth("why").Error(), ": why"))
}
