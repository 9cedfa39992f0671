package gogit

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

// refuseAll applies nine plans together, all of which must be refused alike, with that many pushes.
func refuseAll(t *testing.T, by giteaWay, repo *giteaRepo, u *giteaUser, branch string, class error, pushes int) (said string) {
	t.Helper()
	count := repo.pushes(t)
	for _, err := range nine(t, by.sink(t, u), by.of(repo), branch) {
		said = requireRefused(t, err, class, u)
	}
	require.Equal(t, pushes, count())
	return said
}

// refuseFirst is for what is refused before there is anything to push: no plan is run.
func refuseFirst(t *testing.T, s *Sink, url string, u *giteaUser, class error) string {
	t.Helper()
	_, err := s.Apply(t.Context(), target(url, "main", ""), put("b", "1"))
	return requireRefused(t, err, class, u)
}

func TestGiteaSaysThatARepositoryIsMissing(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	org := unique("org")
	g.call(t, owner, http.MethodPost, "orgs", map[string]any{"username": org}, nil)
	g.each(t, func(t *testing.T, by giteaWay) {
		s := by.sink(t, owner)
		for _, account := range []string{owner.name, org, unique("nobody")} {
			refuseFirst(t, s, by.url(account, unique("missing")), owner, gitsink.ErrNotFound)
		}
	})
}

func TestGiteaRefusesAReaderWithOnePush(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner, reader := g.user(t, "owner"), g.user(t, "reader")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, map[string]any{"auto_init": true, "private": true})
		repo.admit(t, reader, "read")
		refuseAll(t, by, repo, reader, "main", gitsink.ErrAuth, 1)
		// Where everybody may read, he has no permission that he could lack.
		repo.change(t, map[string]any{"private": false})
		refuseAll(t, by, repo, reader, "main", gitsink.ErrAuth, 1)
	})
}

func TestGiteaShowsAPrivateRepositoryToNoStranger(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner, stranger := g.user(t, "owner"), g.user(t, "stranger")
	repo := g.repo(t, owner, map[string]any{"auto_init": true, "private": true})
	g.each(t, func(t *testing.T, by giteaWay) {
		class := gitsink.ErrNotFound // it does not say whether there is one
		if by.name == bySSHWay {
			class = gitsink.ErrAuth
		}
		count := repo.pushes(t)
		refuseFirst(t, by.sink(t, stranger), by.of(repo), stranger, class)
		require.Zero(t, count())
	})
}

func TestGiteaKnowsNobodyByThatKeyOrPassword(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	repo := g.repo(t, owner, map[string]any{"auto_init": true})
	g.each(t, func(t *testing.T, by giteaWay) {
		other := &giteaUser{name: owner.name, password: "another-word"}
		other.key, _ = newSSHKey(t)
		refuseFirst(t, by.sink(t, other), by.of(repo), other, gitsink.ErrAuth)
	})
}

func TestGiteaRefusesADisabledAccount(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	for name, settings := range map[string]map[string]any{"no login": {"prohibit_login": true}, "not active": {"active": false}} {
		g.each(t, func(t *testing.T, by giteaWay) {
			writer := g.user(t, "writer")
			repo := g.repo(t, owner, nil)
			repo.admit(t, writer, "write")
			s := by.sink(t, writer)
			apply(t, s, target(by.of(repo), "main", ""), put("a", "1"))
			count := repo.pushes(t)
			settings["source_id"], settings["login_name"] = 0, writer.name
			g.call(t, g.admin, http.MethodPatch, "admin/users/"+writer.name, settings, nil)
			class := gitsink.ErrAuth
			if name == "not active" && by.name != bySSHWay {
				// It answers with a page on which the account can be activated.
				class = gitsink.ErrNotFound
			}
			said := refuseFirst(t, s, by.of(repo), writer, class)
			require.Zero(t, count())
			if by.name == bySSHWay {
				require.Contains(t, said, "Your account is disabled.")
			}
		})
	}
}

func TestGiteaRefusesToPushToAProtectedBranch(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, map[string]any{"auto_init": true})
		repo.protect(t, map[string]any{"rule_name": "main", "enable_push": false})
		said := refuseAll(t, by, repo, owner, "main", gitsink.ErrProtected, 1)
		require.NotContains(t, said, "Options.Signer")
	})
}

func TestGiteaRefusesWhatChangesAProtectedFileAlone(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	repo := g.repo(t, owner, map[string]any{"auto_init": true})
	repo.protect(t, map[string]any{"rule_name": "main", "enable_push": true, "protected_file_patterns": "folder4/**"})
	by := giteaWay{"http", g}
	for i, err := range nine(t, by.sink(t, owner), by.of(repo), "main") {
		if i == 4 {
			requireRefused(t, err, gitsink.ErrRejected, owner)
			continue
		}
		require.NoError(t, err)
	}
	by = giteaWay{bySSHWay, g}
	_, err := by.sink(t, owner).Apply(t.Context(), target(by.of(repo), "main", ""), put("folder4/b", "1"))
	requireRefused(t, err, gitsink.ErrRejected, owner)
}

func TestGiteaRefusesToPushToAnArchivedRepository(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, map[string]any{"auto_init": true})
		s := by.sink(t, owner)
		apply(t, s, target(by.of(repo), "main", ""), put("a", "1"))
		repo.change(t, map[string]any{"archived": true})
		count := repo.pushes(t)
		refuseFirst(t, s, by.of(repo), owner, gitsink.ErrProtected)
		require.Zero(t, count())
	})
}

