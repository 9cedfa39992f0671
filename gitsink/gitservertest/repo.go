package gitservertest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Repo is a bare repository of a [Server]. Its methods read and change it by the git command alone,
// so that the code under test has no say in its own verdict. Branches are given by their short
// names.
type Repo struct {
	server    *Server
	name      string
	dir       string
	callbacks callbacks
}

// NewRepo makes an empty bare repository whose HEAD names the branch main. The name, such as
// "team/app.git", is a clean slash path and becomes the path of the URL.
func (s *Server) NewRepo(name string) *Repo {
	s.t.Helper()
	if !filepath.IsLocal(name) || filepath.ToSlash(filepath.Clean(name)) != name || name == "." {
		s.t.Fatalf("gitservertest: repository name %q: want a clean relative path", name)
	}
	r := s.add(name)
	if err := r.init(); err != nil {
		s.t.Fatalf("gitservertest: repository %q: %v", name, err)
	}
	return r
}

// add begins to serve a folder, in which a repository will be.
func (s *Server) add(name string) *Repo {
	s.t.Helper()
	r := &Repo{server: s, name: name, dir: filepath.Join(s.root, filepath.FromSlash(name))}
	s.mu.Lock()
	taken := s.repos[name] != nil
	s.repos[name] = r
	s.mu.Unlock()
	if taken {
		s.t.Fatalf("gitservertest: there is a repository %q already", name)
	}
	return r
}

// init makes what git init and git config would (gitrepository-layout(5)), without a process of
// Git's for each repository: they would take longer than all the rest of a small test.
func (r *Repo) init() error {
	for _, folder := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(r.dir, filepath.FromSlash(folder)), 0o755); err != nil {
			return err
		}
	}
	opts := r.server.opts
	version, extensions := 0, ""
	if format := cmp.Or(opts.ObjectFormat, "sha1"); format != "sha1" {
		version, extensions = 1, "[extensions]\n\tobjectFormat = "+format+"\n"
	}
	config := fmt.Sprintf("[core]\n\trepositoryformatversion = %d\n\tfilemode = true\n\tbare = true\n%s"+
		"[http]\n\treceivepack = true\n[receive]\n\tautogc = false\n\tfsckObjects = %t\n"+
		"[uploadpack]\n\tallowFilter = %t\n\tallowAnySHA1InWant = %t\n",
		version, extensions, !opts.SkipFsck, !opts.DenyFilter, !opts.DenyAnySHA1InWant)
	return errors.Join(
		os.WriteFile(filepath.Join(r.dir, "config"), []byte(config), 0o644),
		os.WriteFile(filepath.Join(r.dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644),
	)
}

// URL returns the URL of the repository over HTTP or HTTPS.
func (r *Repo) URL() string { return r.server.URL() + "/" + r.name }

// FileURL returns the file URL of the repository. Faults, counts and credentials do not apply
// there; hooks do.
func (r *Repo) FileURL() string { return "file://" + filepath.ToSlash(r.dir) }

// Dir returns the folder of the bare repository.
func (r *Repo) Dir() string { return r.dir }

// Git runs git on the repository and returns its standard output, without newlines at the end. A
// failure ends the test.
func (r *Repo) Git(args ...string) string {
	r.server.t.Helper()
	return strings.TrimRight(string(r.mustRun(nil, args...)), "\n")
}

func (r *Repo) mustRun(stdin io.Reader, args ...string) []byte {
	r.server.t.Helper()
	out, _, err := r.run(stdin, args...)
	if err != nil {
		r.server.t.Fatalf("gitservertest: repository %s: %v", r.name, err)
	}
	return out
}

