package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
)

// importer is git fast-import and git push in a bare clone of each repository, as many at a time as
// there are cores.
type importer struct {
	job  workerJob
	cold bool // the clones are made in each round
}

func newImporter(_ context.Context, job workerJob) (system, error) { return importer{job: job}, nil }
func newColdImporter(_ context.Context, job workerJob) (system, error) {
	return importer{job, true}, nil
}

// cloneAll makes the clones, from the folder that the server has the repositories in.
func cloneAll(ctx context.Context, job workerJob, from string, env []string) error {
	for i := range job.Repositories {
		repository := eventsRepository(i)
		dir := filepath.Join(job.Dir, repository)
		if _, err := git(ctx, "", nil, env, "clone", "--quiet", "--bare", filepath.Join(from, repository), dir); err != nil {
			return err
		}
		if _, err := git(ctx, dir, nil, env, "remote", "set-url", "origin", job.URL+"/"+repository); err != nil {
			return err
		}
	}
	return nil
}

func (m importer) push(ctx context.Context, c change) error {
	var workers sync.WaitGroup
	faults, todo := make([]error, m.job.Repositories), make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range todo {
				faults[i] = m.repository(ctx, i, c)
			}
		})
	}
	for i := range m.job.Repositories {
		todo <- i
	}
	close(todo)
	workers.Wait()
	return errors.Join(faults...)
}

// repository does all branches of one.
func (m importer) repository(ctx context.Context, i int, c change) error {
	dir := filepath.Join(m.job.Dir, eventsRepository(i))
	if m.cold {
		_, err := git(ctx, "", nil, os.Environ(), "clone", "--quiet", "--bare", "--depth=1", "--no-single-branch", m.job.URL+"/"+eventsRepository(i), dir)
		if err != nil {
			return err
		}
	}
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(m.write(writer, i, c.Round)) }()
	defer func() { _ = reader.Close() }()
	if _, err := git(ctx, dir, reader, os.Environ(), "fast-import", "--quiet"); err != nil {
		return err
	}
	var branches []string
	for n := range m.job.Branches {
		branches = append(branches, eventsBranch(n))
	}
	if m.job.System == gitOnePush {
		_, err := git(ctx, dir, nil, os.Environ(), append([]string{"push", "--quiet", "origin"}, branches...)...)
		return err
	}
	for _, name := range branches {
		if _, err := git(ctx, dir, nil, os.Environ(), "push", "--quiet", "origin", name); err != nil {
			return err
		}
	}
	return nil
}

// write writes a commit for each branch.
func (m importer) write(w io.Writer, repository, round int) error {
	b := bufio.NewWriterSize(w, 1<<16)
	for n := range m.job.Branches {
		name := eventsBranch(n)
		writeCommit(b, name, 1_700_000_001+round)
		_, _ = b.WriteString("from refs/heads/" + name + "^0\n")
		for i := range m.job.Count {
			writeInline(b, path.Join(m.job.Folder, updatePath(i)), eventContent(m.job, repository, n, i, round))
		}
	}
	return b.Flush()
}

func (m importer) tidy() error {
	if !m.cold {
		return nil
	}
	return os.RemoveAll(m.job.Dir)
}
