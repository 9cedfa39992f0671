package smart

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format's choice
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts are the lines of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
type knownHosts []knownHost

type knownHost struct {
	marker   string // "", "cert-authority" or "revoked"
	patterns []string
	key      ssh.PublicKey
}

func parseKnownHosts(lines []byte) (knownHosts, error) {
	var hosts knownHosts
	for n := 1; len(lines) > 0; n++ {
		line, rest, _ := bytes.Cut(lines, []byte("\n"))
		lines = rest
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		if errors.Is(err, io.EOF) { // empty, or a comment
			continue
		}
		if err != nil {
			return nil, invalidAuth(fmt.Sprintf("line %d of KnownHosts is malformed: give lines of a known_hosts file", n))
		}
		hosts = append(hosts, knownHost{marker, patterns, key})
	}
	return hosts, nil
}

// matches reports whether the line is about an address, host:port. A line that names the host after
// an exclamation mark is about all others only.
func (h knownHost) matches(address string) bool {
	name := knownhosts.Normalize(address) // without port 22, else [host]:port
	matched := false
	for _, pattern := range h.patterns {
		wanted, negated := strings.CutPrefix(pattern, "!")
		switch {
		case strings.HasPrefix(wanted, "|1|"):
			matched = matched || hashedMatches(wanted, name)
		case !wildcardMatches(wanted, name):
		case negated:
			return false
		default:
			matched = true
		}
	}
	return matched
}

// wildcardMatches knows * and ?. The brackets of [host]:port mean themselves.
func wildcardMatches(pattern, name string) bool {
	escape := strings.NewReplacer("[", `\[`, "]", `\]`, `\`, `\\`)
	ok, err := path.Match(escape.Replace(strings.ToLower(pattern)), strings.ToLower(name))
	return ok && err == nil
}

// hashedMatches knows |1|salt|HMAC-SHA1 of the name|, in base64.
func hashedMatches(pattern, name string) bool {
	fields := strings.Split(pattern, "|")
	if len(fields) != 4 {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return fields[3] == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (hosts knownHosts) has(marker, address string, key ssh.PublicKey) bool {
	return slices.ContainsFunc(hosts, func(h knownHost) bool {
		return h.marker == marker && bytes.Equal(h.key.Marshal(), key.Marshal()) && h.matches(address)
	})
}

// revoked reports whether a key is not to be accepted any more, whoever shows it.
func (hosts knownHosts) revoked(key ssh.PublicKey) bool {
	return slices.ContainsFunc(hosts, func(h knownHost) bool {
		return h.marker == "revoked" && bytes.Equal(h.key.Marshal(), key.Marshal())
	})
}

// check is an ssh.HostKeyCallback: the key or the authority that signed it stands in a line about
// the host, and none says that it was revoked. The words are in the table of failures.
func (hosts knownHosts) check(address string, remote net.Addr, key ssh.PublicKey) error {
	checker := &ssh.CertChecker{
		IsHostAuthority: func(authority ssh.PublicKey, address string) bool {
			return hosts.has("cert-authority", address, authority)
		},
		IsRevoked: func(c *ssh.Certificate) bool { return hosts.revoked(c.SignatureKey) || hosts.revoked(c.Key) },
		HostKeyFallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			switch {
			case hosts.revoked(key):
				return fmt.Errorf("known_hosts: the key %s of %s was revoked", ssh.FingerprintSHA256(key), address)
			case !hosts.has("", address, key):
				return fmt.Errorf("known_hosts: %s shows the key %s, which is not in KnownHosts", address, ssh.FingerprintSHA256(key))
			}
			return nil
		},
	}
	return checker.CheckHostKey(address, remote, key)
}

// algorithms returns those of the keys that are known: a host may have several keys, and would
// else show one of another type.
func (hosts knownHosts) algorithms(address string) []string {
	var all []string
	for _, h := range hosts {
		if h.marker == "revoked" || !h.matches(address) {
			continue
		}
		names := []string{h.key.Type()}
		if h.key.Type() == ssh.KeyAlgoRSA {
			names = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		if h.marker == "cert-authority" { // which may have signed a key of any type
			names = []string{
				ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
				ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
			}
		}
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
