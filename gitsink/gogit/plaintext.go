package gogit

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// checkPlainText returns an error if a connection to a repository would show credentials where
// everybody on the way can read them. Every connection's credentials go through here before
// anything is sent, see askAuth. Redirects lead credentials nowhere else than where they were
// allowed to go: see httpWire.redirect.
func (o *Options) checkPlainText(repository string, a Auth) error {
	ep, err := transport.NewEndpoint(repository)
	if err != nil || ep.Protocol == "file" {
		return nil //nolint:nilerr // nothing is sent
	}
	var proxy *url.URL
	if a.Proxy != "" {
		if proxy, err = smart.ParseProxy(a.Proxy); err != nil {
			return err
		}
	}
	readable := proxy != nil && proxy.Scheme != "https" && !o.mayRead(proxy.Hostname())
	if readable && proxy.User != nil {
		return fmt.Errorf("%w: those of the proxy, to %s: use a proxy at https://, or allow that host (Options.AllowedPlainTextHosts)",
			gitsink.ErrPlainText, proxy.Hostname())
	}
	a.Username = cmp.Or(a.Username, ep.User)
	if ep.Protocol != "http" || smart.Credentials(a).Anonymous() {
		return nil
	}
	host := strings.Trim(ep.Host, "[]")
	switch {
	case !o.mayRead(host), proxy != nil && !o.isNamed(host): // a proxy has its own localhost
		return fmt.Errorf("%w to %s: use https://, or allow that host (Options.AllowedPlainTextHosts)", gitsink.ErrPlainText, host)
	case readable:
		return fmt.Errorf("%w to %s, a proxy: use https://, or allow that host (Options.AllowedPlainTextHosts)",
			gitsink.ErrPlainText, proxy.Hostname())
	}
	return nil
}

// mayRead reports whether credentials may go to a host in plain text: to this machine, and to
// those that are allowed.
func (o *Options) mayRead(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost") || o.isNamed(host)
}

// isNamed reports whether a host is one of AllowedPlainTextHosts. An address has one spelling here.
func (o *Options) isNamed(host string) bool {
	return slices.ContainsFunc(o.AllowedPlainTextHosts, func(allowed string) bool { return spelled(allowed) == spelled(host) })
}

func spelled(host string) string {
	host = strings.Trim(host, "[]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(host)
}
