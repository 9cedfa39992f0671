package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// mirrored waits until the branch main has just these files in the folder f.
func (p *limited) mirrored(repo *gitservertest.Repo, want map[string]string) {
	p.t.Helper()
	p.eventually(func() bool { return cmp.Equal(folder(repo, "main", "f"), want) }, func() string {
		return cmp.Diff(want, folder(repo, "main", "f"))
	})
}

func TestNothingIsWrittenToTheDiskOfTheMirror(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	c := memoryCluster(t)
	ns := c.namespace()
	git := gitservertest.NewServer(t, nil)
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: git})
	byHTTP, bySSH := git.NewRepo("http.git"), git.NewRepo("ssh.git")
	c.configMap(ns, "a", "one")
	p := startLimited(t, limits{readOnly: true}, c.kubeconfig, manyRepositories(ns, []string{byHTTP.URL(), bySSH.SSHURL()},
		ssh.ClientKeyPEM(), []byte(ssh.KnownHosts())))
	p.mirrored(byHTTP, configMapFiles(ns, "a", "one"))
	p.mirrored(bySSH, configMapFiles(ns, "a", "one"))
	c.configMap(ns, "b", "one")
	p.mirrored(byHTTP, configMapFiles(ns, "a", "one", "b", "one"))
	p.mirrored(bySSH, configMapFiles(ns, "a", "one", "b", "one"))
	p.stop()
	require.NotContains(t, p.said.String(), "failed")
}

// A disk is where a server keeps the objects of a repository.
type disk struct {
	t  *testing.T
	at string
}

// smallDisk gives a repository a disk of its own. Only root can.
func smallDisk(t *testing.T, repo *gitservertest.Repo) disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system; TestARemoteThatMayWriteNoMoreIsSaidAndARestartMendsIt does without")
	}
	d := disk{t, filepath.Join(repo.Dir(), "objects")}
	d.mount("-t", "tmpfs", "-o", "size=200k", "kubescribe-e2e", d.at)
	t.Cleanup(func() { d.run("umount", "--lazy", d.at) })
	for _, dir := range []string{"info", "pack"} {
		require.NoError(t, os.Mkdir(filepath.Join(d.at, dir), 0o755))
	}
	return d
}

func (d disk) mount(args ...string) {
	d.t.Helper()
	d.run("mount", args...)
}

func (d disk) run(program string, args ...string) {
	d.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	require.NoError(d.t, err, "%s", out)
}

// fill leaves no room at all.
func (d disk) fill() {
	d.t.Helper()
	require.ErrorContains(d.t, os.WriteFile(filepath.Join(d.at, "filler"), bytes.Repeat([]byte("x"), 1<<20), 0o600), "no space left")
}

// unwell is what a disk can be so that nothing can be pushed, until it is mended.
var unwell = map[string]struct {
	spoil, mend func(disk)
	said        string
}{
	"full": {
		disk.fill,
		func(d disk) { d.mount("-o", "remount,size=64m", d.at) },
		"No space left on device",
	},
	"read-only": {
		func(d disk) { d.mount("-o", "remount,ro", d.at) },
		func(d disk) { d.mount("-o", "remount,rw", d.at) },
		"unable to create temporary object directory",
	},
}

func TestADiskThatIsUnwellAtTheServerIsSaidAndMadeGood(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for name, state := range unwell {
		for _, protocol := range []string{"http", "file"} {
			t.Run(name+" by "+protocol, func(t *testing.T) {
				t.Parallel()
				c := memoryCluster(t)
				ns := c.namespace()
				repo := gitservertest.NewServer(t, nil).NewRepo("disk.git")
				d := smallDisk(t, repo)
				url := map[string]string{"http": repo.URL(), "file": repo.FileURL()}[protocol]
				c.configMap(ns, "a", "one")
				p := startLimited(t, limits{}, c.kubeconfig, replace(oneDestination, "NS", ns, "REPO", url, "DEST", "dest", "FOLDER", "f"))
				p.mirrored(repo, configMapFiles(ns, "a", "one"))

				state.spoil(d)
				c.configMap(ns, "a", "two")
				p.says(state.said)
				c.configMap(ns, "b", "one")
				require.Equal(t, configMapFiles(ns, "a", "one"), folder(repo, "main", "f"))
				state.mend(d)
				p.mirrored(repo, configMapFiles(ns, "a", "two", "b", "one"))
				p.stop()
				require.Contains(t, p.said.String(), "the server cannot be reached", "it passes by itself")
				repo.Fsck()
				require.LessOrEqual(t, commits(repo, "main"), 3)
			})
		}
	}
}

// The process on this machine that serves a file URL has the limits of the mirror. Git says nothing
// of why it ends then, so that this could as well be a refusal: it is tried again, but not soon.
func TestARemoteThatMayWriteNoMoreIsSaidAndARestartMendsIt(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	c := memoryCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("limited.git")
	manifests := replace(oneDestination, "NS", ns, "REPO", repo.FileURL(), "DEST", "dest", "FOLDER", "f")
	c.configMap(ns, "a", "one")
	p := startLimited(t, limits{}, c.kubeconfig, manifests)
	p.mirrored(repo, configMapFiles(ns, "a", "one"))
	p.fileSize("0")
	c.configMap(ns, "a", "two")
	p.says("unpack-objects abnormal exit")
	require.Equal(t, configMapFiles(ns, "a", "one"), folder(repo, "main", "f"))
	p.signal(syscall.SIGTERM)
	<-p.ended
	require.Error(t, p.err, "what is left is told by the exit code")
	require.Contains(t, p.said.String(), "1 events of 1 destinations left")
	p = startLimited(t, limits{}, c.kubeconfig, manifests)
	p.mirrored(repo, configMapFiles(ns, "a", "two"))
	p.stop()
	repo.Fsck()
}

// fileSize sets the bound on what files of the process may grow to, and of those that it starts.
func (p *limited) fileSize(limit string) {
	p.t.Helper()
	out, err := exec.Command("prlimit", "--pid", strconv.Itoa(p.cmd.Process.Pid), fmt.Sprintf("--fsize=%s:", limit)).CombinedOutput()
	require.NoError(p.t, err, "%s", out)
}
