package smart

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// localRepository is the folder that git is to serve for a path of this machine. It must be in an
// allowed folder by its name, and also where links, and git itself, lead from there: see
// gitFolder. What is named in a repository, such as the objects of others, is for whoever may
// write to the disk.
func localRepository(path string, allowed []string) (string, error) {
	if err := (destination.Policy{AllowedLocalFolders: allowed}).Permit(fileURL(path)); err != nil {
		return "", err
	}
	found, err := gitFolder(path)
	if err != nil {
		return "", err
	}
	if err := (destination.Policy{AllowedLocalFolders: realFolders(allowed)}).Permit(fileURL(found)); err != nil {
		return "", fmt.Errorf("%w: a link, or a .git, leads elsewhere", err)
	}
	return found, nil
}

// gitFolder finds the repository that git opens for a path (enter_repo in its path.c), links
// followed: git takes x/.git or x.git for x, and x/.git may be a file that names another folder.
func gitFolder(path string) (string, error) {
	disk := &reader{}
	for _, candidate := range []string{path + "/.git", path, path + ".git/.git", path + ".git"} {
		if disk.isFile(candidate) {
			candidate = disk.pointedTo(candidate)
		}
		if candidate == "" { // or the folder of this process would be looked at
			continue
		}
		if found, err := filepath.EvalSymlinks(candidate); err == nil && disk.isGitFolder(found) {
			return found, nil
		}
	}
	if disk.fault != nil {
		return "", disk.fault
	}
	return "", fmt.Errorf("%w: no Git repository is there that this process can read", gitsink.ErrNotFound)
}

// reader looks at a disk, and notes why it could not: what passes, as a lack of descriptors does,
// must not be taken for the absence of a file.
type reader struct{ fault error }

// isGitFolder reports whether git takes a folder for a repository. Where that is not sure the
// answer is no: git would go on to look beside it.
func (r *reader) isGitFolder(path string) bool {
	if r.isFile(path + "/commondir") { // of a linked worktree
		return r.isFile(path + "/HEAD")
	}
	return r.isFile(path+"/HEAD") && r.mode(path+"/objects").IsDir() && r.mode(path+"/refs").IsDir()
}

func (r *reader) isFile(path string) bool { return r.mode(path).IsRegular() }

// mode is ModeIrregular where nothing is.
func (r *reader) mode(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		r.note(err)
		return fs.ModeIrregular
	}
	return info.Mode()
}

// pointedTo is the folder that a .git file names (gitrepository-layout(5)); "" if it names none.
func (r *reader) pointedTo(file string) string {
	f, err := os.Open(file)
	if err != nil {
		r.note(err)
		return ""
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, 8<<10)) // twice the longest path
	r.note(err)
	to, ok := strings.CutPrefix(strings.TrimRight(string(content), "\r\n"), "gitdir: ")
	switch {
	case !ok:
		return ""
	case !filepath.IsAbs(to):
		return filepath.Join(filepath.Dir(file), to)
	}
	return to
}

func (r *reader) note(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR) {
		r.fault = err
	}
}

// realFolders are the folders without links on the way to them, as there is one to /tmp on macOS.
func realFolders(folders []string) []string {
	var found []string
	for _, folder := range folders {
		ep, err := transport.NewEndpoint(folder)
		if err != nil || (destination.Policy{AllowedLocalFolders: []string{folder}}).Validate() != nil {
			continue
		}
		if path, err := filepath.EvalSymlinks(ep.Path); err == nil {
			found = append(found, fileURL(path))
		}
	}
	return found
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
