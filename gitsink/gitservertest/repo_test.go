package gitservertest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

const someCommit = "0123456789abcdef0123456789abcdef01234567"

func TestAnOutsideCommitHoldsExactlyItsFiles(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	first := repo.Commit("dev", map[string]gitservertest.File{
		"dir/a.yaml":     {Content: "a\n"},
		"dir/sub/b.yaml": {Content: "no newline"},
		"run.sh":         {Mode: gitservertest.ModeExecutable, Content: "#!/bin/sh\n"},
		"link":           {Mode: gitservertest.ModeSymlink, Content: "dir/a.yaml"},
		"module":         {Mode: gitservertest.ModeSubmodule, Content: someCommit},
		"odd \"\\ ü\n":   {Content: ""},
		"v1..2":          {Content: "1"},
	}, "first\n\nbody\n")
	require.Empty(t, cmp.Diff(map[string]string{
		"dir/a.yaml": "a\n", "dir/sub/b.yaml": "no newline", "run.sh": "#!/bin/sh\n", "link": "dir/a.yaml",
		"module": someCommit, "odd \"\\ ü\n": "", "v1..2": "1",
	}, repo.Tree("dev")))
	list := repo.List("dev")
	require.Equal(t, gitservertest.Entry{Mode: gitservertest.ModeSubmodule, Hash: someCommit}, list["module"])
	require.Equal(t, gitservertest.ModeExecutable, list["run.sh"].Mode)
	require.Equal(t, gitservertest.ModeSymlink, list["link"].Mode)

	second := repo.Commit("dev", map[string]gitservertest.File{
		"dir": {Remove: true}, "module": {Remove: true}, "link": {Remove: true}, "odd \"\\ ü\n": {Remove: true},
		"run.sh/now/a/folder": {Content: "x"},
	}, "second")
	require.Equal(t, map[string]string{"run.sh/now/a/folder": "x", "v1..2": "1"}, repo.Tree("dev"))
	repo.Fsck()
	repo.Linear("dev", first)
	require.Equal(t, []string{"dev"}, repo.Branches())

	want := []gitservertest.CommitInfo{
		{Hash: second, Parents: []string{first}, Subject: "second"},
		{Hash: first, Parents: nil, Subject: "first", Body: "body"},
	}
	for i := range want {
		want[i].Author, want[i].AuthorEmail = "Outsider", "outsider@example.com"
		want[i].Committer, want[i].CommitterEmail = "Outsider", "outsider@example.com"
	}
	log := repo.Log("dev")
	require.Empty(t, cmp.Diff(want, log, cmpopts.IgnoreFields(gitservertest.CommitInfo{}, "Time"), cmpopts.EquateEmpty()))
	require.WithinDuration(t, time.Now(), log[0].Time, time.Minute)
}

func TestConcurrentOutsideCommitsAllLand(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	var commits sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		commits.Go(func() { repo.Commit("main", map[string]gitservertest.File{name: {Content: name}}, name) })
	}
	commits.Wait()
	require.Len(t, repo.Tree("main"), 6)
	require.Len(t, repo.Log("main"), 6)
	repo.Linear("main", "")
}

func TestTipTellsABranchFromItsNamesakes(t *testing.T) {
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	require.Empty(t, repo.Branches())
	repo.Commit("origin/x", nil, "empty")
	repo.Commit("y/x", nil, "empty")
	for _, missing := range []string{"x", "origin", "y"} {
		_, ok := repo.Tip(missing)
		require.False(t, ok, missing)
	}
	require.Equal(t, []string{"origin/x", "y/x"}, repo.Branches())
	require.Empty(t, repo.Tree("y/x"))
}

func TestTheJudgeEndsTheTest(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	r := &recorder{TB: t}
	server := gitservertest.NewServer(r, nil)
	repo := server.NewRepo("app")
	r.requireVerdict(t, "", func() { repo.Fsck() })
	first := repo.Commit("main", map[string]gitservertest.File{"a": {Content: "1"}}, "first")
	other := repo.Commit("other", map[string]gitservertest.File{"b": {Content: "1"}}, "other")
	r.requireVerdict(t, "", func() { repo.Fsck(); repo.Linear("main", first) })

	r.requireVerdict(t, "does not hold "+other, func() { repo.Linear("main", other) })
	merge := repo.Git("commit-tree", "-m", "merge", "-p", first, "-p", other, first+"^{tree}")
	repo.Git("update-ref", "refs/heads/merged", merge)
	r.requireVerdict(t, "has merges", func() { repo.Linear("merged", first) })
	for name, f := range map[string]func(){
		"ls-tree":                          func() { repo.Tree("missing") },
		"log":                              func() { repo.Log("missing") },
		"nonsense":                         func() { repo.Git("nonsense") },
		"want a clean relative":            func() { server.NewRepo("../app") },
		"there is a repository":            func() { server.NewRepo("app") },
		"has no SSHServer":                 func() { repo.SSHURL() },
		"branch main/sub: git fast-import": func() { repo.Commit("main/sub", nil, "a branch below a branch") },
	} {
		r.requireVerdict(t, name, f)
	}
}

func TestFsckComplainsAboutDamage(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	r := &recorder{TB: t}
	for name, damage := range map[string]func(repo *gitservertest.Repo){
		"warning": func(repo *gitservertest.Repo) { // git fsck says so and exits with 0
			list := filepath.Join(t.TempDir(), "list")
			require.NoError(t, os.WriteFile(list, []byte("100664 blob "+repo.List("main")["a"].Hash+"\ta\n"), 0o600))
			tree := repo.Git("-c", "alias.mk=!git mktree <"+list, "mk")
			repo.Git("update-ref", "refs/heads/main", repo.Git("commit-tree", "-m", "mode", tree))
		},
		"empty reference": func(repo *gitservertest.Repo) {
			require.NoError(t, os.WriteFile(filepath.Join(repo.Dir(), "refs", "heads", "main"), nil, 0o600))
		},
		"missing blob": func(repo *gitservertest.Repo) {
			hash := repo.List("main")["a"].Hash
			require.NoError(t, os.Remove(filepath.Join(repo.Dir(), "objects", hash[:2], hash[2:])))
		},
	} {
		repo := gitservertest.NewServer(r, nil).NewRepo(strings.ReplaceAll(name, " ", "-"))
		repo.Commit("main", map[string]gitservertest.File{"a": {Content: "1"}}, "first")
		damage(repo)
		r.requireVerdict(t, "fsck --strict", repo.Fsck)
	}
}

// NewRepo makes repositories without git: they must be what git would make.
func TestARepositoryIsMadeAsGitWouldMakeIt(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: format})
		made := server.NewRepo("made.git")
		git := filepath.Join(t.TempDir(), "git.git")
		made.Git("-C", filepath.Dir(git), "init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--object-format="+format, git)
		require.Equal(t, entries(t, git), entries(t, made.Dir()))
		head, err := os.ReadFile(filepath.Join(git, "HEAD"))
		require.NoError(t, err)
		own, err := os.ReadFile(filepath.Join(made.Dir(), "HEAD"))
		require.NoError(t, err)
		require.Equal(t, string(head), string(own))
		settings := made.Git("config", "--list", "--local")
		for line := range strings.Lines(made.Git("config", "--list", "--file", filepath.Join(git, "config"))) {
			require.Contains(t, settings, strings.TrimSpace(line))
		}
	}
}

// entries are the files and folders below a folder.
func entries(t *testing.T, folder string) (paths []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(folder), ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}
