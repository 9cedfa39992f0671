package destination

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxComponent = 255  // NAME_MAX of the file systems that clones live on, in bytes
	maxPath      = 4096 // PATH_MAX of Linux, in bytes
)

// ValidatePath returns nil if a file may have this path in a Git tree: one or
// more components joined by "/". A path of only such components, on its own or
// below a valid BaseFolder, makes trees that `git fsck --strict` accepts and
// that check out without touching a repository's own .git on any file system.
//
// It refuses components that are empty, "." or ".." or could be read so; that
// hold a backslash, a control character or invalid UTF-8; that are longer than
// 255 bytes, the whole being limited to 4,096; that are .git in any disguise of
// case, NTFS (git~1, trailing dots and spaces, streams) or HFS+ (ignored code
// points); .gitmodules in any disguise, since fsck judges its content, and a
// clone fetches what it names; .gitattributes in a disguise; and folders that
// Git wants to be files (the two). Names that only Windows cannot hold are
// accepted.
//
// The error matches ErrInvalid and names the component.
func ValidatePath(path string) error {
	slash := strings.LastIndexByte(path, '/')
	switch {
	case slash == 0:
		return errAbsolute
	case len(path) > maxPath:
		return invalid("the path has %d bytes, more than %d", len(path), maxPath)
	}
	if err := validateFolder(path[:max(slash, 0)]); err != nil {
		return err
	}
	last := path[slash+1:]
	if err := validateComponent(last); err != nil {
		return err
	}
	if last != ".gitattributes" && isFileOfGit(plainName(last)) {
		return invalid("component %q is or could be read as a file by which Git is configured", last)
	}
	return nil
}

var errAbsolute = invalid(`the path begins with "/": make it relative`)

// validateFolder is ValidatePath for a folder; "" is the one that paths are
// relative to.
func validateFolder(folder string) error {
	switch {
	case folder == "":
		return nil
	case folder[0] == '/':
		return errAbsolute
	case len(folder) > maxPath:
		return invalid("the path has %d bytes, more than %d", len(folder), maxPath)
	}
	for component := range strings.SplitSeq(folder, "/") {
		if err := validateComponent(component); err != nil {
			return err
		}
		if name := plainName(component); isFileOfGit(name) {
			return invalid("component %q is %s, which Git wants to be a file", component, name)
		}
	}
	return nil
}

func validateComponent(name string) error {
	switch {
	case name == "":
		return invalid(`a component of the path is empty: write it without "//" and without "/" at its end`)
	case len(name) > maxComponent:
		return invalid("component %q has %d bytes, more than %d", name, len(name), maxComponent)
	case !utf8.ValidString(name):
		return invalid("component %q is not UTF-8", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }):
		return invalid("component %q contains a backslash or a control character", name)
	}
	switch plain := plainName(name); {
	case plain == "":
		return invalid(`component %q is or could be read as "." or "..", write the path without it`, name)
	case isDotGit(plain):
		return invalid("component %q is or could be read as .git", name)
	}
	return nil
}

// plainName returns the name that the most forgiving file systems would open
// for name: lower case, without the code points that HFS+ ignores, without an
// NTFS stream, and without the dots and spaces that NTFS drops at the end. A
// name that begins with a colon is no stream and stays as it is.
func plainName(name string) string {
	plain := strings.ToLower(strings.Map(dropIgnoredByHFS, name))
	if i := strings.IndexByte(plain, ':'); i > 0 {
		plain = plain[:i]
	}
	return strings.TrimRight(plain, " .")
}

// dropIgnoredByHFS drops the code points that next_hfs_char in Git's utf8.c
// skips.
func dropIgnoredByHFS(r rune) rune {
	switch {
	case 0x200c <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x206a <= r && r <= 0x206f, r == 0xfeff:
		return -1
	}
	return r
}

// isDotGit covers is_hfs_dotgit and is_ntfs_dotgit of Git, and the short names
// that NTFS would give .git if git~1 were taken.
func isDotGit(plain string) bool {
	number, ok := strings.CutPrefix(plain, "git~")
	return plain == ".git" || ok && len(number) == 1 && '1' <= number[0] && number[0] <= '9'
}

// isFileOfGit reports whether fsck takes an entry of this name for a .gitmodules or .gitattributes,
// and a folder for a broken one. The short names are those that NTFS gives the two, as in
// is_ntfs_dot_generic of Git's path.c.
func isFileOfGit(plain string) bool {
	if plain == ".gitmodules" || plain == ".gitattributes" {
		return true
	}
	stem, number, ok := strings.Cut(plain, "~")
	if !ok || len(plain) != 8 || strings.Trim(number, "0123456789") != "" {
		return false
	}
	return stem == "gitmod" || stem == "gitatt" || strings.HasPrefix("gi7eba", stem) || strings.HasPrefix("gi7d29", stem) //nolint:gocritic // the stem is cut short to make room for a long number
}
