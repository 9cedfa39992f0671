package object

import (
	"fmt"
	"strings"
)

// CheckNames returns a *pathError for the first entry of a folder whose name no path can have, or
// that stands there twice. git fsck refuses such trees, but a server need not run it. In the base
// folder they are an error, since nobody can tell what a path means there; elsewhere they are
// carried through.
func CheckNames(f Format, tree, prefix string) error {
	fault := func(name, reason string) error { return &PathError{Path: cut(prefix + name), Reason: reason} }
	var last Entry
	var files []string // whose names the next one may begin with, the shortest first
	for e, err := range Entries(f, tree) {
		if err != nil {
			return fmt.Errorf("the folder %s: %w", Quoted(prefix), err)
		}
		switch {
		case e.Name == "":
			return fault(e.Name, "an entry has no name")
		case e.Name == ".", e.Name == "..", strings.EqualFold(e.Name, ".git"), strings.Contains(e.Name, "/"):
			return fault(e.Name, fmt.Sprintf("the name %s of an entry is not allowed in Git", Quoted(e.Name)))
		}
		for len(files) > 0 && !strings.HasPrefix(e.Name, files[len(files)-1]) {
			files = files[:len(files)-1]
		}
		switch order := compareEntries(last, e); {
		case order > 0:
			return fault(e.Name, "the entries of the folder are not in Git's order")
		case order == 0, len(files) > 0 && files[len(files)-1] == e.Name:
			return fault(e.Name, fmt.Sprintf("two entries have the name %s", Quoted(e.Name)))
		}
		if last = e; !e.IsTree() {
			files = append(files, e.Name)
		}
	}
	return nil
}
