// Package prose checks how the comments of this module are written: no wider than 100 columns, so
// that two files fit beside each other, and with "reports whether" for what returns a bool, as Go's
// own documentation has it.
//
// golangci-lint has no rule for this: its lll measures code as well, and cannot leave it out.
//
// The folders in checked are, with nested modules in them, or those in PROSE, where "." means all:
//
//	PROSE=queue,event/source go test ./internal/prose
package prose

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const (
	// width is the number of columns that a line with a comment may have.
	width = 100
	// tab is the number of columns that a tab counts.
	tab = 4
)

// checked has the folders that are checked unless PROSE says otherwise.
var checked = []string{"."}

// refused has phrases that no comment may have, and what to write in their place.
var refused = []struct {
	phrase *regexp.Regexp
	write  string
}{
	{regexp.MustCompile(`(?i)\btells? whether\b`), "reports whether"},
}

func TestCommentsAreNarrowAndSayReportsWhether(t *testing.T) {
	root := filepath.Join("..", "..")
	folders := checked
	if list := os.Getenv("PROSE"); list != "" {
		folders = strings.Split(list, ",")
	}
	var faults []string
	for _, file := range files(t, root, folders) {
		source, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		faults = append(faults, check(file, source)...)
	}
	require.Empty(t, faults, "%d faults of comments:\n%s", len(faults), strings.Join(faults, "\n"))
}

// files returns the Go files that are in these folders of root, or are one of them, in the order of
// their paths.
func files(t *testing.T, root string, folders []string) []string {
	t.Helper()
	var found []string
	for _, folder := range folders {
		start := filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(folder, "./")))
		require.NoError(t, filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != root):
				return filepath.SkipDir
			case !entry.IsDir() && strings.HasSuffix(path, ".go"):
				rel, err := filepath.Rel(root, path)
				found = append(found, rel)
				return err
			}
			return nil
		}))
	}
	require.NotEmpty(t, found)
	slices.Sort(found)
	return slices.Compact(found)
}

// check returns the faults of the comments of a file, each with its line.
func check(name string, source []byte) []string {
	set := token.NewFileSet()
	file := set.AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	lines := bytes.Split(source, []byte("\n"))
	var faults []string
	output := false // in the wanted output of an example, which is as wide as it is
	last := 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return faults
		}
		if tok != token.COMMENT {
			continue
		}
		first := file.Line(pos)
		output = output && first == last+1 || isOutput.MatchString(text)
		for n := range strings.Count(text, "\n") + 1 {
			last = first + n
			line := string(lines[last-1])
			if got := columns(line); got > width && !output && !mayBeWide(commentOf(line)) {
				faults = append(faults, fmt.Sprintf("%s:%d: %d columns, at most %d", name, last, got, width))
			}
		}
		for _, r := range refused {
			if r.phrase.MatchString(strings.Join(strings.Fields(strings.ReplaceAll(text, "//", " ")), " ")) {
				faults = append(faults, fmt.Sprintf("%s:%d: write %q", name, first, r.write))
			}
		}
	}
}

// commentOf returns the comment at the end of a line, or the line if it lies within a longer
// comment.
func commentOf(line string) string {
	if at := strings.LastIndex(line, "//nolint"); at >= 0 {
		return line[at:]
	}
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "//") {
		return trimmed
	}
	return line
}

// isOutput matches the comment with which the wanted output of an example begins.
var isOutput = regexp.MustCompile(`(?i)^//\s*(unordered )?output:`)

// mayBeWide reports whether a comment cannot be broken: it is a directive, or one word, such as a
// URL.
func mayBeWide(comment string) bool {
	return directive.MatchString(comment) || len(strings.Fields(strings.TrimPrefix(comment, "//"))) < 2
}

// directive matches what a tool reads: //go:embed, //nolint:gosec // why.
var directive = regexp.MustCompile(`^//(nolint|[a-z0-9]+:[a-z0-9])`)

// columns returns the width of a line.
func columns(line string) int {
	line = strings.TrimSuffix(line, "\r")
	return utf8.RuneCountInString(line) + (tab-1)*strings.Count(line, "\t")
}

func TestTheCheckFindsWideLinesAndRefusedPhrases(t *testing.T) {
	wide := strings.Repeat("w ", 55)
	for _, c := range []struct {
		name, source string
		want         []string
	}{
		{"nothing", "package p\n", nil},
		{"a line of its own", "package p\n\n// " + wide + "\n", []string{"f.go:3: 113 columns, at most 100"}},
		{"behind code", "package p\n\nvar x int // " + wide[:95] + "\n", []string{"f.go:3: 108 columns, at most 100"}},
		{"a tab is four columns", "package p\n\nfunc f() {\n\t\t// " + wide[:90] + "\n}\n", []string{"f.go:4: 101 columns, at most 100"}},
		{"100 are enough", "package p\n\n// " + strings.Repeat("ü ", 48) + "x\n", nil},
		{"wide code without a comment", "package p\n\nvar x = \"" + wide + "\"\n", nil},
		{"slashes in a string", "package p\n\nvar x = \"// " + wide + "\"\n", nil},
		{"a word that cannot be broken", "package p\n\n// https://example.com/" + strings.Repeat("w", 100) + "\n", nil},
		{"a directive", "package p\n\nvar x = 1 //nolint:gosec // " + wide + "\n", nil},
		{"a comment of many lines", "package p\n\n/* a\n" + wide + "\nb */\n", []string{"f.go:4: 110 columns, at most 100"}},
		{"output of an example", "package p\n\nfunc Example() {\n\t// Output:\n\t// " + wide + "\n}\n", nil},
		{"after the output", "package p\n\nfunc Example() {\n\t// Output:\n\t// x\n}\n\n// " + wide + "\n", []string{"f.go:8: 113 columns, at most 100"}},
		{"a refused phrase", "package p\n\n// f tells whether it is so.\nfunc f() bool\n", []string{`f.go:3: write "reports whether"`}},
		{"in a string it is none", "package p\n\nvar x = \"tells whether\"\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, check("f.go", []byte(c.source)))
		})
	}
}
