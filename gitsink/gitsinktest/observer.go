package gitsinktest

import "strings"

// Observer looks at what sinks wrote to a store, and changes it as somebody else would. It must not look through the code
// under test. Paths are relative to the root of the branch, not to a base folder. Methods may be called concurrently, and
// while a plan runs. [Repo] and [FakeRepo] are observers.
type Observer interface {
	// Files returns all files of the branch as they are now; none if there is no such branch. The Mode of an ordinary file
	// is left empty.
	Files(branch string) map[string]File

	// Commit changes files of the branch as somebody else, and makes the branch if there is none. It returns the name of
	// the commit, or "" if the store has none.
	Commit(branch string, files map[string]File, message string) string
}

// Historian is an Observer of a store that keeps every commit, as Git does.
type Historian interface {
	Observer

	// Branches returns the short names of all branches in byte order.
	Branches() []string

	// Log returns the commits of one of the Branches, the newest first.
	Log(branch string) []CommitInfo

	// Show returns all files of a commit.
	Show(commit string) map[string]File
}

var (
	_ Historian = (*Repo)(nil)
	_ Historian = (*FakeRepo)(nil)
)

// Files returns all files of the branch by their paths, none if there is no such branch. It is what [Repo.Commit] makes:
// the Mode of an ordinary file is left empty.
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

// Store is the repository as a [Store] for sinks that reach it by this URL. At the end of the test it must satisfy
// [Repo.Fsck].
func (r *Repo) Store(url string) Store {
	r.server.t.Helper()
	r.server.t.Cleanup(r.Fsck)
	return Store{Repository: url, Observer: r, Refuse: r.refuse}
}

// refuse has a hook decline every push with these words, until they are empty.
func (r *Repo) refuse(words string) {
	script := ""
	if words != "" {
		script = "echo " + shellQuote(words) + " >&2; exit 1"
	}
	r.Hook("pre-receive", script)
}

// parents yields the folders that a path leads through, outermost first.
func parents(path string) []string {
	var folders []string
	for i := range len(path) {
		if path[i] == '/' {
			folders = append(folders, path[:i])
		}
	}
	return folders
}

// below tells whether a path lies in a folder; "" is the root.
func below(path, folder string) bool { return folder == "" || strings.HasPrefix(path, folder+"/") }

func join(folder, path string) string {
	if folder == "" {
		return path
	}
	return folder + "/" + path
}
