package smart

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Whichever way git would go from a path that is allowed, the repository must be in an allowed
// folder.
func TestNoLinkLeadsOutOfAnAllowedFolder(t *testing.T) {
	t.Parallel()
	outside := gitservertest.NewServer(t, nil).NewRepo("app").Dir()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	allowed := filepath.Join(folder, "allowed")
	must := func(err error) { require.NoError(t, err) }
	must(os.MkdirAll(filepath.Join(allowed, "gitfile"), 0o700))
	must(os.MkdirAll(filepath.Join(allowed, "linked"), 0o700))
	must(os.Symlink(outside, filepath.Join(allowed, "link")))
	must(os.Symlink(filepath.Dir(outside), filepath.Join(allowed, "parent")))
	must(os.Symlink(outside, filepath.Join(allowed, "suffix.git")))
	must(os.Symlink(outside, filepath.Join(allowed, "linked", ".git")))
	must(os.WriteFile(filepath.Join(allowed, "gitfile", ".git"), []byte("gitdir: "+outside+"\n"), 0o600))
	must(os.WriteFile(filepath.Join(allowed, "pointer.git"), []byte("gitdir: "+outside+"\n"), 0o600))
	must(os.Symlink(outside, allowed+".git")) // beside the folder
	for _, name := range []string{"link", "parent/app", "suffix", "suffix.git", "linked", "linked/.git", "gitfile", "gitfile/.git", "pointer", ""} {
		path := filepath.Join(allowed, name)
		_, err := localRepository(path, []string{allowed})
		require.ErrorIs(t, err, destination.ErrLocalNotAllowed, path)
		require.ErrorContains(t, err, "a link, or a .git, leads elsewhere")
		require.NotContains(t, err.Error(), outside)
		found, err := localRepository(path, []string{allowed, outside})
		require.NoError(t, err, path)
		require.Equal(t, outside, found)
	}
	for _, name := range []string{"none", "gitfile/x", "link/objects"} {
		_, err := localRepository(filepath.Join(allowed, name), []string{allowed})
		require.ErrorIs(t, err, gitsink.ErrNotFound, name)
	}
	// Outside, the name decides: neither whether something is there is told, nor does a way back in
	// help.
	must(os.Mkdir(filepath.Join(folder, "other"), 0o700))
	must(os.Symlink(outside, filepath.Join(folder, "other", "back")))
	for _, path := range []string{outside + "/none", filepath.Join(folder, "other"), filepath.Join(folder, "none")} {
		_, err := localRepository(path, []string{allowed})
		require.ErrorIs(t, err, destination.ErrLocalNotAllowed, path)
		require.NotContains(t, err.Error(), "a link")
	}
	for _, path := range []string{"/", "", "app", allowed + "/../other/back", allowed + "/./link"} {
		_, err := localRepository(path, []string{allowed})
		// No destination has one: see Validate.
		require.ErrorIs(t, err, destination.ErrInvalid, path)
	}
	_, err = localRepository(filepath.Join(folder, "other", "back"), []string{outside})
	require.ErrorIs(t, err, destination.ErrLocalNotAllowed)
	// A folder that is a link itself allows where it leads.
	link := filepath.Join(folder, "way")
	must(os.Symlink(filepath.Dir(outside), link))
	found, err := localRepository(filepath.Join(link, "app"), []string{link})
	require.NoError(t, err)
	require.Equal(t, outside, found)
}

// What git finds for a path is what is found here.
func TestARepositoryIsFoundWhereGitFindsIt(t *testing.T) {
	t.Parallel()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(folder, name) }
	git := func(args ...string) { require.NoError(t, runGit(t, folder, args...)) }
	git("init", "-q", "--bare", in("bare.git"))
	git("init", "-q", in("work"))
	git("init", "-q", "--separate-git-dir="+in("apart"), in("split"))
	git("init", "-q", "--bare", in("both.git"))
	git("init", "-q", in("both"))
	git("-C", in("work"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
	git("-C", in("work"), "worktree", "add", "-q", in("tree"))
	require.NoError(t, os.Mkdir(in("empty"), 0o700))
	for path, want := range map[string]string{
		"bare": "bare.git", "bare.git": "bare.git", "work": "work/.git", "work/.git": "work/.git", "split": "apart", "both": "both/.git",
		"both.git": "both.git", "tree": "work/.git/worktrees/tree", "empty": "", "none": "", "work/.git/objects": "",
	} {
		found, err := gitFolder(in(path))
		if want == "" {
			require.ErrorIs(t, err, gitsink.ErrNotFound, path)
			require.Error(t, runGit(t, folder, "upload-pack", "--advertise-refs", in(path)), path)
			continue
		}
		require.NoError(t, err, path)
		require.Equal(t, in(want), found)
		require.NoError(t, runGit(t, folder, "upload-pack", "--advertise-refs", in(path)), path)
		require.NoError(t, runGit(t, folder, "upload-pack", "--advertise-refs", found), path)
	}
}

func TestWhatPassesIsNotTakenForTheAbsenceOfARepository(t *testing.T) {
	t.Parallel()
	r := &reader{}
	for _, absent := range []error{nil, os.ErrNotExist, os.ErrPermission, syscall.ENOTDIR, syscall.EACCES} {
		r.note(absent)
		require.NoError(t, r.fault)
	}
	r.note(&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE})
	require.ErrorIs(t, r.fault, syscall.EMFILE)
	require.False(t, errors.Is(r.fault, gitsink.ErrNotFound))
}

func TestOnlyAFileThatSaysSoPointsToAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for content, want := range map[string]string{
		"gitdir: /a/b\n": "/a/b", "gitdir: ../b\r\n": filepath.Join(filepath.Dir(dir), "b"), "gitdir: /a b": "/a b",
		"/etc": "", "ref: refs/heads/main\n": "", "": "",
	} {
		file := filepath.Join(dir, ".git")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		r := &reader{}
		require.Equal(t, want, r.pointedTo(file), "%q", content)
		require.NoError(t, r.fault)
	}
	r := &reader{}
	require.Empty(t, r.pointedTo(filepath.Join(dir, "nothing")))
	require.NoError(t, r.fault, "its absence is an answer")
	require.Empty(t, r.pointedTo(dir))
	require.Error(t, r.fault)
}
