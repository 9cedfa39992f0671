package destination

import (
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// defaultPorts holds the protocols that are spoken, and the port of each.
var defaultPorts = map[string]uint64{"ssh": 22, "https": 443, "http": 80, "git": 9418, "file": 0}

// scpPort is what go-git takes for a port and git for the beginning of the path.
var scpPort = regexp.MustCompile(`^[0-9]{1,5}:`)

// canonicalURL returns one spelling for all spellings that surely mean the same
// repository. Its result is a canonical URL of itself. No error holds any part
// of raw, since an unescaped password can be in any of them.
func canonicalURL(raw string) (string, error) {
	u, err := parseRepository(raw)
	if err != nil {
		return "", err
	}
	if err := canonicalPath(u); err != nil {
		return "", err
	}
	return u.String(), nil
}

// isPlainURL knows the URLs that most people have: https://host/path of letters, digits and "-_.",
// no component beginning with a sign. canonicalURL accepts every one of them, at twenty times the
// cost.
func isPlainURL(raw string) bool {
	rest, ok := strings.CutPrefix(raw, "https://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash <= 0 {
		return false
	}
	afterLetter := false
	for i := range len(rest) {
		switch c := rest[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			afterLetter = true
		case c == '/' && rest[i-1] != '/', (c == '-' || c == '_' || c == '.') && afterLetter:
			afterLetter = c != '/'
		default:
			return false
		}
	}
	return rest[len(rest)-1] != '/'
}

// parseRepository tells the forms in section "GIT URLS" of git-clone(1) apart as
// go-git does: scheme://, [user@]host:path, a path. Everything but the path of the
// URL it returns is canonical.
func parseRepository(raw string) (*url.URL, error) {
	colon := strings.IndexByte(raw, ':')
	switch {
	case raw == "":
		return nil, invalid("the URL is empty")
	case !utf8.ValidString(raw) || strings.ContainsFunc(raw, notInURL):
		return nil, invalid("the URL contains a backslash, a control character or what is not UTF-8")
	case strings.TrimSpace(raw) != raw:
		return nil, invalid("the URL begins or ends with a space")
	case colon > 0 && strings.HasPrefix(raw[colon:], "://"):
		return parseScheme(raw, raw[colon+len("://"):])
	case strings.HasPrefix(raw, "//"):
		return nil, invalid("the URL begins with two slashes: write the protocol before them, or a path with one")
	case raw[0] == '/':
		return &url.URL{Scheme: "file", Path: raw}, nil
	case colon >= 0 && !strings.Contains(raw[:colon], "/"):
		return parseSCP(raw[:colon], raw[colon+1:])
	}
	return nil, invalid("a path must be absolute, a URL must begin with ssh://, https://, http://, git:// or file://")
}

func notInURL(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// parseScheme parses scheme://[user@]host[:port]/path; rest is what follows
// "://".
func parseScheme(raw, rest string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, invalid("the URL cannot be parsed")
	}
	defaultPort, ok := defaultPorts[u.Scheme]
	switch {
	case !ok:
		return nil, invalid("the protocol is none of ssh, https, http, git and file")
	case strings.ContainsAny(raw, "?#"):
		return nil, invalid(`the URL has a query or fragment: write "?" and "#" in a path as %%3F and %%23`)
	case u.Scheme == "file":
		if u.Host != "" || u.User != nil {
			return nil, invalid("a file URL has neither user nor host: write it with three slashes")
		}
		return &url.URL{Scheme: "file", Path: u.Path}, nil
	case strings.Contains(rest[strings.IndexByte(rest+"/", '/'):], "@"):
		// The slash may be one in a password.
		return nil, invalid(`the URL has an "@" after the first slash: write it as %%40`)
	}
	c := &url.URL{Scheme: u.Scheme, Path: u.Path}
	if c.User, err = canonicalUser(u); err != nil {
		return nil, err
	}
	if c.Host, err = canonicalHost(u.Hostname()); err != nil {
		return nil, err
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return nil, invalid("the port is not between 1 and 65535")
		}
		if port != defaultPort {
			c.Host += ":" + strconv.FormatUint(port, 10)
		}
	}
	return c, nil
}