func (r *Repo) run(stdin io.Reader, args ...string) (out []byte, complaints string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(r.server.git, args...)
	cmd.Dir, cmd.Env = r.server.root, append(r.server.Env(), "GIT_DIR="+r.dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, "", fmt.Errorf("git %s: %w\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.Bytes(), stderr.String(), nil
}

// Branches returns the short names of all branches in byte order.
func (r *Repo) Branches() []string {
	r.server.t.Helper()
	var names []string
	for name := range r.tips() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Tip returns the hash of the branch's newest commit, and whether there is such a branch.
func (r *Repo) Tip(branch string) (string, bool) {
	r.server.t.Helper()
	// a process for each look would be most of what a test that waits costs
	if tip, ok := r.looseTip(branch); ok {
		return tip, true
	}
	if _, err := os.Stat(filepath.Join(r.dir, "packed-refs")); errors.Is(err, fs.ErrNotExist) && r.absent(branch) {
		return "", false
	}
	tip, ok := r.tips()[branch]
	return tip, ok
}

// absent reports whether a branch has no file of its own.
func (r *Repo) absent(branch string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, "refs", "heads", filepath.FromSlash(branch)))
	return errors.Is(err, fs.ErrNotExist)
}

// looseTip reads a branch that has a file of its own (gitrepository-layout(5)).
func (r *Repo) looseTip(branch string) (tip string, ok bool) {
	text, err := os.ReadFile(filepath.Join(r.dir, "refs", "heads", filepath.FromSlash(branch)))
	tip, line := strings.CutSuffix(string(text), "\n")
	_, errHex := hex.DecodeString(tip)
	return tip, err == nil && line && errHex == nil && tip != ""
}

func (r *Repo) tips() map[string]string {
	r.server.t.Helper()
	tips := map[string]string{}
	for line := range strings.Lines(r.Git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/")) {
		hash, ref, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		tips[strings.TrimPrefix(ref, "refs/heads/")] = hash
	}
	return tips
}

// CommitInfo is what a commit says.
type CommitInfo struct {
	Hash                      string
	Parents                   []string
	Author, AuthorEmail       string
	Committer, CommitterEmail string
	Time                      time.Time // the committer's, in UTC, to the second
	Subject, Body             string    // the message's first paragraph on one line; the rest
}

// Log returns the commits of the branch, the newest first.
func (r *Repo) Log(branch string) []CommitInfo {
	r.server.t.Helper()
	const format = "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%cn%x1f%ce%x1f%ct%x1f%s%x1f%b"
	log := string(r.mustRun(nil, "log", "-z", "--topo-order", format, "refs/heads/"+branch))
	var commits []CommitInfo
	for record := range strings.SplitSeq(strings.TrimSuffix(log, "\x00"), "\x00") {
		f := strings.SplitN(record, "\x1f", 9)
		if len(f) < 9 {
			r.server.t.Fatalf("gitservertest: repository %s: git log said %q", r.name, record)
		}
		seconds, err := strconv.ParseInt(f[6], 10, 64)
		if err != nil {
			r.server.t.Fatalf("gitservertest: repository %s: commit %s has the time %q", r.name, f[0], f[6])
		}
		commits = append(commits, CommitInfo{
			Hash: f[0], Parents: strings.Fields(f[1]), Author: f[2], AuthorEmail: f[3], Committer: f[4], CommitterEmail: f[5],
			Time: time.Unix(seconds, 0).UTC(), Subject: f[7], Body: strings.TrimRight(f[8], "\n"),
		})
	}
	return commits
}

// Fsck ends the test if git fsck --strict complains about anything. Objects that nothing refers to
// are no complaint.
func (r *Repo) Fsck() {
	r.server.t.Helper()
	out, complaints, err := r.run(nil, append(r.withoutGraphs(), "fsck", "--strict", "--no-dangling", "--no-progress")...)
	if err != nil {
		r.server.t.Fatalf("gitservertest: repository %s: %v", r.name, err)
	}
	for line := range strings.Lines(string(out) + complaints) {
		if !strings.HasPrefix(line, "notice: ") { // such as: HEAD points to an unborn branch
			r.server.t.Fatalf("gitservertest: repository %s: git fsck --strict: %s%s", r.name, out, complaints)
		}
	}
}

// withoutGraphs spares fsck the processes that check files which a small repository does not have.
func (r *Repo) withoutGraphs() (args []string) {
	for file, setting := range map[string]string{
		"objects/info/commit-graph*": "core.commitGraph=false", "objects/pack/multi-pack-index": "core.multiPackIndex=false",
	} {
		if found, err := filepath.Glob(filepath.Join(r.dir, filepath.FromSlash(file))); err == nil && found == nil {
			args = append(args, "-c", setting)
		}
	}
	return args
}

// Linear ends the test unless nothing was merged and nobody's commit was lost: each commit of the
// branch has at most one parent, and oldTip, if it is not empty, is one of the commits.
func (r *Repo) Linear(branch, oldTip string) {
	r.server.t.Helper()
	if merges := r.Git("rev-list", "--min-parents=2", "refs/heads/"+branch); merges != "" {
		r.server.t.Fatalf("gitservertest: repository %s: branch %s has merges:\n%s", r.name, branch, merges)
	}
	if oldTip == "" {
		return
	}
	if _, _, err := r.run(nil, "merge-base", "--is-ancestor", oldTip, "refs/heads/"+branch); err != nil {
		r.server.t.Fatalf("gitservertest: repository %s: branch %s does not hold %s: %v", r.name, branch, oldTip, err)
	}
}
