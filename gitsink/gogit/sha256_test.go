package gogit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// sha256Repository makes a bare repository whose objects are named by SHA-256; a filled one has a
// branch.
func sha256Repository(t *testing.T, folder string, filled bool) {
	t.Helper()
	git := func(dir string, args ...string) { require.NoError(t, runGit(t, dir, args...)) }
	git(filepath.Dir(folder), "init", "-q", "--bare", "--object-format=sha256", "-b", "main", folder)
	git(folder, "config", "http.receivepack", "true")
	if filled {
		work := t.TempDir()
		git(work, "init", "-q", "--object-format=sha256", "-b", "main")
		git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "start")
		git(work, "push", "-q", folder, "main")
	}
}

// eachWay runs a test for each way to a repository whose objects are named by SHA-256; the usual
// run draws one of them.
func eachWay(t *testing.T, test func(t *testing.T, repo *gitservertest.Repo, opts *Options, url string)) {
	ways := []string{"http", "ssh", "file", "daemon"}
	for i, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			testsize.OneOf(t, "way", i, len(ways))
			server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
			repo := server.NewRepo("app")
			opts, url := &Options{}, ""
			switch way {
			case "http":
				url = repo.URL()
			case "ssh":
				login := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
				opts.Auth = fixed(Auth{SSHPrivateKey: login.ClientKeyPEM(), KnownHosts: []byte(login.KnownHosts())})
				url = repo.SSHURL()
			case "file":
				url = repo.FileURL()
			case "daemon":
				url = daemon(t, repo)
			}
			test(t, repo, opts, url)
		})
	}
}

func TestARepositoryOfSHA256IsWrittenFromItsFirstCommit(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, repo *gitservertest.Repo, opts *Options, url string) {
		s, d := newSink(t, opts), target(url, "main", "base")
		result := apply(t, s, d, put("a/one", "1", "a/two", "2"))
		require.Len(t, result.Tip, 64)
		require.Equal(t, []string{result.Tip}, result.Commits)
		require.Equal(t, result.Tip, repo.Git("rev-parse", "main"))

		repo.Commit("main", files("base/a/theirs", "3", "else/where", "4"), "outside")
		result = apply(t, s, d, func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			require.ElementsMatch(t, []string{"a/one", "a/theirs", "a/two"}, paths(tree, ""))
			read, err := tree.Read(ctx, "a/theirs")
			require.NoError(t, err)
			require.Equal(t, map[string][]byte{"a/theirs": []byte("3")}, read)
			entry, ok := tree.Entry("a/theirs")
			require.True(t, ok)
			require.Equal(t, repo.Git("rev-parse", "main:base/a/theirs"), entry.Hash)
			return put("a/one", "new", "a/b/deep", "5")(ctx, tree)
		})
		require.Equal(t, result.Tip, repo.Git("rev-parse", "main"))
		require.Empty(t, apply(t, s, d, put("a/one", "new")).Commits, "it is there already")
		require.Equal(t, map[string]string{
			"base/a/one": "new", "base/a/two": "2", "base/a/theirs": "3", "base/a/b/deep": "5", "else/where": "4",
		}, repo.Tree("main"))

		other := newSink(t, opts)
		require.NotEmpty(t, apply(t, other, target(url, "side", ""), put("new", "6")).Commits, "another branch, which nothing is known of")
		repo.Git("fsck", "--strict")
	})
}

// A folder of a thousand files goes as what is different in it, and what is written of it is what
// git reads.
func TestALargeFolderOfSHA256IsSentAsADelta(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
	repo := server.NewRepo("app")
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf("base/file-%04d", i), fmt.Sprint(i))
	}
	repo.Commit("main", files(all...), "start")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, put("file-0500", "new"))
	server.ResetCounts()
	apply(t, s, d, put("file-0501", "new"))
	require.Less(t, server.Count(gitservertest.ReceivePack, gitservertest.RPC).In, int64(2000))
	repo.Git("fsck", "--strict")
	require.Len(t, repo.Tree("main"), 1000)
}

