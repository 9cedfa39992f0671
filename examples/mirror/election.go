package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/kubescribe/kubescribe"
)

// leaseName is the name of the Lease by which one of several processes leads.
const leaseName = "kubescribe-mirror"

// The times of the election, as those of controller-runtime.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// errNoLeader means that another process leads, or may lead by now.
var errNoLeader = errors.New("not the leader any more")

// election decides by a Lease which of several processes writes.
type election struct {
	lock  resourcelock.Interface
	leads atomic.Bool
}

func newElection(cluster *rest.Config, namespace string) (*election, error) {
	lock, err := kubescribe.NewLease(cluster, types.NamespacedName{Namespace: namespace, Name: leaseName})
	return &election{lock: lock}, err
}

// lead waits until this process leads, and runs f then, until ctx ends or it leads no more. The
// Lease is kept until f has returned, so that f can push what it has, and given up then. The error
// is errNoLeader if it was lost before.
func (e *election) lead(ctx context.Context, log logr.Logger, f func(context.Context) error) error {
	electing, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), log.V(1)))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		if !e.leads.Load() {
			stop()
		}
	})()
	ended := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: e.lock, Name: leaseName, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(lease context.Context) {
				e.leads.Store(true)
				running, end := context.WithCancel(ctx)
				defer end()
				defer context.AfterFunc(lease, end)()
				log.Info("this process leads")
				ended <- f(running)
				stop()
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				if identity != e.lock.Identity() {
					log.Info("another process leads, this one stands by", "leader", identity)
				}
			},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(electing)
	if !e.leads.Load() {
		return nil // ctx has ended before
	}
	err = <-ended
	if ctx.Err() == nil && err == nil {
		log.Info("this process does not lead any more, and ends")
		return errNoLeader
	}
	return err
}
