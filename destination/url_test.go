package destination

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// remoteBranches lists canonical URLs and what else means the same repository.
var remoteBranches = map[string][]string{
	"https://github.com/org/repo": {
		"https://github.com/org/repo.git", "https://github.com/org/repo/", "https://github.com/org/repo.git//", "HTTPS://GitHub.COM:443/org/repo",
		"https://alice@github.com/org/repo", "https://@github.com/org/repo", "https://github.com:/org/repo", "https://github.com:0443/org/repo",
		"https://github.com/%6frg/repo%2egit", "https://github.com/org%2Frepo",
	},
	"http://github.com/org/repo":          {"http://github.com:80/org/repo.git"},
	"https://github.com/Org/repo":         nil,
	"https://github.com//org/repo":        nil,
	"https://github.com./org/repo":        nil,
	"https://www.github.com/org/repo":     nil,
	"https://github.com:8443/org/repo":    {"https://GITHUB.com:8443/org/repo/"},
	"https://github.com/org/repo.git.git": {"https://github.com/org/repo.git.git/"},
	"https://github.com/org/repo/.git":    nil,
	"https://github.com/org/a%20b":        {"https://github.com/org/a b.git"},
	"https://github.com/org/a%40b":        nil,
	"ssh://git@github.com/org/repo": {
		"git@github.com:org/repo.git", "git@github.com:/org/repo", "git@GitHub.com:org/repo/", "ssh://git@github.com:22/org/repo.git",
		"SSH://git@github.com//org/repo", "ssh://gi%74@github.com/org/repo",
	},
	"ssh://github.com/org/repo":                   {"github.com:org/repo.git"},
	"ssh://alice@github.com/org/repo":             {"alice@github.com:org/repo"},
	"ssh://git@github.com:2222/org/repo":          {"ssh://git@github.com:2222/org/repo.git"},
	"ssh://git@github.com/~/repo":                 {"git@github.com:~/repo"},
	"ssh://git@github.com/a%2520b":                {"git@github.com:a%20b"},
	"ssh://git@github.com/22/repo":                {"git@github.com:22/repo"},
	"ssh://git@[2001:db8::1]/org/repo":            {"ssh://git@[2001:DB8:0:0::1]:22/org/repo.git"},
	"https://[::1]:8443/repo":                     {"https://[0:0::1]:8443/repo"},
	"git://host/repo":                             {"git://host:9418/repo.git"},
	"file:///srv/repo":                            {"/srv/repo", "/srv///repo/", "file:////srv/repo", "file:///srv/repo/"},
	"file:///srv/repo.git":                        {"/srv/repo.git"},
	"file:///srv/a%40b:c%3F%23":                   {"/srv/a@b:c?#", "file:///srv/a@b:c%3f%23"},
	"file:///srv/50%25":                           {"/srv/50%"},
	"ssh://a%40corp.example@host.example/v1/repo": {"ssh://a%40corp.example@host.example:22/v1/repo.git"},
}

var invalidURLs = []string{
	"", " ", "repo", "./repo", "../repo", "github.com/org/repo", `C:\repo`, "C:/repo", "~/repo", "/", "//", "//host/repo", "/a/../b", "/a/./b", "/a\x00b", "/a\nb", "/\xff",
	" https://host/repo", "https://host/repo\n", "/a://b", "ftp://host/repo", "git+ssh://host/repo", "ext::sh -c true", "host::a", "://host/repo",
	"https://", "https://host", "https://host/", "https:///repo", "https:/host/repo", "https://host/a/../b", "https://host/%2e%2e/b", "https://host/a%00b",
	"https://host/a%ffb", "https://host/a%5cb", "https://host/a%25b", "https://host/a%3Fb", "https://host/a?b", "https://host/a#", "https://host/%zz",
	"https://host:0/a", "https://host:65536/a", "https://host:x/a", "https://ho st/a", "https://-host/a", "https://bücher.example/a", "https://[::1/a",
	"https://[fe80::1%25eth0]/a", "https://[host]/a", "https://host/a@b", "ssh://-oProxyCommand=x/a", "ssh://-l@host/a", "ssh://@host/a", "ssh://a%0ab@host/a",
	"-oProxyCommand=x:a", "-l@host:a", "@host:a", ":a", "host:", "git@:a", "git@host:", "git@host:-a", "git@host:22:a", "git@[::1]:a", "a@b@host:c",
	"git@host:a@b", "https:a", "file:a", "file://host/a", "file://a@/b", "git://a@host/b", "file:///", "file:///a/..", "git@host:a/../b", "git@host:/",
}

