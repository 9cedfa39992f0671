package gogit

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// relay passes bytes between two connections until both directions have ended.
func relay(a, b net.Conn) {
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
	both.Wait()
}

// connectProxy is a proxy of HTTP that wants a password and makes tunnels only.
func connectProxy(t *testing.T, secure bool, used *atomic.Int32) *httptest.Server {
	t.Helper()
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if user, password, _ := request.BasicAuth(); user != "me" || password != "pr0xy-s3cret" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		used.Add(1)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		_ = buffered.Flush()
		relay(here, there)
	}))
	if secure {
		proxy.StartTLS()
	} else {
		proxy.Start()
	}
	t.Cleanup(proxy.Close)
	return proxy
}

// socksProxy speaks SOCKS5 (RFC 1928, RFC 1929) with a password, and knows every name as this
// machine.
func socksProxy(t *testing.T, used *atomic.Int32) net.Addr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				there, err := socks(here)
				if err != nil {
					_ = here.Close()
					return
				}
				used.Add(1)
				relay(here, there)
			})
		}
	})
	return listener.Addr()
}

func socks(here net.Conn) (net.Conn, error) {
	read := func(n byte) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(here, b)
		return b
	}
	read(read(2)[1])                 // the methods
	_, _ = here.Write([]byte{5, 2})  // user and password
	user := string(read(read(2)[1])) // behind the version
	password := string(read(read(1)[0]))
	if user != "me" || password != "pr0xy-s3cret" {
		_, _ = here.Write([]byte{1, 1})
		return nil, errors.New("who?")
	}
	_, _ = here.Write([]byte{1, 0})
	host := ""
	switch head := read(4); head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(read(1)[0]))
	}
	port := binary.BigEndian.Uint16(read(2))
	if host == "git.invalid" { // known only here
		host = "127.0.0.1"
	}
	there, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	if err == nil {
		_, err = here.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	}
	return there, err
}

func TestAllProtocolsGoThroughAProxy(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	ssh := gitservertest.NewSSHServer(t, nil)
	over := ssh.NewRepo("ssh")
	secure := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true, Credentials: gitservertest.Credentials{Token: "tok"}})
	web := secure.NewRepo("web")
	var used atomic.Int32
	userAt := func(scheme, host string) string {
		return (&url.URL{Scheme: scheme, User: url.UserPassword("me", "pr0xy-s3cret"), Host: host}).String()
	}
	proxies := map[string]string{
		"http":   userAt("http", connectProxy(t, false, &used).Listener.Addr().String()),
		"socks5": userAt("socks5", socksProxy(t, &used).String()),
	}
	for name, proxy := range proxies {
		for protocol, c := range map[string]struct {
			repo *gitservertest.Repo
			url  string
			auth Auth
		}{
			"ssh":   {over, over.SSHURL(), Auth{SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())}},
			"https": {web, web.URL(), Auth{BearerToken: "tok", CABundle: secure.CAPEM()}},
		} {
			t.Run(protocol+" through "+name, func(t *testing.T) {
				used.Store(0)
				c.auth.Proxy = proxy
				s := newSink(t, &Options{Auth: fixed(c.auth)})
				apply(t, s, target(c.url, "main", name), put("a", "1"))
				require.Equal(t, "1", c.repo.Tree("main")[name+"/a"])
				require.NotZero(t, used.Load())

				c.auth.Proxy = "http://" + proxies["http"][len("http://me:pr"):] // a wrong user
				wrong := newSink(t, &Options{Auth: fixed(c.auth)})
				e := refuse(t, wrong, target(c.url, "main", name), put("a", "2"), gitsink.ErrAuth)
				require.NotContains(t, e.Error(), "s3cret")
			})
		}
	}
}

func TestAProxyLooksNamesUp(t *testing.T) {
	t.Parallel()
	var used atomic.Int32
	ssh := gitservertest.NewSSHServer(t, nil)
	repo := ssh.NewRepo("app")
	_, port, err := net.SplitHostPort(ssh.Addr())
	require.NoError(t, err)
	s := newSink(t, &Options{Auth: fixed(Auth{
		SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte("[git.invalid]:" + port + ssh.KnownHosts()[len("[127.0.0.1]:"+port):]),
		Proxy: "socks5://me:pr0xy-s3cret@" + socksProxy(t, &used).String(),
	})})
	apply(t, s, target("ssh://git@git.invalid:"+port+"/app", "main", ""), put("a", "1"))
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
}

func TestAProxyThatCannotBeUsedIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	for proxy, want := range map[string]string{
		"ftp://me:pr0xy-s3cret@host": `the protocol "ftp": use http, https or socks5`,
		"me:pr0xy-s3cret@host":       "no URL with a protocol and a host",
		"http://\x7fme:pr0xy-s3cret": "no URL with a protocol and a host",
	} {
		s := newSink(t, &Options{Auth: fixed(Auth{Proxy: proxy})})
		e := refuse(t, s, target(repo.URL(), "main", ""), put("a", "1"), gitsink.ErrAuth)
		require.ErrorContains(t, e, want)
		require.NotContains(t, e.Error(), "pr0xy-s3cret")
	}
}
