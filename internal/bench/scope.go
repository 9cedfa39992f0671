package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path"
)

// The cases of the command scope.
const (
	caseScope      = "scope"
	caseScopeFirst = "scope, first"
)

const scopeFolder = "clusters/c0007"

// scopeSettings are what the command line of scope asks for.
type scopeSettings struct {
	common
	files, folders int // in the base folder, and base folders in the large repository
	runs           int
}

// scopeCommand measures a change in a base folder that is all that a repository holds, and in one
// of many.
func scopeCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s scopeSettings
	flags := s.flags("scope", stderr)
	flags.IntVar(&s.files, "files", 1000, "files in the base folder")
	flags.IntVar(&s.folders, "folders", 1000, "base folders in the large repository")
	flags.IntVar(&s.runs, "runs", 7, "measured rounds of each system; git's are at most 3")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.smoke {
		s.files, s.folders, s.runs = 200, 20, 2
	}
	if err := positive(map[string]int{"files": s.files, "folders": s.folders - 1, "runs": s.runs}); err != nil {
		return err
	}
	facts := machine(ctx)
	rows, err := compete(ctx, printer(stderr), s.contenders)
	if err != nil {
		return err
	}
	return s.report(stdout, facts, rows, s.bars(rows))
}

// contenders makes both repositories and says who works on them.
func (s scopeSettings) contenders(ctx context.Context, f *field) ([][]*contender, error) {
	for _, folders := range []int{1, s.folders} {
		f.progress("making a repository of %d files", folders*s.files)
		if err := createRepository(ctx, f.template(fmt.Sprint(folders)), s.history(folders), f.env); err != nil {
			return nil, err
		}
	}
	var groups [][]*contender
	for _, systems := range [][][2]string{{{caseScope, kubescribe}}, {{caseScopeFirst, kubescribe}, {caseScopeFirst, commandGit}}} {
		var group []*contender
		for _, folders := range []int{1, s.folders} {
			for _, system := range systems {
				group = append(group, s.contender(f, system[0], system[1], folders))
			}
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func (s scopeSettings) contender(f *field, kase, name string, folders int) *contender {
	repository := fmt.Sprintf("%s-%s-%d.git", map[string]string{caseScope: "warm", caseScopeFirst: "first"}[kase], name, folders)
	c := &contender{
		workerJob: workerJob{Case: kase, System: name, URL: f.url + "/" + repository, Dir: f.clone(repository), Folder: scopeFolder},
		files:     folders * s.files, runs: s.runs,
		repositories: map[string]string{repository: f.template(fmt.Sprint(folders))},
	}
	if name == commandGit {
		c.runs = min(c.runs, 3)
	}
	c.change = func(round int) change {
		i := round * 79 % s.files
		return change{Round: round, Path: scopePath(i), Content: fileContent(i, round+1)}
	}
	c.check = func(ctx context.Context) error {
		last := c.change(c.runs)
		last.Path = path.Join(scopeFolder, last.Path)
		return checkRepository(ctx, f.remote(repository), 2+c.runs, last, f.env)
	}
	return c
}

// scopePath is where file i of a base folder is.
func scopePath(i int) string {
	return fmt.Sprintf("ns-%03d/configmaps/obj-%04d.yaml", i/leafFiles, i)
}

// history writes base folders in one commit; with one, it is the scopeFolder. No two folders have a
// tree in common, nor are two trees in a folder equal. The files' contents come from as many as
// there are folders, a thousand at least: nobody reads them.
func (s scopeSettings) history(folders int) func(io.Writer) error {
	contents := max(folders, 1000)
	return func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		for i := range contents {
			content := fileContent(i, 0)
			_, _ = fmt.Fprintf(b, "blob\nmark :%d\ndata %d\n%s\n", i+1, len(content), content)
		}
		writeCommit(b, branch, 1_700_000_000)
		for n := range folders {
			folder := fmt.Sprintf("clusters/c%04d", n)
			if folders == 1 {
				folder = scopeFolder
			}
			for i := range s.files {
				_, _ = fmt.Fprintf(b, "M 100644 :%d %s/%s\n", 1+(i*7+n)%contents, folder, scopePath(i))
			}
		}
		return b.Flush()
	}
}

// bars compare the large repository with the small one.
func (s scopeSettings) bars(rows []row) []bar {
	var all []bar
	for _, kase := range []string{caseScope, caseScopeFirst} {
		small, large := find(rows, kase, kubescribe, s.files), find(rows, kase, kubescribe, s.folders*s.files)
		name := fmt.Sprintf("%s, %d files beside %d: times the ", kase, large.Files, small.Files)
		all = append(all,
			bar{what: name + "wall time", value: large.Wall / small.Wall, best: large.Best / small.Best, limit: 2,
				remark: fmt.Sprintf("; the server's part %.1f -> %.1f ms, the rest %.1f -> %.1f ms", small.Server, large.Server, small.Own, large.Own)},
			bar{what: name + "CPU time", value: large.CPU / small.CPU, limit: 2},
			bar{what: name + "peak memory", value: large.Peak / small.Peak, limit: 2},
			bar{what: name + "requests", value: large.Requests / small.Requests, limit: 2},
			bar{what: name + "bytes on the wire", value: (large.Sent + large.Received) / (small.Sent + small.Received), limit: 2})
	}
	return all
}

// sparseClone is the git command with a new clone in each round that leaves out what it can:
// history, files and, in the working tree and the index, other folders.
type sparseClone struct {
	url, folder string
	work        warmClone
}

func newSparseClone(_ context.Context, job workerJob) (system, error) {
	return &sparseClone{url: job.URL, folder: job.Folder, work: warmClone{dir: job.Dir}}, nil
}

func (s *sparseClone) push(ctx context.Context, c change) error {
	if _, err := git(ctx, "", nil, os.Environ(), "clone", "--quiet", "--depth=1", "--filter=blob:none", "--sparse", "--branch", branch, s.url, s.work.dir); err != nil {
		return err
	}
	if err := s.work.git(ctx, []string{"sparse-checkout", "set", "--cone", "--sparse-index", s.folder}); err != nil {
		return err
	}
	c.Path = path.Join(s.folder, c.Path)
	return s.work.push(ctx, c)
}

func (s *sparseClone) tidy() error { return os.RemoveAll(s.work.dir) }
