package destination

import "strings"

// validateBranch accepts name if `git check-ref-format refs/heads/NAME` does and
// name is neither HEAD nor begins with "-", the two names that `git branch`
// refuses besides, since they read as something else on a command line.
// The numbers are those of the rules in git-check-ref-format(1).
func validateBranch(name string) error {
	switch {
	case name == "":
		return invalid("the branch is empty: name one, like main")
	case name == "HEAD":
		return invalid("HEAD is not a branch: name the branch itself")
	case strings.HasPrefix(name, "-"):
		return invalid(`a branch must not begin with "-"`)
	case strings.Contains(name, ".."): // 3
		return invalid(`a branch must not contain ".."`)
	case strings.ContainsFunc(name, notInBranch): // 4, 5, 10
		return invalid(`a branch must not contain spaces, control characters or any of ~ ^ : ? * [ \`)
	case strings.HasSuffix(name, "."): // 7
		return invalid(`a branch must not end with "."`)
	case strings.Contains(name, "@{"): // 8
		return invalid(`a branch must not contain "@{"`)
	}
	for component := range strings.SplitSeq(name, "/") {
		switch {
		case component == "": // 6
			return invalid(`a branch must not begin or end with "/" or contain "//"`)
		case strings.HasPrefix(component, "."): // 1
			return invalid(`no component of a branch may begin with "."`)
		case strings.HasSuffix(component, ".lock"): // 1
			return invalid(`no component of a branch may end with ".lock"`)
		}
	}
	return nil
}

func notInBranch(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
}