func TestGiteaRefusesToPushToAMirror(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	origin := g.repo(t, owner, map[string]any{"auto_init": true})
	mirror := &giteaRepo{g, owner.name, unique("mirror")}
	g.call(t, owner, http.MethodPost, "repos/migrate", map[string]any{
		"clone_addr": g.URL() + "/" + origin.owner + "/" + origin.name, "repo_name": mirror.name, "mirror": true, "service": "git",
	}, nil)
	g.each(t, func(t *testing.T, by giteaWay) {
		count := mirror.pushes(t)
		refuseFirst(t, by.sink(t, owner), by.of(mirror), owner, gitsink.ErrProtected)
		require.Zero(t, count())
	})
}

// repoOfSHA256 is one that Gitea has made, if its git can (2.42 and later), and else one that was
// put in the place of another.
func (g *gitea) repoOfSHA256(t *testing.T, owner *giteaUser, filled bool) *giteaRepo {
	t.Helper()
	name := unique("sha256")
	status, _ := g.ask(t, owner, http.MethodPost, "user/repos", map[string]any{
		"name": name, "object_format_name": "sha256", "auto_init": filled, "default_branch": "main",
	})
	if status < 300 {
		return &giteaRepo{g, owner.name, name}
	}
	repo := g.repo(t, owner, nil)
	folder := g.RepositoryDir(repo.owner, repo.name)
	hooks := filepath.Join(t.TempDir(), "hooks")
	require.NoError(t, os.Rename(filepath.Join(folder, "hooks"), hooks))
	require.NoError(t, os.RemoveAll(folder))
	sha256Repository(t, folder, filled)
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "hooks")))
	require.NoError(t, os.Rename(hooks, filepath.Join(folder, "hooks")))
	return repo
}

func TestGiteaHasARepositoryOfSHA256(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	for name, filled := range map[string]bool{"empty": false, "filled": true} {
		t.Run(name, func(t *testing.T) {
			repo := g.repoOfSHA256(t, owner, filled)
			g.each(t, func(t *testing.T, by giteaWay) {
				result := apply(t, by.sink(t, owner), target(by.of(repo), "main", ""), put(unique("file"), "1"))
				require.Len(t, result.Tip, 64)
				require.Equal(t, result.Tip, repo.git(t, "rev-parse", "main"))
				repo.git(t, "fsck", "--strict")
			})
		})
	}
}

func TestGiteaRefusesADeployKeyThatMayOnlyRead(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	repo, another := g.repo(t, owner, map[string]any{"auto_init": true}), g.repo(t, owner, map[string]any{"auto_init": true})
	by := giteaWay{bySSHWay, g}
	deploy := func(readOnly bool) *giteaUser {
		key, public := newSSHKey(t)
		g.call(t, owner, http.MethodPost, repo.path()+"/keys", map[string]any{"title": unique("key"), "key": public, "read_only": readOnly}, nil)
		return &giteaUser{name: "nobody", password: "no-password", key: key}
	}
	reader, writer := deploy(true), deploy(false)
	count := repo.pushes(t)
	refuseFirst(t, by.sink(t, reader), by.of(repo), reader, gitsink.ErrAuth)
	require.Zero(t, count())
	apply(t, by.sink(t, writer), target(by.of(repo), "main", ""), put("a", "1"))
	require.Equal(t, 1, count())
	refuseFirst(t, by.sink(t, writer), by.of(another), writer, gitsink.ErrAuth)
	refuseFirst(t, by.sink(t, writer), by.url(owner.name, unique("missing")), writer, gitsink.ErrNotFound)
}

func TestGiteaRefusesATokenWithoutTheScope(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	by := giteaWay{"http", g}
	open, closed := g.repo(t, owner, map[string]any{"auto_init": true}), g.repo(t, owner, map[string]any{"auto_init": true, "private": true})
	token := func(scopes ...string) *giteaUser {
		var made struct{ Sha1 string }
		g.call(t, owner, http.MethodPost, "users/"+owner.name+"/tokens", map[string]any{"name": unique("token"), "scopes": scopes}, &made)
		return &giteaUser{name: owner.name, password: made.Sha1}
	}
	for name, test := range map[string]struct {
		token *giteaUser
		repo  *giteaRepo
		class error
	}{
		"writes":                {token("write:repository"), closed, nil},
		"only reads":            {token("read:repository"), open, gitsink.ErrAuth},
		"of another kind":       {token("write:issue"), open, gitsink.ErrAuth},
		"only what is public":   {token("write:repository", "public-only"), closed, gitsink.ErrAuth},
		"writes what is public": {token("write:repository", "public-only"), open, nil},
		"unknown":               {&giteaUser{name: owner.name, password: "0123456789abcdef0123456789abcdef01234567"}, open, gitsink.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			count := test.repo.pushes(t)
			s := by.sink(t, test.token)
			if test.class == nil {
				apply(t, s, target(by.of(test.repo), "main", ""), put("a", name))
				require.Equal(t, 1, count())
				return
			}
			refuseFirst(t, s, by.of(test.repo), test.token, test.class)
			require.Zero(t, count())
		})
	}
	// A token alone, as the user name.
	alone := token("write:repository")
	s := newSink(t, &Options{Auth: fixed(Auth{Username: alone.password})})
	apply(t, s, target(by.of(closed), "main", ""), put("b", "1"))
}
