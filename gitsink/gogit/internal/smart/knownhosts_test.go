package smart

import (
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

// The library's parser, which reads files only, is the judge.
func TestKnownHostsAreReadAsSSHReadsThem(t *testing.T) {
	t.Parallel()
	ed, ec := gogittest.HostKeys(t)
	key := func(s ssh.Signer) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey()))) }
	for name, lines := range map[string]string{
		"one host":                  "git.example " + key(ed),
		"a comment, blanks":         "# hosts\n\n  git.example " + key(ed) + " git@example\n",
		"another port":              "[git.example]:2222 " + key(ed),
		"several names":             "git.example,10.0.0.1,[git.example]:2222 " + key(ed),
		"wildcards":                 "*.example,10.0.0.? " + key(ed),
		"a wildcard with a port":    "[*.example]:2222 " + key(ed),
		"all but one":               "*.example,!git.example " + key(ed),
		"hashed":                    knownhosts.HashHostname("git.example") + " " + key(ed),
		"hashed, another port":      knownhosts.HashHostname("[git.example]:2222") + " " + key(ed),
		"two keys":                  "git.example " + key(ec) + "\ngit.example " + key(ed),
		"another key":               "git.example " + key(ec),
		"revoked":                   "git.example " + key(ed) + "\n@revoked git.example " + key(ed),
		"revoked elsewhere":         "git.example " + key(ed) + "\n@revoked other.example " + key(ed),
		"an address of version six": "::1,[::1]:2222 " + key(ed),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "known_hosts")
			require.NoError(t, os.WriteFile(file, []byte(lines), 0o600))
			judge, err := knownhosts.New(file)
			require.NoError(t, err)
			hosts, err := parseKnownHosts([]byte(lines))
			require.NoError(t, err)
			for _, host := range []string{"git.example", "other.example", "10.0.0.1", "10.0.0.2", "::1", "git.example.org"} {
				for _, port := range []string{"22", "2222"} {
					address := net.JoinHostPort(host, port)
					for _, signer := range []ssh.Signer{ed, ec} {
						want := judge(address, &net.TCPAddr{}, signer.PublicKey())
						got := hosts.check(address, &net.TCPAddr{}, signer.PublicKey())
						require.Equal(t, want == nil, got == nil, "%s %s: the judge says %v, we say %v", address, signer.PublicKey().Type(), want, got)
					}
				}
			}
		})
	}
}

func TestAnAuthorityVouchesForHosts(t *testing.T) {
	t.Parallel()
	host, authority := gogittest.HostKeys(t)
	certificate := &ssh.Certificate{
		Key: host.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"git.example"}, ValidBefore: ssh.CertTimeInfinity,
	}
	require.NoError(t, certificate.SignCert(rand.Reader, authority))
	line := "git.example " + string(ssh.MarshalAuthorizedKey(authority.PublicKey()))
	hosts, err := parseKnownHosts([]byte("@cert-authority " + line))
	require.NoError(t, err)
	require.NoError(t, hosts.check("git.example:22", &net.TCPAddr{}, certificate))
	require.Error(t, hosts.check("git.example:22", &net.TCPAddr{}, authority.PublicKey()), "it is no host")
	require.Error(t, hosts.check("other.example:22", &net.TCPAddr{}, certificate))
	require.Contains(t, hosts.algorithms("git.example:22"), ssh.CertAlgoED25519v01)
	hosts, err = parseKnownHosts([]byte("@cert-authority " + line + "@revoked " + line))
	require.NoError(t, err)
	require.Error(t, hosts.check("git.example:22", &net.TCPAddr{}, certificate))
}

func TestAHostIsAskedForAKeyThatIsKnown(t *testing.T) {
	t.Parallel()
	ed, ec := gogittest.HostKeys(t)
	hosts, err := parseKnownHosts([]byte("git.example " + string(ssh.MarshalAuthorizedKey(ec.PublicKey())) +
		"@revoked git.example " + string(ssh.MarshalAuthorizedKey(ed.PublicKey()))))
	require.NoError(t, err)
	require.Equal(t, []string{ssh.KeyAlgoECDSA256}, hosts.algorithms("git.example:22"))
	require.Empty(t, hosts.algorithms("git.example:23"))
}

func TestALineThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	_, err := parseKnownHosts([]byte("# fine\ngit.example ssh-ed25519 nonsense\n"))
	require.ErrorIs(t, err, gitsink.ErrAuth)
	require.ErrorContains(t, err, "line 2 of KnownHosts")
}
