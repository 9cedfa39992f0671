package destination

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALocalRepositoryIsRefusedUnlessItsFolderIsAllowed(t *testing.T) {
	for _, c := range []struct {
		url     string
		folders []string
		allowed bool
	}{
		{"https://host/srv/git/app", nil, true},
		{"git@host:srv/git/app", nil, true},
		{"ssh://host/srv/git/app", []string{"/other"}, true},
		{"file:///srv/git/app", nil, false},
		{"/srv/git/app", nil, false},
		{"FILE:///srv/git/app", nil, false},
		{"file:////srv/git/app", nil, false},
		{"/srv/git/app", []string{"/srv/git"}, true},
		{"file:///srv/git/app.git/", []string{"/srv/git/"}, true},
		{"FILE:///srv//git///app", []string{"file:///srv/git"}, true},
		{"/srv/g%69t/app", []string{"/srv/git"}, false}, // a path is not escaped
		{"file:///srv/g%69t/app", []string{"/srv/git"}, true},
		{"file:///srv%2Fgit%2Fapp", []string{"/srv/git"}, true},
		{"/srv/git", []string{"/srv/git"}, true},
		{"/srv/git.git", []string{"/srv/git"}, false},
		{"/srv/git2/app", []string{"/srv/git"}, false},
		{"/srv/Git/app", []string{"/srv/git"}, false},
		{"/srv", []string{"/srv/git"}, false},
		{"/srv/git/app", []string{"/srv/git/app/x", "/other", "/srv/git/app"}, true},
		{"/srv/git/app", []string{"", "/", "srv", "srv/git", "file://", "file:///", "https://host/srv/git", "/srv/git/../git", "/srv/*"}, false},
	} {
		err := Policy{AllowedLocalFolders: c.folders}.Permit(c.url)
		_, resolveErr := Policy{AllowedLocalFolders: c.folders}.Resolve([]Repository{{Ref: ref("a/repo"), URL: c.url}}, nil)
		require.Equal(t, c.allowed, err == nil, "%s in %q", c.url, c.folders)
		require.Equal(t, c.allowed, !errors.Is(resolveErr, ErrLocalNotAllowed), "%s in %q", c.url, c.folders)
	}
}

// Every spelling that leads out of a folder, or to a program in place of a repository, is no valid
// URL at all.
func TestNoSpellingLeadsOutOfAnAllowedFolder(t *testing.T) {
	for _, url := range []string{
		"/srv/git/../../etc/app", "file:///srv/git/../x", "file:///srv/git/%2e%2e/x", "file:///srv/git%2f..%2fx", "/srv/git/..",
		"file:///srv/git/.%2e/x", "file://localhost/srv/git/app", "file:/srv/git/app", "ext::sh -c true", "fd::3", "fd::3,4/srv/git",
		"ext::/srv/git/app", "./app", "../app", "app", "~/app", "-/srv/git", "--upload-pack=sh", "ssh://-oProxyCommand=sh/srv/git",
		"-oProxyCommand=sh:srv/git", "git@host:--exec=sh", "file::/srv/git/app", "transport::/srv/git/app", "/srv/git/a\\..\\b",
		"//srv/git/app", "\x00/srv/git/app", "file:///srv/git/app?x", "file:///srv/git/app#x",
	} {
		_, err := Policy{AllowedLocalFolders: []string{"/srv/git"}}.Resolve([]Repository{{Ref: ref("a/repo"), URL: url}}, nil)
		require.ErrorIs(t, err, ErrInvalid, url)
		require.ErrorIs(t, Policy{AllowedLocalFolders: []string{"/srv/git"}}.Permit(url), ErrInvalid, url)
		require.Error(t, Destination{Ref: ref("a/d"), Repository: url, Branch: "main"}.Validate(), url)
	}
}

func TestTheRefusalOfALocalRepositoryNamesTheFieldAndNoFolder(t *testing.T) {
	policy := Policy{AllowedLocalFolders: []string{"/srv/others-secret"}}
	specs := []Spec{spec("team/d", "team/repo", "main", "x"), spec("team/fine", "team/web", "main", "x")}
	set, err := policy.Resolve([]Repository{
		{Ref: ref("team/repo"), URL: "file:///srv/git/app"}, {Ref: ref("team/web"), URL: "https://host/app"},
	}, specs)
	require.ErrorIs(t, set.Err(ref("team/d")), ErrLocalNotAllowed)
	var fault *Error
	require.ErrorAs(t, err, &fault)
	require.Equal(t, []string{KindRepository, "team/repo", "URL", "file:///srv/git/app"},
		[]string{fault.Kind, fault.Ref.String(), fault.Field, fault.Value})
	require.ErrorContains(t, err, "ask whoever runs this program to allow its folder (AllowedLocalFolders)")
	require.NotContains(t, err.Error(), "secret")
	_, ok := set.Get(ref("team/fine"))
	require.True(t, ok)
}

func TestAFolderThatIsNoneIsAnErrorThatTakesNothingFromOthers(t *testing.T) {
	policy := Policy{AllowedLocalFolders: []string{"repos", "/srv/git", "/"}}
	set, err := policy.Resolve([]Repository{{Ref: ref("a/repo"), URL: "/srv/git/app"}}, []Spec{spec("a/d", "a/repo", "main", "x")})
	require.ErrorContains(t, err, `AllowedLocalFolders: "repos": invalid: a path must be absolute`)
	require.ErrorContains(t, err, `AllowedLocalFolders: "/": invalid: the URL has no path`)
	require.Equal(t, 1, set.Len())
	require.NoError(t, Policy{}.Validate())
}
