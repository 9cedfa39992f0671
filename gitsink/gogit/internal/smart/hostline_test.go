package smart

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the format's choice
	"encoding/base64"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

// hashedWith is what a salt makes of a name.
func hashedWith(salt []byte, name string) string {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestALineIsAboutTheHostsThatItsPatternsName(t *testing.T) {
	t.Parallel()
	hashed := func(name string) string {
		return "|1|" + base64.StdEncoding.EncodeToString([]byte("abc")) + "|" + hashedWith([]byte("abc"), name)
	}
	for patterns, want := range map[string]bool{
		"git.example":                        true,
		"GIT.example":                        true,
		"other.example":                      false,
		"*.example":                          true,
		"git.exampl?":                        true,
		"git.exampl??":                       false,
		"git.example.org":                    false,
		"[git.example]:22":                   false,
		"*,!git.example":                     false,
		"!git.example,*":                     false,
		"*,!other.example":                   true,
		"!other.example":                     false,
		"":                                   false,
		hashed("git.example"):                true,
		hashed("other.example"):              false,
		"git.example," + hashed("o.example"): true,
		hashed("git.example") + ",x.example": true,
		hashed("git.example") + "|":          false,
		"|1|YWJj":                            false,
		"|1|YWJj!|" + hashedWith([]byte("abc"), "git.example"): false,
		"|2|YWJj|" + hashedWith([]byte("abc"), "git.example"):  false,
	} {
		require.Equal(t, want, knownHost{patterns: strings.Split(patterns, ",")}.matches("git.example:22"), patterns)
	}
	require.True(t, knownHost{patterns: []string{"[git.example]:2222"}}.matches("git.example:2222"))
	require.False(t, knownHost{patterns: []string{"git.example"}}.matches("git.example:2222"))
	require.False(t, wildcardMatches(`a\`, "a"))
	require.True(t, wildcardMatches(`a\b`, `a\b`))
}

func TestAKeyIsKnownByItsMarkerItsHostAndItself(t *testing.T) {
	t.Parallel()
	ed, ec := gogittest.HostKeys(t)
	hosts := knownHosts{
		{"", []string{"git.example"}, ed.PublicKey()},
		{"revoked", []string{"other.example"}, ec.PublicKey()},
	}
	require.True(t, hosts.has("", "git.example:22", ed.PublicKey()))
	require.False(t, hosts.has("revoked", "git.example:22", ed.PublicKey()))
	require.False(t, hosts.has("", "git.example:22", ec.PublicKey()))
	require.False(t, hosts.has("", "other.example:22", ed.PublicKey()))
	require.False(t, hosts.revoked(ed.PublicKey()))
	require.True(t, hosts.revoked(ec.PublicKey()), "whoever shows it")
	require.False(t, knownHosts(nil).has("", "git.example:22", ed.PublicKey()))

	require.NoError(t, hosts.check("git.example:22", &net.TCPAddr{}, ed.PublicKey()))
	err := hosts.check("git.example:22", &net.TCPAddr{}, ec.PublicKey())
	require.EqualError(t, err, "known_hosts: the key "+ssh.FingerprintSHA256(ec.PublicKey())+" of git.example:22 was revoked")
	err = hosts.check("x.example:22", &net.TCPAddr{}, ed.PublicKey())
	require.EqualError(t, err, "known_hosts: x.example:22 shows the key "+ssh.FingerprintSHA256(ed.PublicKey())+", which is not in KnownHosts")
}

func TestACertificateIsWorthItsAuthorityAndItsKey(t *testing.T) {
	t.Parallel()
	key, authority := gogittest.HostKeys(t)
	certificate := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"git.example"}, ValidBefore: ssh.CertTimeInfinity,
	}
	require.NoError(t, certificate.SignCert(rand.Reader, authority))
	vouched := knownHost{"cert-authority", []string{"git.example"}, authority.PublicKey()}
	for name, c := range map[string]struct {
		hosts knownHosts
		good  bool
	}{
		"an authority":           {knownHosts{vouched}, true},
		"of nobody":              {knownHosts{{"", []string{"git.example"}, authority.PublicKey()}}, false},
		"of another host":        {knownHosts{{"cert-authority", []string{"x"}, authority.PublicKey()}}, false},
		"another authority":      {knownHosts{{"cert-authority", []string{"git.example"}, key.PublicKey()}}, false},
		"an authority that was":  {knownHosts{vouched, {"revoked", []string{"*"}, authority.PublicKey()}}, false},
		"a key that was":         {knownHosts{vouched, {"revoked", []string{"*"}, key.PublicKey()}}, false},
		"no authority as a host": {knownHosts{{"", []string{"git.example"}, key.PublicKey()}}, false},
	} {
		err := c.hosts.check("git.example:22", &net.TCPAddr{}, certificate)
		require.Equal(t, c.good, err == nil, "%s: %v", name, err)
	}
}

func TestAHostIsAskedForKeysOfTheTypesThatAreKnown(t *testing.T) {
	t.Parallel()
	ed, ec := gogittest.HostKeys(t)
	other, _ := gogittest.HostKeys(t)
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	old, err := ssh.NewPublicKey(&private.PublicKey)
	require.NoError(t, err)
	at := []string{"git.example"}
	certificates := []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
	for name, c := range map[string]struct {
		hosts knownHosts
		want  []string
	}{
		"none":                {nil, nil},
		"one":                 {knownHosts{{"", at, ed.PublicKey()}}, []string{ssh.KeyAlgoED25519}},
		"two of a type":       {knownHosts{{"", at, ed.PublicKey()}, {"", at, other.PublicKey()}}, []string{ssh.KeyAlgoED25519}},
		"two types, in order": {knownHosts{{"", at, ec.PublicKey()}, {"", at, ed.PublicKey()}}, []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		"RSA, with good sums": {knownHosts{{"", at, old}}, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}},
		"revoked":             {knownHosts{{"revoked", at, ed.PublicKey()}}, nil},
		"of another":          {knownHosts{{"", []string{"x"}, ed.PublicKey()}}, nil},
		"an authority":        {knownHosts{{"cert-authority", at, ed.PublicKey()}}, certificates},
	} {
		require.Equal(t, c.want, c.hosts.algorithms("git.example:22"), name)
	}
}

func TestLinesOfKnownHostsAreReadOrNamed(t *testing.T) {
	t.Parallel()
	ed, ec := gogittest.HostKeys(t)
	line := func(s ssh.Signer) string { return knownhosts.Line([]string{"git.example"}, s.PublicKey()) }
	hosts, err := parseKnownHosts([]byte("\n# x\n" + line(ed) + "\n\n@revoked " + line(ec)))
	require.NoError(t, err)
	require.Len(t, hosts, 2)
	require.Equal(t, "", hosts[0].marker)
	require.Equal(t, "revoked", hosts[1].marker)
	require.Equal(t, []string{"git.example"}, hosts[1].patterns)
	require.Equal(t, ec.PublicKey().Marshal(), hosts[1].key.Marshal())
	hosts, err = parseKnownHosts(nil)
	require.NoError(t, err)
	require.Empty(t, hosts)
	hosts, err = parseKnownHosts([]byte("\n\n" + line(ed) + "\ngit.example ssh-ed25519 nonsense\n" + line(ec)))
	require.ErrorContains(t, err, "line 4 of KnownHosts is malformed")
	require.Nil(t, hosts)
}
