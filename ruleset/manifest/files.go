package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The bounds of a folder of manifests. Load has no context, so nothing that it reads may be without
// an end.
const (
	maxFile  = 1 << 20 // bytes of a file, as much as etcd takes of one object
	maxFiles = 10_000
)

// list returns the paths of the manifests in byte order.
func list(fsys fs.FS) ([]string, error) {
	var files []string
	seen := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(entry.Name(), ".")
		seen++
		switch {
		case err != nil:
			return err
		case seen > maxFiles:
			return fmt.Errorf("the folder has more than %d files and folders", maxFiles)
		case hidden && entry.IsDir():
			return fs.SkipDir
		case !hidden && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)):
			files = append(files, name)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// readFile reads a regular file, also by a symbolic link, as those that Kubernetes mounts are. It
// does not open anything else: a named pipe would be waited for without an end, and a device has
// none.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is not a regular file but %s; move it out of the folder", kindOfFile(info.Mode()))
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, errors.New("is larger than 1 MiB, which no manifest may be; split it")
	}
	return content, nil
}

func kindOfFile(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	default:
		return "something else"
	}
}
