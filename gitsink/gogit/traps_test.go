package gogit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// front is a way to a server on which the next push can be refused, after something has been
// done, in words of one's own.
type front struct {
	pass    *httputil.ReverseProxy
	mu      sync.Mutex // guards what follows
	refusal func() (words string)
}

func newFront(t *testing.T, server *gitservertest.Server) (f *front, address string) {
	t.Helper()
	behind, err := url.Parse(server.URL())
	require.NoError(t, err)
	f = &front{pass: httputil.NewSingleHostReverseProxy(behind)}
	listening := httptest.NewServer(f)
	t.Cleanup(listening.Close)
	return f, listening.URL
}

func (f *front) refuseNext(refusal func() (words string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusal = refusal
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	refusal := f.refusal
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
		f.refusal = nil
	} else {
		refusal = nil
	}
	f.mu.Unlock()
	if refusal == nil {
		f.pass.ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	words := refusal()
	w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
	_, _ = io.WriteString(w, pktLine("\x01"+pktLine("unpack ok\n")+pktLine("ng refs/heads/main "+words+"\n")+"0000")+"0000")
}

// pktLine is one (gitprotocol-common(5)).
func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

func TestALostRaceIsKnownByTheBranchWhateverTheServerSays(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	first := repo.Commit("main", files("start", "1"), "outside")
	front, address := newFront(t, server)
	s, d := newSink(t, nil), target(address+"/app", "main", "")
	for i, words := range []string{
		"fetch first", "non-fast-forward", "stale info", "incorrect old value provided", "failed to update ref", "object not found", "reference already exists",
		"cannot lock ref 'refs/heads/main': is at 1 but expected 2", "TF401028: The reference 'refs/heads/main' has already been updated by another client",
		"protected branch hook declined", "pre-receive hook declined", "remote rejected", "",
	} {
		front.refuseNext(func() string {
			repo.Commit("main", files(fmt.Sprint("outside", i), "1"), "outside")
			return words
		})
		require.Equal(t, 2, apply(t, s, d, counting(fmt.Sprint("mine", i))).Attempts, words)
		require.Equal(t, fmt.Sprint(2*i+2), repo.Tree("main")[fmt.Sprint("mine", i)], words)
	}
	repo.Linear("main", first)
	require.Len(t, repo.Log("main"), 27)
}

func TestABranchIsFoundByItsWholeName(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("main", files("from", "main"), "outside")
		repo.Commit("x", files("from", "x"), "outside")
		repo.Commit("heads/x", files("from", "heads/x"), "outside")
		s := newSink(t, nil)
		for _, branch := range []string{"origin/x", "heads/x", "refs/heads/x", "v1.2", "x"} {
			apply(t, s, target(url, branch, "base"), put("v1..2", branch, "a..b/c", branch))
		}
		for branch, from := range map[string]string{"origin/x": "main", "heads/x": "heads/x", "refs/heads/x": "main", "v1.2": "main", "x": "x", "main": "main"} {
			want := map[string]string{"from": from, "base/v1..2": branch, "base/a..b/c": branch}
			if branch == "main" {
				want = map[string]string{"from": "main"}
			}
			require.Equal(t, want, repo.Tree(branch), branch)
		}
	})
}

// Forges keep the objects of forks in one place. receive-pack names what is there beside the
// references, which are none.
func TestAnEmptyForkThatBorrowsObjectsIsWrittenFromItsBeginning(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	pool, fork := server.NewRepo("pool"), server.NewRepo("fork")
	pool.Commit("main", files("a", "1"), "of another")
	lent := []byte(filepath.Join(pool.Dir(), "objects") + "\n")
	require.NoError(t, os.WriteFile(filepath.Join(fork.Dir(), "objects", "info", "alternates"), lent, 0o600))
	for _, url := range []string{fork.URL(), fork.FileURL()} {
		apply(t, newSink(t, &Options{AllowedLocalFolders: []string{filepath.Dir(fork.Dir())}}), target(url, "main", ""), put("b", "2"))
		require.Equal(t, map[string]string{"b": "2"}, fork.Tree("main"))
		require.Len(t, fork.Log("main"), 1)
		fork.Git("update-ref", "-d", "refs/heads/main")
	}
}

func TestARepositoryThatIsWipedAndMadeAnewIsWrittenFromItsBeginning(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		fresh := filepath.Join(t.TempDir(), "fresh")
		require.NoError(t, os.CopyFS(fresh, os.DirFS(repo.Dir())))
		repo.Commit("main", files("old", "1"), "outside")
		s, d := newSink(t, nil), target(url, "main", "base")
		apply(t, s, d, counting("a"))

		require.NoError(t, os.RemoveAll(repo.Dir()))
		_ = refuse(t, s, d, counting("b"), gitsink.ErrNotFound)
		require.NoError(t, os.CopyFS(repo.Dir(), os.DirFS(fresh)))
		result := apply(t, s, d, counting("c"))
		require.True(t, result.Foreign)
		require.Equal(t, map[string]string{"base/c": "0"}, repo.Tree("main"))
		require.Empty(t, repo.Log("main")[0].Parents)
	})
}

