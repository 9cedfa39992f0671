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

// workerJob is what a worker is started with.
type workerJob struct {
	Case, System string
	URL          string // the repository; in cases with several the folder that they are in
	// Dir is that of the clone, or of the clones: there if they are warm, else to be made.
	Dir    string
	Folder string // the base folder, "" for the root
	Count  int    // of destinations, or of events for each

	Repositories, Branches int // of the command events

	program string // of a system that is none of ours; "" for this one
}

// change asks a worker for one round.
type change struct {
	Round   int // counts from 0, the one to warm up
	Path    string
	Content []byte
}

// sample is a worker's answer: what the round took, and the most memory that was ever held. The
// first answer says that the worker is ready; its times are zero.
type sample struct {
	Wall, CPU time.Duration
	Peak      int64 // bytes
}

// system is one way to write to repositories.
type system interface {
	// push does a round: it changes, commits and pushes. When it returns, the remote has the
	// commits.
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
	s, err := open(ctx, job)
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

// systems are all that can be measured, by case and name.
var systems = map[[2]string]func(context.Context, workerJob) (system, error){
	{casePush, kubescribe}:  newWarmSink,
	{caseFirst, kubescribe}: newColdSink,
	{casePush, commandGit}:  newWarmClone,
	{caseFirst, commandGit}: newColdClone,
	{casePush, goGit}:       newWorktree,

	{casePush, systemMetered}: newMeteredSink,

	{caseScope, kubescribe}:      newWarmSink,
	{caseScopeFirst, kubescribe}: newColdSink,
	{caseScopeFirst, commandGit}: newSparseClone,

	{caseBranch, kubescribe}: newBranchFlow,
	{caseBranch, gitOnePush}: newBranchClone,
	{caseBranch, gitPushes}:  newBranchClone,
	{caseBranch, goGit}:      newBranchWorktree,

	{caseAnswering, kubescribe}: newLoneFlow,
	{caseHung, kubescribe}:      newHungFlow,

	{caseEvents, kubescribe}:      newEventsFlow,
	{caseEvents, gitOnePush}:      newImporter,
	{caseEvents, gitPushes}:       newImporter,
	{caseEventsFirst, kubescribe}: newColdEventsFlow,
	{caseEventsFirst, gitOnePush}: newColdImporter,

	{casePush, idle}: func(context.Context, workerJob) (system, error) { return nil, nil },
}

// open makes the system of the job ready for its first round.
func open(ctx context.Context, job workerJob) (system, error) {
	make, ok := systems[[2]string{job.Case, job.System}]
	if !ok {
		return nil, fmt.Errorf("case %q is not measured for %q", job.Case, job.System)
	}
	return make(ctx, job)
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