// parseSCP parses [user@]host:path, cut at the colon.
func parseSCP(userHost, path string) (*url.URL, error) {
	user, host, ok := strings.Cut(userHost, "@")
	if !ok {
		user, host = "", userHost
	}
	_, isProtocol := defaultPorts[host]
	switch {
	case ok && user == "":
		return nil, invalid(`the URL has no user before its "@"`)
	case strings.Contains(path, "@"):
		return nil, invalid(`the URL has an "@" after its colon, as if it held a password: write it as ssh:// with %%40`)
	case strings.HasPrefix(host, "["):
		return nil, invalid("the host is an IPv6 address: write it as ssh://")
	case len(host) == 1:
		return nil, invalid("the host has one letter, as a drive of Windows has: write it as ssh:// or file://")
	case isProtocol:
		return nil, invalid(`the protocol is not followed by "://"`)
	case scpPort.MatchString(path):
		return nil, invalid("the number after the host could be a port or a folder: write it as ssh://")
	case path == "" || path[0] == '-' || path[0] == ':': // "ext::command" runs a command in git
		return nil, invalid(`the path is empty or begins with "-" or ":"`)
	}
	u := &url.URL{Scheme: "ssh", Path: path}
	var err error
	if u.Host, err = canonicalHost(host); err != nil {
		return nil, err
	}
	if user != "" {
		u.User = url.User(user)
	}
	u.User, err = canonicalUser(u)
	return u, err
}

// canonicalUser keeps the user of ssh, whose home a path may be relative to, and
// drops the one of http, which only says who asks.
func canonicalUser(u *url.URL) (*url.Userinfo, error) {
	name := u.User.Username()
	_, hasPassword := u.User.Password()
	switch {
	case hasPassword || strings.Contains(name, ":"):
		return nil, invalid("the URL holds a password: remove it and give the credentials in the repository's secret")
	case u.User == nil || u.Scheme == "http" || u.Scheme == "https":
		return nil, nil
	case u.Scheme != "ssh":
		return nil, invalid("%s has no users: remove the one in the URL", u.Scheme)
	case name == "" || name[0] == '-' || !utf8.ValidString(name) || strings.ContainsFunc(name, notInURL):
		return nil, invalid(`the user is empty, begins with "-" or contains a backslash, a control character or what is not UTF-8`)
	}
	return url.User(name), nil
}

// canonicalHost accepts DNS names, IPv4 and IPv6 addresses.
func canonicalHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" {
			return "", invalid("the host is not an IPv6 address without a zone")
		}
		return "[" + ip.String() + "]", nil
	}
	if host == "" || host[0] == '-' || strings.ContainsFunc(host, notInHost) {
		return "", invalid(`the host is empty, begins with "-" or contains more than ASCII letters, digits and ._-`)
	}
	return strings.ToLower(host), nil
}

func notInHost(r rune) bool {
	isHost := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r)
	return !isHost
}

// canonicalPath checks u.Path and replaces it, and the way it is escaped, by the
// canonical one.
func canonicalPath(u *url.URL) error {
	p := strings.TrimRight(u.Path, "/")
	components := strings.Split(p, "/")
	switch {
	case p == "":
		return invalid("the URL has no path")
	case !utf8.ValidString(p) || strings.ContainsFunc(p, notInURL):
		return invalid("the path contains a backslash, a control character or what is not UTF-8")
	case slices.Contains(components, ".") || slices.Contains(components, ".."):
		return invalid(`the path contains "." or "..": write it without`)
	case strings.HasPrefix(u.Scheme, "http") && strings.ContainsAny(p, "%?#"):
		// go-git sends the path unescaped, so they would mean something else.
		return invalid("the path of an HTTP URL contains one of %%, ? and #")
	}
	switch u.Scheme {
	case "file":
		p = path.Clean(p)
	case "ssh":
		p = "/" + strings.TrimLeft(p, "/")
	}
	if u.Scheme != "file" {
		p = trimGitSuffix(p)
	}
	u.Path = p
	u.RawPath = ""
	// Without this, the canonical URL would have an "@" after its first slash.
	u.RawPath = strings.ReplaceAll(u.EscapedPath(), "@", "%40")
	return nil
}

// trimGitSuffix cuts off .git, unless the last component is .git itself or ends
// with .git all the same: there it is no longer sure what a server makes of it.
func trimGitSuffix(p string) string {
	trimmed := strings.TrimSuffix(p, ".git")
	if strings.HasSuffix(trimmed, "/") || strings.HasSuffix(trimmed, ".git") {
		return p
	}
	return trimmed
}

// redactURL masks what could be a credential in a URL that may be malformed:
// everything before the last "@", queries, and what cannot be parsed.
func redactURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok:
		scheme, rest = "", raw
	case strings.ContainsAny(scheme, ":@"):
		scheme = "***://"
	default:
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "***" + rest[at:]
	} else if _, err := url.Parse(raw); err != nil && ok {
		rest = "***"
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + "***"
	}
	return scheme + rest
}
