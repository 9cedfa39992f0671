package sinkproof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
)

// filesOfWriter is how many files a writer has: the first rounds make them, the others change them.
const filesOfWriter = 7

// access is what a client needs to reach a repository; Key and KnownHosts for SSH only.
type access struct {
	URL             string
	Key, KnownHosts []byte
}

// sink makes a sink that does not pace.
func (a access) sink() *gogit.Sink {
	return gogit.New(&gogit.Options{
		Auth: func(context.Context, destination.Destination) (gogit.Auth, error) {
			return gogit.Auth{SSHPrivateKey: a.Key, KnownHosts: a.KnownHosts}, nil
		},
		RateLimit:           func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} },
		AllowedLocalFolders: []string{os.TempDir()},
	})
}

// writer makes one commit a round in a folder of its own.
type writer struct{ process, goroutine int }

func (w writer) message(round int) string {
	return fmt.Sprintf("p%d g%d r%d", w.process, w.goroutine, round)
}

func (w writer) folder() string { return fmt.Sprintf("p%d/g%d", w.process, w.goroutine) }

func file(round int) string { return fmt.Sprintf("f%d", round%filesOfWriter) }

func content(round int) string { return fmt.Sprintf("%d\n", round) }

// destination: two goroutines of a process share their credentials, and so their pushes; the others
// only their lane.
func (w writer) destination(url string) destination.Destination {
	return destination.Destination{
		Ref:           destination.Ref{Namespace: "team", Name: fmt.Sprintf("dest%d", w.goroutine)},
		RepositoryRef: destination.Ref{Namespace: "team", Name: fmt.Sprintf("repo%d", w.goroutine/2)},
		Repository:    url, Branch: "main", BaseFolder: w.folder(),
	}
}

// plan wants the file of a round to have its content. Where it has, there is nothing to commit: so
// a round that is tried again because nobody knows whether it has landed is not there twice.
func (w writer) plan(round int) gitsink.Plan {
	return func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		found, err := base.Read(ctx, file(round))
		if err != nil || string(found[file(round)]) == content(round) {
			return nil, err
		}
		change := gitsink.Change{Path: file(round), Data: []byte(content(round))}
		return []gitsink.Commit{{Message: w.message(round), Changes: []gitsink.Change{change}}}, nil
	}
}

// last returns the newest round that is on the branch, 0 if there is none.
func (w writer) last(ctx context.Context, s gitsink.GitSink, url string) (int, tally, error) {
	newest := 0
	spent, err := persist(ctx, s, w.destination(url), func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		var paths []string
		for path := range base.Paths("") {
			paths = append(paths, path)
		}
		found, err := base.Read(ctx, paths...)
		newest = 0
		for path, data := range found {
			round, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			newest = max(newest, round)
		}
		return nil, err
	})
	return newest, spent, err
}

// tally is what Applies have cost.
type tally struct{ Applies, Plans, Unavailable, Unknown, Conflict, Garbled int }

func (t *tally) add(u tally) {
	t.Applies += u.Applies
	t.Plans += u.Plans
	t.Unavailable += u.Unavailable
	t.Unknown += u.Unknown
	t.Conflict += u.Conflict
	t.Garbled += u.Garbled
}

// The backoff of persist: shorter than a queue's, or a proof would mostly wait.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
)

// persist applies a plan as often as a queue would: until it succeeds or fails in a way that trying
// again does not help.
func persist(ctx context.Context, s gitsink.GitSink, d destination.Destination, plan gitsink.Plan) (tally, error) {
	var spent tally
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		result, err := s.Apply(ctx, d, plan)
		spent.Applies++
		spent.Plans += result.Attempts
		switch {
		case err == nil, ctx.Err() != nil:
			return spent, err
		case errors.Is(err, gitsink.ErrUnknown):
			spent.Unknown++
		case errors.Is(err, gitsink.ErrConflict):
			spent.Conflict++
		case errors.Is(err, gitsink.ErrUnavailable):
			spent.Unavailable++
		case errors.Is(err, queue.ErrPermanent):
			return spent, err
		// What a cut leaves of an answer may look like a refusal, or like nothing of the
		// protocol's.
		default:
			spent.Garbled++
		}
		select {
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		case <-ctx.Done():
			return spent, err
		}
	}
}
