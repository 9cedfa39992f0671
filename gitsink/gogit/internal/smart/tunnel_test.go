package smart

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestAProxyIsAURLWithAProtocolThatIsKnown(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"http://p", "https://p:1", "socks5://me:x@p", "socks5h://p"} {
		u, err := ParseProxy(proxy)
		require.NoError(t, err)
		require.Equal(t, proxy, u.String())
	}
	for proxy, says := range map[string]string{
		"http://\x7f": "no URL", "": "no URL", "p:8080": "no URL", "http://": "no URL", "socks4://p": `the protocol "socks4"`,
	} {
		u, err := ParseProxy(proxy)
		require.ErrorIs(t, err, gitsink.ErrAuth, proxy)
		require.ErrorContains(t, err, says)
		require.Nil(t, u)
	}
}

// halfOpen takes what is written nowhere and has something to read.
type halfOpen struct {
	net.Conn
	says io.Reader
}

func (halfOpen) Write([]byte) (int, error)    { return 0, errCut }
func (h halfOpen) Read(p []byte) (int, error) { return h.says.Read(p) }

func TestATunnelIsAskedForWithTheProxysOwnCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user   *url.Userinfo
		answer string
		shown  string
		want   error
		status int
	}{
		"nobody":              {nil, "HTTP/1.1 200 OK\r\n\r\nspoken", "", nil, 0},
		"somebody":            {url.UserPassword("me", "p"), "HTTP/1.1 200 OK\r\n\r\nspoken", "Basic bWU6cA==", nil, 0},
		"a name alone":        {url.User("me"), "HTTP/1.1 200 OK\r\n\r\nspoken", "Basic bWU6", nil, 0},
		"another is wanted":   {nil, "HTTP/1.1 407 No\r\n\r\n", "", gitsink.ErrAuth, 0},
		"it is not reached":   {nil, "HTTP/1.1 502 Bad\r\n\r\n", "", nil, http.StatusBadGateway},
		"no answer of HTTP's": {nil, "hello\r\n\r\n", "", io.EOF, 0},
	} {
		here, there := net.Pipe()
		asked := make(chan *http.Request, 1)
		go func() {
			req, _ := http.ReadRequest(bufio.NewReader(there))
			asked <- req
			_, _ = io.WriteString(there, c.answer)
			_ = there.Close()
		}()
		conn, err := connect(here, c.user, "git.example:22")
		req := <-asked
		require.Equal(t, http.MethodConnect, req.Method, name)
		require.Equal(t, "git.example:22", req.Host, name)
		require.Equal(t, c.shown, req.Header.Get("Proxy-Authorization"), name)
		require.Empty(t, req.Header.Get("Authorization"), name)
		if strings.Contains(c.answer, "200") {
			require.NoError(t, err, name)
			text, err := io.ReadAll(conn)
			require.NoError(t, err, name)
			require.Equal(t, "spoken", string(text), name)
			require.NoError(t, conn.Close())
			continue
		}
		require.Error(t, err, name)
		require.Nil(t, conn, name)
		require.NoError(t, here.Close())
		switch {
		case c.status != 0:
			require.Equal(t, c.status, StatusOf(err).Status, name)
		case c.want == gitsink.ErrAuth: //nolint:errorlint // as it is in the table
			require.ErrorIs(t, err, c.want, name)
			require.ErrorContains(t, err, "the proxy wants other credentials", name)
		}
	}
	conn, err := connect(halfOpen{says: strings.NewReader("HTTP/1.1 200 OK\r\n\r\n")}, nil, "git.example:22")
	require.ErrorIs(t, err, errCut, "it was not heard")
	require.Nil(t, conn)
}

func TestAConnectionGoesWhereTheProxySays(t *testing.T) {
	t.Parallel()
	host, port := listening(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "direct") })
	direct := net.JoinHostPort(host, strconv.Itoa(port))
	host, port = listening(t, func(conn net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, map[bool]string{true: "HTTP/1.1 200 OK\r\n\r\n", false: "HTTP/1.1 502 Bad\r\n\r\n"}[req.Host == direct]+"through")
		}
	})
	proxy := "http://" + net.JoinHostPort(host, strconv.Itoa(port))
	for via, want := range map[string]string{"": "direct", proxy: "through"} {
		conn, err := dial(t.Context(), via, direct)
		require.NoError(t, err)
		text, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		require.NoError(t, conn.Close())
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	defer secure.Close()
	nobody, nowhere := closedPort(t)
	closed := net.JoinHostPort(nobody, strconv.Itoa(nowhere))
	for via, says := range map[string]string{
		"ftp://p":            `the protocol "ftp"`,
		proxy:                "through the proxy: HTTP status 502",
		secure.URL:           "through the proxy: tls: failed to verify certificate",
		"http://" + closed:   "reaching the proxy: ",
		"https://" + closed:  "reaching the proxy: ",
		"socks5://" + closed: "through the proxy: ",
		"":                   "refused",
	} {
		conn, err := dial(t.Context(), via, closed)
		require.ErrorContains(t, err, says, via)
		require.Nil(t, conn, via)
	}
}
