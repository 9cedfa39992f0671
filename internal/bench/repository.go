package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	branch = "main"

	authorName  = "Bench"
	authorEmail = "bench@example.com"

	leafFiles    = 200
	filesACommit = 5    // of the history, as long as that gives no more than
	maxCommits   = 1000 // so many commits
)

var kinds = []string{"configmaps", "services", "deployments.apps", "ingresses.networking.k8s.io", "roles.rbac.authorization.k8s.io"}

// filePath is where file i of a branch is: 200 files a namespace, 10 namespaces a kind, 5 kinds a
// cluster.
func filePath(i int) string {
	leaf := i / leafFiles
	return fmt.Sprintf("clusters/c%02d/%s/ns-%03d/obj-%04d.yaml", leaf/50, kinds[leaf/10%len(kinds)], leaf%10, i%leafFiles)
}

// fileContent is a manifest of 1 KB, different for every file and revision. Half of it does not
// compress.
func fileContent(i, revision int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: obj-%04d\n  namespace: ns-%03d\ndata:\n",
		i%leafFiles, i/leafFiles%10)
	for key := 0; b.Len() < 950; key++ {
		fmt.Fprintf(&b, "  k%02d: %x\n", key, sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d", i, revision, key)))
	}
	return []byte(b.String())
}

// historyLength is how many commits a repository with so many files has.
func historyLength(files int) int { return min(max(files/filesACommit, 1), maxCommits) }

// createRepository makes a bare repository in dir, in one pack. write writes what it holds, in the
// language of git-fast-import(1).
func createRepository(ctx context.Context, dir string, write func(io.Writer) error, env []string) error {
	if _, err := git(ctx, "", nil, env, "init", "--quiet", "--bare", "--template=", "--initial-branch="+branch, dir); err != nil {
		return err
	}
	for _, setting := range []string{
		"http.receivepack=true", "receive.autogc=false", "receive.fsckObjects=true",
		"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true",
	} {
		key, value, _ := strings.Cut(setting, "=")
		if _, err := git(ctx, dir, nil, env, "config", key, value); err != nil {
			return err
		}
	}
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(write(writer)) }()
	defer func() { _ = reader.Close() }()
	if _, err := git(ctx, dir, reader, env, "fast-import", "--quiet"); err != nil {
		return err
	}
	if _, err := git(ctx, dir, nil, env, "repack", "-adq"); err != nil {
		return err
	}
	_, err := git(ctx, dir, nil, env, "pack-refs", "--all")
	return err
}

// history writes so many files, in as many commits as historyLength says.
func history(files int) func(io.Writer) error {
	return func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		commits := historyLength(files)
		for c, i := 0, 0; c < commits; c++ {
			writeCommit(b, branch, 1_700_000_000+c)
			for ; i < files*(c+1)/commits; i++ {
				writeInline(b, filePath(i), fileContent(i, 0))
			}
		}
		return b.Flush()
	}
}

func writeCommit(w io.Writer, branch string, unix int) {
	_, _ = fmt.Fprintf(w, "commit refs/heads/%s\ncommitter %s <%s> %d +0000\ndata 4\nseed\n", branch, authorName, authorEmail, unix)
}

func writeInline(w io.Writer, path string, content []byte) {
	_, _ = fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
}

// copyRepository gives a worker a repository of its own.
func copyRepository(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// checkRepository fails unless the branch has that many commits and ends with that change.
func checkRepository(ctx context.Context, dir string, commits int, last change, env []string) error {
	return checkBranch(ctx, dir, branch, commits, last, env)
}

func checkBranch(ctx context.Context, dir, branch string, commits int, last change, env []string) error {
	count, err := git(ctx, dir, nil, env, "rev-list", "--count", branch)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(count); got != fmt.Sprint(commits) {
		return fmt.Errorf("repository %s: %s commits on the branch, want %d", filepath.Base(dir), got, commits)
	}
	got, err := git(ctx, dir, nil, env, "show", branch+":"+last.Path)
	if err != nil {
		return err
	}
	if got != string(last.Content) {
		return fmt.Errorf("repository %s: %s does not hold what was pushed last", filepath.Base(dir), last.Path)
	}
	return nil
}
