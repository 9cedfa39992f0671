package object

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// PathError says why a path cannot be written. It matches gitsink.ErrPath.
type PathError struct {
	Path, Reason string
	Err          error // may be nil
}

func (e *PathError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Reason) }

func (e *PathError) Unwrap() []error {
	if e.Err == nil {
		return []error{gitsink.ErrPath}
	}
	return []error{gitsink.ErrPath, e.Err}
}

// CheckPaths returns everything that is wrong with the paths as such, joined.
func CheckPaths(folder string, commits []gitsink.Commit) error {
	var faults []error
	for _, commit := range commits {
		for _, change := range commit.Changes {
			err := destination.ValidatePath(change.Path)
			if err == nil {
				err = destination.ValidatePath(Join(folder, change.Path))
			}
			if err == nil && !change.Remove {
				err = checkAttributes(change)
			}
			if err != nil {
				faults = append(faults, &PathError{Path: change.Path, Reason: err.Error(), Err: err})
			}
		}
	}
	return errors.Join(faults...)
}

// What Git reads of a .gitattributes (gitattributes(5)); git fsck refuses one with more.
const (
	maxAttributes     = 100 << 20
	maxAttributesLine = 2048
)

// checkAttributes looks into the only kind of file whose content git fsck judges and that may be
// written.
func checkAttributes(change gitsink.Change) error {
	if !strings.HasSuffix("/"+change.Path, "/.gitattributes") {
		return nil
	}
	if change.From != "" {
		return errors.New("a .gitattributes is not made of another file unseen")
	}
	if len(change.Data) > maxAttributes {
		return fmt.Errorf("it has %d bytes, more than the %d that Git reads", len(change.Data), maxAttributes)
	}
	for line := range bytes.SplitSeq(change.Data, []byte("\n")) {
		if len(line) >= maxAttributesLine {
			return fmt.Errorf("a line has %d bytes, more than the %d that Git reads", len(line), maxAttributesLine-1)
		}
	}
	return nil
}

// Join returns the path of a file in a folder; "" is the root.
func Join(folder, path string) string {
	if folder == "" {
		return path
	}
	return folder + "/" + path
}

// Components yields the names in a slash path; there are none in "".
func Components(path string) iter.Seq[string] {
	if path == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(path, "/")
}