// apart lists URLs of which somebody could think that they are one repository.
var apart = []struct{ one, other, differ string }{
	{"https://github.com/org/repo", "ssh://git@github.com/org/repo", "protocol"},
	{"https://github.com/org/repo", "http://github.com/org/repo", "protocol, even if one redirects to the other"},
	{"https://github.com/org/repo", "git://github.com/org/repo", "protocol"},
	{"https://github.com/org/repo", "https://github.com/Org/repo", "case of the path"},
	{"https://github.com/org/repo", "https://www.github.com/org/repo", "host, an alias"},
	{"https://github.com/org/repo", "https://github.com./org/repo", "host, with the dot of a full name"},
	{"https://github.com/org/repo", "https://github.com:8443/org/repo", "port"},
	{"https://github.com/org/repo", "https://github.com//org/repo", "slashes within the path"},
	{"https://github.com/org/repo", "https://github.com/org/repo/.git", "a .git of its own"},
	{"https://github.com/org/repo.git", "https://github.com/org/repo.git.git", "the second .git"},
	{"https://[::1]/repo", "https://127.0.0.1/repo", "address"},
	{"git@github.com:org/repo", "alice@github.com:org/repo", "user of ssh, whose home a path may be relative to"},
	{"git@github.com:org/repo", "github.com:org/repo", "user of ssh, written or that of the process"},
	{"git@github.com:org/repo", "git@github.com:~/org/repo", "home folder, named"},
	{"git@github.com:a%20b", "ssh://git@github.com/a%20b", "percent-encoding, which the scp form does not have"},
	{"/srv/repo", "/srv/repo.git", ".git of a file"},
	{"/srv/repo", "ssh://localhost/srv/repo", "protocol"},
}

func TestURLsThatMayBeTwoRepositoriesShareNoRemoteBranch(t *testing.T) {
	for _, pair := range apart {
		one, other := Destination{Repository: pair.one, Branch: "main"}.RemoteBranch(), Destination{Repository: pair.other, Branch: "main"}.RemoteBranch()
		require.NotZero(t, one, pair.one)
		require.NotZero(t, other, pair.other)
		require.NotEqual(t, one, other)
	}
}

func TestSpellingsOfOneRepositoryShareARemoteBranchAndNoOthersDo(t *testing.T) {
	for canonical, spellings := range remoteBranches {
		for _, spelling := range append(spellings, canonical) {
			got, err := canonicalURL(spelling)
			require.NoError(t, err, spelling)
			require.Equal(t, canonical, got, spelling)
			require.Equal(t, RemoteBranch{canonical, "main"}, Destination{Repository: spelling, Branch: "main"}.RemoteBranch())
		}
	}
}

func TestAURLThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	for _, raw := range invalidURLs {
		got, err := canonicalURL(raw)
		require.ErrorIs(t, err, ErrInvalid, "%q means %q", raw, got)
		require.Zero(t, Destination{Repository: raw, Branch: "main"}.RemoteBranch())
	}
}

