package gogit_test

import (
	"context"
	"os"
	"path"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// unpaced makes a sink that pushes as often as it is asked to.
func unpaced(auth gogit.Auth) gitsink.GitSink {
	return gogit.New(&gogit.Options{
		Auth:                func(context.Context, destination.Destination) (gogit.Auth, error) { return auth, nil },
		RateLimit:           func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} },
		AllowedLocalFolders: []string{os.TempDir()},
	})
}

// The ways over which the contract is checked. The usual run draws one of them for each check.
const (
	overHTTP = iota
	overSSH
	onFiles // without what Down and Up need a server for
	ofSHA256
	ways
)

// drawn skips a check unless this way was drawn for it.
func drawn(t testing.TB, way int) { testsize.OneOf(t, path.Base(t.Name()), way, ways) }

func TestTheSinkKeepsTheContractOverHTTP(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return unpaced(gogit.Auth{}) },
		Store: func(t testing.TB) gitsinktest.Store {
			drawn(t, overHTTP)
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app.git")
			store := gitsinktest.RepoStore(t, repo, repo.URL())
			store.Down, store.Up = server.Down, server.Up
			return store
		},
	})
}

func TestTheSinkKeepsTheContractOnFiles(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return unpaced(gogit.Auth{}) },
		Store: func(t testing.TB) gitsinktest.Store {
			drawn(t, onFiles)
			repo := gitservertest.NewServer(t, nil).NewRepo("app.git")
			return gitsinktest.RepoStore(t, repo, repo.FileURL())
		},
	})
}

func TestTheSinkKeepsTheContractOverSSH(t *testing.T) {
	var server *gitservertest.SSHServer // of the check that is running
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink {
			return unpaced(gogit.Auth{SSHPrivateKey: server.ClientKeyPEM(), KnownHosts: []byte(server.KnownHosts())})
		},
		Store: func(t testing.TB) gitsinktest.Store {
			drawn(t, overSSH)
			server = gitservertest.NewSSHServer(t, nil)
			repo := server.NewRepo("app.git")
			store := gitsinktest.RepoStore(t, repo, repo.SSHURL())
			store.Down, store.Up = server.Down, server.Up
			return store
		},
	})
}

// The names of objects are no part of the contract.
func TestTheSinkKeepsTheContractWithSHA256(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return unpaced(gogit.Auth{}) },
		Store: func(t testing.TB) gitsinktest.Store {
			drawn(t, ofSHA256)
			server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: "sha256"})
			repo := server.NewRepo("app.git")
			store := gitsinktest.RepoStore(t, repo, repo.URL())
			store.Down, store.Up = server.Down, server.Up
			return store
		},
	})
}
