package smart

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/net/proxy"

	"github.com/kubescribe/kubescribe/gitsink"
)

// ParseProxy reads the URL of a proxy. Its errors do not quote it, since it may hold a password.
func ParseProxy(proxy string) (*url.URL, error) {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil, invalidAuth("Proxy is no URL with a protocol and a host")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, invalidAuth(fmt.Sprintf("Proxy has the protocol %q: use http, https or socks5", u.Scheme))
}

// dial connects to an address, host:port, through a proxy if one is named.
func dial(ctx context.Context, through, address string) (net.Conn, error) {
	direct := &net.Dialer{}
	if through == "" {
		return direct.DialContext(ctx, "tcp", address)
	}
	u, err := ParseProxy(through)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return dialConnect(ctx, direct, u, address)
	}
	dialer, err := proxy.FromURL(u, direct)
	if err != nil {
		return nil, err
	}
	conn, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("through the proxy: %w", err)
	}
	return conn, nil
}

// dialConnect asks a proxy of HTTP for a tunnel (RFC 9110, section 9.3.6).
func dialConnect(ctx context.Context, direct *net.Dialer, u *url.URL, address string) (net.Conn, error) {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	conn, err := direct.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("reaching the proxy: %w", err)
	}
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	tunnel, err := connect(conn, u.User, address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("through the proxy: %w", err), conn.Close())
	}
	return tunnel, nil
}

func connect(conn net.Conn, user *url.Userinfo, address string) (net.Conn, error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
		req.Header["Proxy-Authorization"] = req.Header["Authorization"]
		req.Header.Del("Authorization")
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req) //nolint:bodyclose // a tunnel has none
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return &tunnel{conn, reader}, nil // the far end may have spoken already
	case http.StatusProxyAuthRequired:
		return nil, fmt.Errorf("%w: the proxy wants other credentials", gitsink.ErrAuth)
	}
	return nil, &StatusError{Status: resp.StatusCode}
}

// tunnel is a connection of which a reader holds the beginning.
type tunnel struct {
	net.Conn
	reader *bufio.Reader
}

func (t *tunnel) Read(p []byte) (int, error) { return t.reader.Read(p) }

// address is where an endpoint is found.
func address(ep *transport.Endpoint, port int) string {
	if ep.Port != 0 {
		port = ep.Port
	}
	return net.JoinHostPort(strings.Trim(ep.Host, "[]"), strconv.Itoa(port))
}
