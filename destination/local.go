package destination

import (
	"errors"
	"fmt"
	"strings"
)

// Policy is what whoever runs the process allows all repositories. The zero Policy
// allows what needs no permission. It may be used concurrently.
type Policy struct {
	// AllowedLocalFolders are the folders of this machine in which repositories may
	// be, as absolute paths or file URLs: Git's programs and a repository's hooks run
	// there as the user of the process, whoever named the repository. A folder
	// allows what is in it, at any depth, and itself; "/srv/git" is not "/srv/git2".
	// Default: repositories are on servers.
	AllowedLocalFolders []string
}

// Validate returns nil, or an error that names every entry of p which is no folder.
// Such an entry allows nothing.
func (p Policy) Validate() error {
	var faults []error
	for _, folder := range p.AllowedLocalFolders {
		if _, err := localPath(folder); err != nil {
			faults = append(faults, fmt.Errorf("destination: AllowedLocalFolders: %q: %w", redactURL(folder), err))
		}
	}
	return errors.Join(faults...)
}

// Permit returns an error that matches ErrLocalNotAllowed if the URL of a repository
// is a path of this machine and in no folder that p allows, and one that matches
// ErrInvalid if it is no valid URL. It compares names and looks at no disk: whoever
// opens a repository asks again where links have led.
func (p Policy) Permit(repository string) error {
	path, err := localPath(repository)
	if errors.Is(err, errElsewhere) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range p.AllowedLocalFolders {
		allowed, err := localPath(folder)
		if err == nil && (path == allowed || strings.HasPrefix(path, allowed+"/")) {
			return nil
		}
	}
	return fmt.Errorf("%w: use https:// or ssh://, or ask whoever runs this program to allow its folder (AllowedLocalFolders)",
		ErrLocalNotAllowed)
}

var errElsewhere = invalid("it is no absolute path and no file URL")

// localPath is the path that a file URL, or a path, leads to, in one spelling.
func localPath(raw string) (string, error) {
	u, err := parseRepository(raw)
	if err == nil {
		err = canonicalPath(u)
	}
	if err == nil && u.Scheme != "file" {
		err = errElsewhere
	}
	if err != nil {
		return "", err
	}
	return u.Path, nil
}
