package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// follow runs the Mirror until a signal, or as long as it leads, with all that is beside it. What
// is beside it has ended when it returns.
func (p *program) follow(ctx context.Context) (int, error) {
	beside, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	if p.listen != "" {
		serve, err := p.serve()
		if err != nil {
			return exitInput, fmt.Errorf("--listen %s: %w", p.listen, err)
		}
		group.Go(func() { serve(beside) })
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	group.Go(func() { p.reload(beside, hup) })
	group.Go(func() { p.wake(beside) })
	if p.election == nil {
		return exitCode(p.mirror.Start(ctx))
	}
	err := p.election.lead(ctx, p.log, p.mirror.Start)
	if errors.Is(err, errNoLeader) {
		return exitFailed, nil // the log says it
	}
	return exitCode(err)
}

// wakeInterval is how often the Secrets are looked at of destinations whose credentials are
// refused.
const wakeInterval = 10 * time.Second

// wake has destinations tried again whose Secret in the cluster has changed since it was refused.
// While nothing is refused it asks for nothing.
func (p *program) wake(ctx context.Context) {
	ticker := time.NewTicker(wakeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for ref, st := range p.mirror.Status().Destinations {
			if refusesCredentials(st) && p.credentials.changed(ctx, st.Destination.RepositoryRef) {
				p.log.Info("the Secret has changed: trying again", "destination", ref.String())
				_ = p.mirror.Wake(ref) // it may have gone meanwhile
			}
		}
	}
}