func TestAPasswordIsRefusedAndNeverShown(t *testing.T) {
	for _, raw := range []string{
		"https://alice:SECRET@host/repo", "https://:SECRET@host/repo", "https://alice%3ASECRET@host/repo", "ssh://git%3aSECRET@host/repo", "ssh://git:SECRET@host/repo", "git://a:SECRET@host/b",
		"file://a:SECRET@/b", "git:SECRET@host:repo", "git@x:SECRET@host:repo", "https://alice:p/SECRET@host/repo", "https://alice:1/SECRET@host/repo",
		"https://alice:p#SECRET@host/repo", "https://alice:p@SECRET@host/repo", "https://alice:p%SECRET@host/repo", "https://alice:SECRET/host/repo",
		"https://alice:p:SECRET@host/repo", "alice:SECRET@https://host/repo", " https://alice:SECRET@host/repo", "https://alice:SECRET@host:99999/repo",
		"ftp://alice:SECRET@host/repo", "https://host/repo?token=SECRET", "https://host/repo#SECRET", "https://SECRET@host/repo?", "//alice:SECRET@host/repo",
	} {
		checkNoSecret(t, raw, "SECRET")
		_, err := canonicalURL(raw)
		require.ErrorIs(t, err, ErrInvalid, raw)
	}
	checkNoSecret(t, "https://SECRET@host/repo", "SECRET")
}

func checkNoSecret(t *testing.T, raw, secret string) {
	t.Helper()
	d := Destination{Ref: Ref{Namespace: "team-a", Name: "prod"}, Repository: raw, Branch: "main"}
	_, err := Resolve([]Repository{{Ref: d.Ref, URL: raw}}, []Spec{{Ref: d.Ref, RepositoryRef: d.Ref, Branch: "main"}})
	for _, err := range []error{d.Validate(), err} {
		if err != nil {
			require.NotContains(t, err.Error(), secret, raw)
		}
	}
	require.NotContains(t, d.String(), secret, raw)
	require.NotContains(t, d.MarshalLog(), secret, raw)
	require.NotContains(t, d.RemoteBranch().String(), secret, raw)
}

func FuzzURL(f *testing.F) {
	for canonical, spellings := range remoteBranches {
		for _, spelling := range append(spellings, canonical) {
			f.Add(spelling)
		}
	}
	for _, raw := range invalidURLs {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		canonical, err := canonicalURL(raw)
		if err != nil {
			require.False(t, isPlainURL(raw), "%q", raw)
			require.ErrorIs(t, err, ErrInvalid)
			require.Empty(t, canonical)
		} else {
			again, err := canonicalURL(canonical)
			require.NoError(t, err, "%q means %q", raw, canonical)
			require.Equal(t, canonical, again, "%q", raw)
			require.NotContains(t, canonical, "#", "a RemoteBranch could not be told apart by its String")
		}

		// Put a password where one stands, and see that it is refused and not shown.
		const password = "hunter2-SECRET"
		user, rest := "alice:"+password+"@", raw
		if i := strings.Index(raw, "://"); i >= 0 {
			user, rest = raw[:i+3]+user, raw[i+3:]
		}
		if strings.HasPrefix(raw, "/") && rest != raw {
			return // a path that holds "://"
		}
		_, err = canonicalURL(user + rest)
		require.ErrorIs(t, err, ErrInvalid, "%q", user+rest)
		checkNoSecret(t, user+rest, password)
	})
}

func TestEveryURLThatIsKnownAtAGlanceIsValid(t *testing.T) {
	known := 0
	var extend func(raw string, n int)
	extend = func(raw string, n int) {
		if isPlainURL(raw) {
			known++
			_, err := canonicalURL(raw)
			require.NoError(t, err, "%q", raw)
		}
		for _, c := range []string{"a", "Z", "0", ".", "-", "_", "/", ":", "@", "%", "?", "#", " ", "\\", "[", "ü"} {
			if n > 0 {
				extend(raw+c, n-1)
			}
		}
	}
	extend("https://", 4)
	extend("https://h/", 3)
	extend("ssh://", 3)
	require.Greater(t, known, 200)
}
