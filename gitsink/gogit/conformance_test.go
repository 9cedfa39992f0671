package gogit_test

import (
	"context"
	"os"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

// unpaced makes a sink that pushes as often as it is asked to.
func unpaced(auth gogit.Auth) gitsink.GitSink {
	return gogit.New(&gogit.Options{
		Auth:                func(context.Context, destination.Destination) (gogit.Auth, error) { return auth, nil },
		RateLimit:           func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} },
		AllowedLocalFolders: []string{os.TempDir()},
	})
}

func TestTheSinkKeepsTheContractOverHTTP(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return unpaced(gogit.Auth{}) },
	})
}

func TestTheSinkKeepsTheContractOnFiles(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return unpaced(gogit.Auth{}) },
		Store: func(t testing.TB) gitsinktest.Store {
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
			server = gitservertest.NewSSHServer(t, nil)
			repo := server.NewRepo("app.git")
			store := gitsinktest.RepoStore(t, repo, repo.SSHURL())
			store.Down, store.Up = server.Down, server.Up
			return store
		},
	})
}
