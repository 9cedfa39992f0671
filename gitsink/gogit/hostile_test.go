package gogit_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// inChild runs the test in a process of its own: what it takes in memory is its own there, and a
// crash is a failure of this test alone. It returns true in that process.
func inChild(t *testing.T) bool {
	t.Helper()
	const child = "KUBESCRIBE_TEST_CHILD"
	if os.Getenv(child) == t.Name() {
		return true
	}
	testsize.Sampled(t) // here alone: the child would draw once more
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=20m")
	if testing.Verbose() {
		cmd.Args = append(cmd.Args, "-test.v")
	}
	cmd.Env = append(os.Environ(), child+"="+t.Name())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out[max(len(out)-16<<10, 0):])
	t.Logf("%s", out)
	return false
}

func TestHostileRepositoriesAreSurvived(t *testing.T) {
	t.Parallel() // what is measured is in the child
	if inChild(t) {
		gitsinktest.TestHostile(t, func(testing.TB) gitsink.GitSink {
			return gogit.New(&gogit.Options{RateLimit: func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} }})
		}, testsize.Some(t, gitsinktest.HostileRepositories(), 6))
	}
}

// What the servers hear and say is the process's, too.
func TestHostileServersAreSurvived(t *testing.T) {
	t.Parallel() // what is measured is in the child
	if inChild(t) {
		login := gitsinktest.HostileLogin()
		auth := gogit.Auth{
			Username: login.Username, Password: login.Password, SSHPrivateKey: login.SSHPrivateKey, KnownHosts: login.KnownHosts,
		}
		gitsinktest.TestHostile(t, func(testing.TB) gitsink.GitSink {
			return gogit.New(&gogit.Options{
				Auth:      func(context.Context, destination.Destination) (gogit.Auth, error) { return auth, nil },
				RateLimit: func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} },
			})
		}, testsize.Some(t, gitsinktest.HostileServers(), 16))
	}
}
