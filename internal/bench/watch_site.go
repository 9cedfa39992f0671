package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// watchSite is where the contests of the command watch take place: a cluster, a Git server and one
// that hangs.
type watchSite struct {
	*field
	settings watchSettings
	cluster  *process
	url      string // of the cluster
	lists    int    // requests for lists until now
	hung     net.Listener
}

func (s *watchSite) open(ctx context.Context) (err error) {
	if err := createRepository(ctx, s.template("empty"), func(io.Writer) error { return nil }, s.env); err != nil {
		return err
	}
	if s.hung, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	go hold(s.hung) // here, and not in the process that is measured
	if s.cluster, err = start(ctx, "", "cluster", "the cluster", s.home); err != nil {
		return err
	}
	var state clusterState
	if err := s.cluster.call(clusterJob{Objects: s.settings.objects, Size: s.settings.size}, &state); err != nil {
		return err
	}
	s.url = state.URL
	return nil
}

func (s *watchSite) close() error { return errors.Join(s.cluster.stop(), s.hung.Close()) }

// compete measures one process, and one more for the restart.
func (s *watchSite) compete(ctx context.Context, c contest, run int, to *watchResults) error {
	var repositories []string
	job := watchJob{
		Case: c.kase, System: c.system, Cluster: s.url, Objects: s.settings.objects,
		Idle: s.settings.idle, Writes: s.settings.writes, Round: run,
	}
	for i := range c.destinations {
		url := "http://" + s.hung.Addr().String() + fmt.Sprintf("/hung-%d.git", i)
		if i >= c.hung && c.kase != caseWatch {
			name := fmt.Sprintf("%s-%d-%d-%d.git", strings.ReplaceAll(c.kase, " ", "-"), c.destinations, run, i)
			if err := copyRepository(s.template("empty"), s.remote(name)); err != nil {
				return err
			}
			repositories, url = append(repositories, name), s.field.url+"/"+name
		}
		job.Repositories = append(job.Repositories, url)
	}
	if job.Hung = c.hung; c.hung > 0 && c.hung == c.destinations {
		job.Writes = 0 // they would arrive nowhere
	}
	if err := s.run(ctx, job, repositories, to); err != nil || !c.restarts {
		return err
	}
	job.Case, job.Writes = caseRestart, 0
	return s.run(ctx, job, repositories, to)
}

// run measures one process.
func (s *watchSite) run(ctx context.Context, job watchJob, repositories []string, to *watchResults) (err error) {
	before, err := s.commits(ctx, repositories)
	if err != nil {
		return err
	}
	p, err := start(ctx, "", "watch", job.Case+" "+job.System, s.home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var r watchRound
	if err := p.call(job, &r.watchSample); err != nil {
		return err
	}
	after, err := s.commits(ctx, repositories)
	if err != nil {
		return err
	}
	if job.Case == caseMirror || job.Case == caseOneHang {
		if err := s.check(ctx, repositories); err != nil {
			return err
		}
	}
	var served serverState
	if err := s.server.call(struct{}{}, &served); err != nil {
		return err
	}
	var cluster clusterState
	if err := s.cluster.call(struct{}{}, &cluster); err != nil {
		return err
	}
	r.served, s.total = served.Served.minus(s.total), served.Served
	r.Lists, s.lists = cluster.Lists-s.lists, cluster.Lists
	r.Commits = after - before
	s.progress("  synced after %s, peak %.1f MB, %d lists, %d pushes", r.Synced.Round(time.Millisecond), megabytes(r.Peak), r.Lists, r.Pushes)
	to.add(job, r)
	return nil
}

// commits counts those of all repositories.
func (s *watchSite) commits(ctx context.Context, repositories []string) (sum int, err error) {
	for _, name := range repositories {
		out, err := git(ctx, s.remote(name), nil, s.env, "rev-list", "--count", "--all")
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// check fails unless every repository has a file for each object, and in its history each file as
// often as it was written: all in the seed once.
func (s *watchSite) check(ctx context.Context, repositories []string) error {
	for _, name := range repositories {
		out, err := git(ctx, s.remote(name), nil, s.env, "ls-tree", "-r", "--name-only", branch)
		if err != nil {
			return err
		}
		if files := strings.Count(out, "/configmaps/"); files != s.settings.objects {
			return fmt.Errorf("repository %s: %d files of objects, want %d", name, files, s.settings.objects)
		}
		out, err = git(ctx, s.remote(name), nil, s.env, "log", "--format=", "--name-only", branch)
		if err != nil {
			return err
		}
		if writes := strings.Count(out, "/configmaps/"); writes != s.settings.objects+s.settings.writes {
			return fmt.Errorf("repository %s: files were written %d times, want %d of the seed and %d of changes",
				name, writes, s.settings.objects, s.settings.writes)
		}
	}
	return nil
}