// A shallow fetch of several references can make one look as if it had diverged, so each request
// is about one branch.
func TestEachRequestIsAboutOneBranch(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	first := map[string]string{}
	for _, branch := range []string{"main", "dev", "prod"} {
		first[branch] = repo.Commit(branch, files("from", branch), "outside")
	}
	server.OnRequest(func(r gitservertest.Request) {
		body, err := r.Body()
		if err != nil || r.Service == gitservertest.UploadPack && strings.Count(string(body), "want ") > 1 {
			t.Errorf("a request for more than one branch: %s", body)
		}
	})
	s := newSink(t, nil)
	for round := range 3 {
		for branch := range first {
			repo.Commit(branch, files("outside", fmt.Sprint(round)), "outside")
			require.Equal(t, 1, apply(t, s, target(repo.URL(), branch, ""), put("mine", fmt.Sprint(round))).Attempts)
		}
	}
	for branch, commit := range first {
		repo.Linear(branch, commit)
		require.Len(t, repo.Log(branch), 7)
	}
}

// A hook that refuses one branch declines its neighbours in the same request.
func TestAHookThatRefusesABranchDeclinesNoOther(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.OnPreReceive(func(updates []gitservertest.RefUpdate) error {
			if len(updates) != 1 {
				t.Errorf("%d branches in one request", len(updates))
			}
			for _, u := range updates {
				if u.Ref == "refs/heads/main" {
					return errors.New("not main")
				}
			}
			return nil
		})
		s := newSink(t, nil)
		var running sync.WaitGroup
		for _, branch := range []string{"main", "dev", "main", "prod", "main"} {
			running.Go(func() {
				_, err := s.Apply(t.Context(), target(url, branch, ""), put("a", "1"))
				if (branch == "main") != errors.Is(err, gitsink.ErrRejected) || branch != "main" && err != nil {
					t.Errorf("%s: %v", branch, err)
				}
			})
		}
		running.Wait()
		require.Equal(t, []string{"dev", "prod"}, repo.Branches())
	})
}

// Two spellings of one repository are one lane: they take turns, so that neither loses a race
// against the other.
func TestTwoSpellingsOfARepositoryNeverRace(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app.git")
	server.NewRepo("app") // where the other spelling leads on this server
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(repo.Dir()), "app")))
	require.NoError(t, os.Symlink("app.git", filepath.Join(filepath.Dir(repo.Dir()), "app")))
	s := newSink(t, nil)
	var running sync.WaitGroup
	for i := range 12 {
		running.Go(func() {
			spelling := []string{repo.URL(), strings.TrimSuffix(repo.URL(), ".git")}[i%2]
			result, err := s.Apply(t.Context(), target(spelling, "main", fmt.Sprint("folder", i)), put("a", "1"))
			if err != nil || result.Attempts != 1 {
				t.Errorf("%d attempts, %v", result.Attempts, err)
			}
		})
	}
	running.Wait()
	require.Len(t, repo.Tree("main"), 12)
	repo.Linear("main", "")
}

// A token may be worth one connection only.
func TestEachConnectionAsksForItsCredentials(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{Token: "none yet"}})
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/a", "1"), "outside")
	asked := 0
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
		asked++ // the connections of one lane are made one after the other
		token := fmt.Sprintf("installation-token-%d", asked)
		server.SetCredentials(gitservertest.Credentials{Token: token})
		return Auth{BearerToken: token}, nil
	}})
	// Its advertisements: for the push, for the fetch, and for the content that the plan reads.
	apply(t, s, target(repo.URL(), "main", ""), func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		read, err := tree.Read(ctx, "base/a")
		// The push's own is good for as long as it goes on.
		server.SetCredentials(gitservertest.Credentials{Token: "installation-token-1"})
		return []gitsink.Commit{{Changes: writes("b", string(read["base/a"]))}}, err
	})
	require.Equal(t, 3, asked)
	require.Equal(t, "1", repo.Tree("main")["b"])
}

func TestAKeyWithAPassphraseOpensAnSSHServer(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	encrypted, public := sshKey(t, private, "open sesame")
	server := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{AuthorizedKeys: []ssh.PublicKey{public}})
	repo := server.NewRepo("app")
	auth := Auth{SSHPrivateKey: encrypted, SSHPassphrase: "open sesame", KnownHosts: []byte(server.KnownHosts())}
	apply(t, newSink(t, &Options{Auth: fixed(auth)}), target(repo.SSHURL(), "main", ""), put("a", "1"))
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
	auth.SSHPassphrase = "guess"
	e := refuse(t, newSink(t, &Options{Auth: fixed(auth)}), target(repo.SSHURL(), "main", ""), put("a", "2"), gitsink.ErrAuth)
	require.NotContains(t, e.Error(), "guess")
}

// slowSigner is a key store that does not answer.
type slowSigner struct{}

func (slowSigner) Sign(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestASignerThatHangsHoldsUpNobodyForLong(t *testing.T) {
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	opts := signWith(slowSigner{})
	opts.StepTimeout = 2 * time.Second
	s := newSink(t, opts)
	began := time.Now()
	_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), put("a", "1"))
	require.Less(t, time.Since(began), time.Minute)
	require.ErrorContains(t, err, "no answer of Signer.Sign within 2s")
	require.NotErrorIs(t, err, queue.ErrPermanent)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "it is not the caller's")
	require.Empty(t, repo.Branches())
}
