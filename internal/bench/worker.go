package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// The systems that are compared, and the process that does nothing.
const (
	kubescribe = "kubescribe"
	commandGit = "git"
	goGit      = "go-git"
	idle       = "idle"
)

// The cases.
const (
	casePush  = "push"
	caseFirst = "first"
)

// workerJob is what a worker is started with.
type workerJob struct {
	Case, System string
	URL          string // the repository
	Dir          string // of the clone: it is there for what has a warm one, otherwise it is to be made
}

// change asks a worker for one round.
type change struct {
	Path    string
	Content []byte
}

// sample is a worker's answer: what the round took, and the most memory that was ever held. The first answer says that
// the worker is ready; its times are zero.
type sample struct {
	Wall, CPU time.Duration
	Peak      int64 // bytes
}

// system is one way to commit a file and push it.
type system interface {
	// push changes one file, commits and pushes. When it returns, the remote has the commit.
	push(ctx context.Context, c change) error
	// tidy removes what a round leaves behind. It is not measured.
	tidy() error
}

// work is the child process that a system runs in.
func work(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	var job workerJob
	if err := in.Decode(&job); err != nil {
		return err
	}
	s, err := open(job)
	if err != nil {
		return fmt.Errorf("%s %s: %w", job.Case, job.System, err)
	}
	var last sample
	for {
		if last.Peak, err = peakMemory(job.System); err != nil {
			return err
		}
		if err := out.Encode(last); err != nil {
			return err
		}
		var c change
		if err := in.Decode(&c); err != nil {
			return err
		}
		if last, err = timed(ctx, s, c); err != nil {
			return fmt.Errorf("%s %s: %w", job.Case, job.System, err)
		}
	}
}

// open makes the system of the job ready for its first round.
func open(job workerJob) (system, error) {
	switch job.Case + " " + job.System {
	case casePush + " " + kubescribe:
		return newWarmSink(job), nil
	case caseFirst + " " + kubescribe:
		return newColdSink(job), nil
	case casePush + " " + commandGit:
		return &warmClone{dir: job.Dir}, nil
	case caseFirst + " " + commandGit:
		return newColdClone(job), nil
	case casePush + " " + goGit:
		return newWorktree(job)
	case casePush + " " + idle:
		return nil, nil
	}
	return nil, fmt.Errorf("case %q is not measured for %q", job.Case, job.System)
}

// timed measures one push.
func timed(ctx context.Context, s system, c change) (sample, error) {
	cpu, err := cpuTime()
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	if err := s.push(ctx, c); err != nil {
		return sample{}, err
	}
	wall := time.Since(begin)
	after, err := cpuTime()
	if err != nil {
		return sample{}, err
	}
	return sample{Wall: wall, CPU: after - cpu}, s.tidy()
}
