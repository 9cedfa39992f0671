package gitservertest

import (
	"bytes"
	"fmt"
	"strings"
)

// Entry is a file, symlink or submodule in a tree.
type Entry struct {
	Mode string // six octal digits, such as "100644"
	Hash string // of the blob; of the commit for a submodule
}

// List returns all entries of the branch by their paths.
func (r *Repo) List(branch string) map[string]Entry {
	r.server.t.Helper()
	return r.list("refs/heads/" + branch)
}

func (r *Repo) list(treeish string) map[string]Entry {
	r.server.t.Helper()
	entries := map[string]Entry{}
	listing := string(r.mustRun(nil, "ls-tree", "-r", "-z", "--full-tree", treeish))
	for line := range strings.SplitSeq(strings.TrimSuffix(listing, "\x00"), "\x00") {
		if facts, path, ok := strings.Cut(line, "\t"); ok {
			fields := strings.Fields(facts) // mode, type, hash
			entries[path] = Entry{Mode: fields[0], Hash: fields[2]}
		}
	}
	return entries
}

// Tree returns the contents of all files of the branch by their paths. The content of a symlink is
// its target, that of a submodule the hash of its commit.
func (r *Repo) Tree(branch string) map[string]string {
	r.server.t.Helper()
	return r.contents(r.List(branch))
}

func (r *Repo) contents(entries map[string]Entry) map[string]string {
	r.server.t.Helper()
	var wanted strings.Builder
	for _, e := range entries {
		if e.Mode != ModeSubmodule {
			wanted.WriteString(e.Hash + "\n")
		}
	}
	blobs := r.blobs(wanted.String())
	tree := make(map[string]string, len(entries))
	for path, e := range entries {
		if tree[path] = e.Hash; e.Mode != ModeSubmodule {
			tree[path] = blobs[e.Hash]
		}
	}
	return tree
}

// blobs reads the blobs whose hashes are the lines of wanted.
func (r *Repo) blobs(wanted string) map[string]string {
	r.server.t.Helper()
	blobs := map[string]string{}
	out := r.mustRun(strings.NewReader(wanted), "cat-file", "--batch")
	for len(out) > 0 {
		header, rest, _ := bytes.Cut(out, []byte("\n"))
		var hash, kind string
		var size int
		if _, err := fmt.Sscan(string(header), &hash, &kind, &size); err != nil || size >= len(rest) {
			r.server.t.Fatalf("gitservertest: repository %s: cat-file --batch said %q", r.name, header)
		}
		blobs[hash], out = string(rest[:size]), rest[size+1:]
	}
	return blobs
}

// Files returns all files of the branch by their paths; none if there is no such branch. They are
// as [Repo.Commit] takes them: the Mode of an ordinary file is empty.
func (r *Repo) Files(branch string) map[string]File {
	r.server.t.Helper()
	tip, ok := r.Tip(branch)
	if !ok {
		return map[string]File{}
	}
	return r.Show(tip)
}

// Show returns all files of a commit, as [Repo.Files] does.
func (r *Repo) Show(commit string) map[string]File {
	r.server.t.Helper()
	entries := r.list(commit)
	contents := r.contents(entries)
	files := make(map[string]File, len(entries))
	for path, e := range entries {
		if e.Mode == ModeRegular {
			e.Mode = ""
		}
		files[path] = File{Mode: e.Mode, Content: contents[path]}
	}
	return files
}
