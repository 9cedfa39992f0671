package gitservertest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Who [Repo.Commit] commits as.
const (
	outsiderName  = "Outsider"
	outsiderEmail = "outsider@example.com"
)

// The modes of entries in a tree (gitformat-index(5), git-fast-import(1)).
const (
	ModeRegular    = "100644"
	ModeExecutable = "100755"
	ModeSymlink    = "120000"
	ModeSubmodule  = "160000"
)

// File is a file, symlink or submodule that [Repo.Commit] writes.
type File struct {
	Mode    string // one of the Mode constants. Default: ModeRegular
	Content string // the target of a symlink; the full hash of the commit of a submodule
	Remove  bool   // removes the file or folder instead; Mode and Content mean nothing
}

// Commit commits the files on top of the branch's tip as somebody else and returns the commit's
// hash. It makes the branch if there is none, with a root commit; no files make an empty commit.
// Paths are relative to the root of the repository. Hooks do not run. The branch is moved by
// compare-and-swap, which is what git fast-import does: a commit that got there first is built
// upon.
func (r *Repo) Commit(branch string, files map[string]File, message string) string {
	r.server.t.Helper()
	for {
		tip, _ := r.Tip(branch)
		out, _, err := r.run(fastImport("refs/heads/"+branch, tip, files, message), "fast-import", "--quiet", "--date-format=now")
		if err == nil {
			return strings.TrimSpace(string(out))
		}
		if now, _ := r.Tip(branch); now == tip {
			r.server.t.Fatalf("gitservertest: repository %s: branch %s: %v", r.name, branch, err)
		}
	}
}

// fastImport writes the commit in the language of git-fast-import(1), removals first, so that a
// file can take the place of a folder, and asks for the commit's hash.
func fastImport(ref, parent string, files map[string]File, message string) *bytes.Buffer {
	var in bytes.Buffer
	fmt.Fprintf(&in, "commit %s\nmark :1\ncommitter %s <%s> now\ndata %d\n%s\n", ref, outsiderName, outsiderEmail, len(message), message)
	if parent != "" {
		fmt.Fprintf(&in, "from %s\n", parent)
	}
	paths := slices.Sorted(maps.Keys(files))
	for _, path := range paths {
		if files[path].Remove {
			fmt.Fprintf(&in, "D %s\n", quotePath(path))
		}
	}
	for _, path := range paths {
		file := files[path]
		mode := file.Mode
		if mode == "" {
			mode = ModeRegular
		}
		switch {
		case file.Remove:
		case mode == ModeSubmodule:
			fmt.Fprintf(&in, "M %s %s %s\n", mode, file.Content, quotePath(path))
		default:
			fmt.Fprintf(&in, "M %s inline %s\ndata %d\n%s\n", mode, quotePath(path), len(file.Content), file.Content)
		}
	}
	in.WriteString("get-mark :1\n")
	return &in
}

// quotePath quotes as C does where fast-import asks for it.
func quotePath(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}
