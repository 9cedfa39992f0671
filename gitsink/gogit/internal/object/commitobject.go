package object

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// EncodeCommit writes a commit object as git fsck --strict wants it.
func EncodeCommit(root, parent ID, commit gitsink.Commit, fallback gitsink.Signature, now time.Time) []byte {
	committer := commit.Committer
	if committer.Name == "" && committer.Email == "" {
		fallback.When = committer.When
		committer = fallback
	}
	author := commit.Author
	if author.Name == "" && author.Email == "" {
		when := author.When
		author = committer
		if !when.IsZero() {
			author.When = when
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "tree %s\n", root)
	if !parent.IsZero() {
		fmt.Fprintf(&text, "parent %s\n", parent)
	}
	fmt.Fprintf(&text, "author %s\ncommitter %s\n\n%s", encodeSignature(author, now), encodeSignature(committer, now), cleanMessage(commit.Message))
	return []byte(text.String())
}

// lastSecond is that of the year 9999: beyond it, and before 1970, Git's own tools do not show a
// time as it was.
const lastSecond = 253402300799

func encodeSignature(s gitsink.Signature, now time.Time) string {
	name, email := cleanIdentity(s.Name), cleanIdentity(s.Email)
	if name == "" {
		name = email
	}
	if name == "" {
		name = "unknown"
	}
	if s.When.IsZero() {
		s.When = now
	}
	return fmt.Sprintf("%s <%s> %d +0000", name, email, min(max(s.When.Unix(), 0), lastSecond))
}

// cleanIdentity drops what would end a name or address early, or break the header's line, and
// what git itself would drop at its ends.
func cleanIdentity(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	return strings.Trim(s, ` .,:;"\'`)
}

func cleanMessage(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\x00", "")
	s = strings.TrimSpace(s)
	if s == "" {
		s = "update"
	}
	return s + "\n"
}

// RootOf reads the tree from the first line of a commit.
func RootOf(f Format, commit string) (ID, error) {
	line, _, _ := strings.Cut(commit, "\n")
	digits, found := strings.CutPrefix(line, "tree ")
	root, ok := ParseID(f, digits)
	if !found || !ok {
		return ID{}, ErrIncomplete
	}
	return root, nil
}

// signatures are the headers of signatures, by the format of the repository
// (gitformat-signature(5)): git verifies none that stands in another.
var signatures = [...]string{SHA1: "gpgsig", SHA256: "gpgsig-sha256"}

// WithSignature puts an armored signature into the header of a commit object, where git looks for
// it.
func WithSignature(f Format, commit []byte, armored string) []byte {
	header, message, _ := bytes.Cut(commit, []byte("\n\n"))
	return slices.Concat(header, []byte("\n"+signatures[f]+" "), []byte(strings.ReplaceAll(armored, "\n", "\n ")), []byte("\n\n"), message)
}

// IsSigned reports whether an object is a commit with a signature.
func IsSigned(o Object) bool {
	header, _, _ := bytes.Cut(o.Data, []byte("\n\n"))
	return o.Kind == plumbing.CommitObject && bytes.Contains(header, []byte("\n"+signatures[o.Hash.format]+" "))
}