func TestCommitsOfSHA256AreSignedAsGitVerifiesThem(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
	key, public := sshKey(t, newEd25519(t), "")
	signer, err := NewSSHSigner(key, "")
	require.NoError(t, err)
	repo := server.NewRepo("app")
	allowed := filepath.Join(t.TempDir(), "allowed")
	require.NoError(t, os.WriteFile(allowed, []byte("* "+string(ssh.MarshalAuthorizedKey(public))), 0o600))
	for i := range 2 {
		apply(t, newSink(t, signWith(signer)), target(repo.URL(), "main", ""), put("a", fmt.Sprint(i)))
		commit := repo.Git("cat-file", "commit", "main")
		require.Contains(t, commit, "\ngpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n")
		require.NotContains(t, commit, "\ngpgsig ")
		require.NoError(t, verify(t, repo, nil, "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+allowed))
	}
	require.NoError(t, os.WriteFile(allowed, bytes.Replace([]byte("* "+string(ssh.MarshalAuthorizedKey(public))), []byte("AAAA"), []byte("AAAB"), 1), 0o600))
	require.Error(t, verify(t, repo, nil, "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+allowed), "another key")
	repo.Git("fsck", "--strict")
}

// Somebody may make a repository anew, in the other format.
func TestARepositoryThatChangesItsFormatIsFetchedAnew(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	before := gitservertest.NewServer(t, nil)
	after := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
	repo := before.NewRepo("app")
	s, d := newSink(t, nil), target(repo.FileURL(), "main", "base")
	apply(t, s, d, put("a", "1"))
	for _, filled := range []bool{true, false} {
		next := after.NewRepo(fmt.Sprint("app-", filled))
		if filled {
			next.Commit("main", files("base/b", "2"), "start")
		}
		require.NoError(t, os.RemoveAll(repo.Dir()))
		require.NoError(t, os.Rename(next.Dir(), repo.Dir()))
		result := apply(t, s, d, put("c", fmt.Sprint(filled)))
		require.Len(t, result.Tip, 64)
		require.Equal(t, strings.TrimSpace(repo.Git("rev-parse", "main")), result.Tip)
	}
}

// A file that has its content already makes no commit, whatever its name is made by: else a restart
// would write all again, or read each file of a folder that is ours to find out whose it is.
func TestAWriterThatStartsAgainWritesNothingToAnUnchangedRepositoryOfEitherFormat(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for _, format := range []string{"sha1", "sha256"} {
		server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: format})
		repo := server.NewRepo("app")
		d := target(repo.URL(), "main", "base")
		for round, want := range []int{1, 0} {
			var reports []gitsink.Report
			planned := &countingPlans{GitSink: newSink(t, nil)}
			w, err := gitsink.NewWriter(planned, "cluster", &gitsink.WriterOptions{
				OnReport: func(r gitsink.Report) { reports = append(reports, r) },
			})
			require.NoError(t, err)
			require.NoError(t, w.Handle(t.Context(), queue.Batch{Lease: heldLease{}, Events: []event.Event{update(d, "one", "1"), update(d, "two", "2")}}))
			require.Len(t, reports, 1)
			require.Len(t, reports[0].Result.Commits, want, "%s, round %d", format, round)
			require.Equal(t, want, planned.commits, "%s, round %d: the plan's own", format, round)
			require.Zero(t, planned.reads, "%s, round %d: nothing has to be read", format, round)
		}
	}
}

// countingPlans counts the commits that plans make, and the files that they read.
type countingPlans struct {
	gitsink.GitSink
	commits, reads int
}

func (c *countingPlans) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	return c.GitSink.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		commits, err := plan(ctx, countingTree{base, c})
		c.commits += len(commits)
		return commits, err
	})
}

type countingTree struct {
	gitsink.Tree
	of *countingPlans
}

func (t countingTree) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	t.of.reads += len(paths)
	return t.Tree.Read(ctx, paths...)
}
