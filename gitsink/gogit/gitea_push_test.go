package gogit

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestGiteaTakesTheFirstPushAndTheNextOnes(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, nil)
		s, d := by.sink(t, owner), target(by.of(repo), "main", "clusters/a")
		apply(t, s, d, put("ns/one.yaml", "1"))
		first := repo.git(t, "rev-parse", "main")
		apply(t, s, d, put("ns/one.yaml", "2", "two.yaml", "2"))
		g.call(t, owner, http.MethodPost, repo.path()+"/contents/README.md", map[string]any{
			"content": base64.StdEncoding.EncodeToString([]byte("by hand\n")), "message": "by hand", "branch": "main",
		}, nil)
		result := apply(t, s, d, put("three.yaml", "3"))
		require.Equal(t, repo.git(t, "rev-parse", "main"), result.Tip)
		// Another process, which knows nothing of the branch.
		apply(t, by.sink(t, owner), d, commits(gitsink.Commit{Message: "remove", Changes: removals("two.yaml")}))
		apply(t, s, target(by.of(repo), "second", ""), put("four.yaml", "4"))

		require.Equal(t, "README.md\nclusters/a/ns/one.yaml\nclusters/a/three.yaml", repo.git(t, "ls-tree", "-r", "--name-only", "main"))
		require.Equal(t, "2", repo.git(t, "cat-file", "blob", "main:clusters/a/ns/one.yaml"))
		require.Equal(t, "5", repo.git(t, "rev-list", "--count", "main"))
		require.Equal(t, "4", repo.git(t, "rev-list", "--count", "--min-parents=1", "--max-parents=1", "main"))
		repo.git(t, "merge-base", "--is-ancestor", first, "second")
		require.Empty(t, repo.git(t, "fsck", "--strict", "--no-dangling", "--no-progress"))
	})
}

func TestGiteaTakesOnePushOfNineThatWait(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, map[string]any{"auto_init": true})
		pushes := repo.pushes(t)
		for _, err := range nine(t, by.sink(t, owner), by.of(repo), "main") {
			require.NoError(t, err)
		}
		require.Equal(t, 1, pushes())
		require.Equal(t, "10", repo.git(t, "rev-list", "--count", "main"))
	})
}

func TestGiteaLeadsToARepositoryThatWasRenamed(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, nil)
		s, d := by.sink(t, owner), target(by.of(repo), "main", "")
		apply(t, s, d, put("a", "1"))
		renamed := *repo
		renamed.name = unique("renamed")
		repo.change(t, map[string]any{"name": renamed.name})
		apply(t, s, d, put("a", "2"))
		apply(t, by.sink(t, owner), d, put("b", "1"))
		require.Equal(t, "2", renamed.git(t, "cat-file", "blob", "main:a"))
		require.Equal(t, "1", renamed.git(t, "cat-file", "blob", "main:b"))
	})
}

func TestGiteaLeadsToAnOwnerWhoWasRenamed(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	g.each(t, func(t *testing.T, by giteaWay) {
		owner := g.user(t, "owner")
		repo := g.repo(t, owner, nil)
		writer := g.user(t, "writer")
		repo.admit(t, writer, "write")
		s, d := by.sink(t, writer), target(by.of(repo), "main", "")
		apply(t, s, d, put("a", "1"))
		renamed := *repo
		renamed.owner = unique("renamed")
		g.call(t, g.admin, http.MethodPost, "admin/users/"+owner.name+"/rename", map[string]any{"new_username": renamed.owner}, nil)
		apply(t, s, d, put("a", "2"))
		require.Equal(t, "2", renamed.git(t, "cat-file", "blob", "main:a"))
	})
}

// Files are written as they are, as git does where the filter is not configured, and Gitea asks for
// no LFS object.
func TestGiteaTakesFilesThatHaveAFilterAsTheyAre(t *testing.T) {
	t.Parallel()
	g := startGitea(t)
	owner := g.user(t, "owner")
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:6f9f84f63b8e6dba8d3a0d3c46f3a6a0c1d9b7e1d0d9f7a0a0b0c0d0e0f0a1b2\nsize 3\n"
	g.each(t, func(t *testing.T, by giteaWay) {
		repo := g.repo(t, owner, nil)
		s, d := by.sink(t, owner), target(by.of(repo), "main", "")
		apply(t, s, d, put(".gitattributes", "*.yaml filter=lfs diff=lfs merge=lfs -text\n", "a.yaml", "kind: A\n", "pointer.yaml", pointer))
		require.Equal(t, "kind: A", repo.git(t, "cat-file", "blob", "main:a.yaml"))
		require.Equal(t, fmt.Sprint(len(pointer)), repo.git(t, "cat-file", "-s", "main:pointer.yaml"))
		apply(t, s, d, put("a.yaml", "kind: B\n"))
		require.Equal(t, "kind: B", repo.git(t, "cat-file", "blob", "main:a.yaml"))
	})
}
