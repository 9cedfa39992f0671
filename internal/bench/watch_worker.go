package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// watchJob is what a process of the command watch is started with.
type watchJob struct {
	Case, System string
	Cluster      string   // its URL
	Objects      int      // in it
	Repositories []string // a destination each
	Hung         int      // of these, the first ones: they never answer
	Idle         time.Duration
	Writes       int
	Round        int // decides which objects are written
}

// watchSample is its answer, when all is measured.
type watchSample struct {
	Synced, CPU   time.Duration // until everything is synced
	Idle, IdleCPU time.Duration // after that, while nothing happens
	Lags          []time.Duration
	Peak          int64 // the most memory that was ever held
	Live          int64 // the heap in the end, without garbage
}

// follower follows a cluster.
type follower interface {
	// sync starts it, and returns when everything is where it should be.
	sync(ctx context.Context) error
	// arrived waits until the change of an object that was made at a time is there. It returns when
	// that was.
	arrived(ctx context.Context, name string, made time.Time) (time.Time, error)
	// window is the part of the way that is waiting for more changes, by choice.
	window() time.Duration
}

var followers = map[[2]string]func(watchJob, *rest.Config) (follower, error){
	{caseWatch, kubescribe}:     newWatcherFollower,
	{caseWatch, systemByWatch}:  newWatcherFollower,
	{caseWatch, systemInformer}: newInformerFollower,
	{caseWatch, systemLean}:     newInformerFollower,
	{caseMirror, kubescribe}:    newMirrorFollower,
	{caseOneHang, kubescribe}:   newMirrorFollower,
	{caseAllHang, kubescribe}:   newMirrorFollower,
	{caseRestart, kubescribe}:   newMirrorFollower,
}

// watchWork is the child process that follows the cluster.
func watchWork(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	var job watchJob
	if err := in.Decode(&job); err != nil {
		return err
	}
	make, ok := followers[[2]string{job.Case, job.System}]
	if !ok {
		return fmt.Errorf("case %q is not measured for %q", job.Case, job.System)
	}
	ctx, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	f, err := make(job, clusterConfig(job.Cluster))
	if err != nil {
		return err
	}
	sample, err := job.measure(ctx, f)
	if err != nil {
		return err
	}
	if err := out.Encode(sample); err != nil {
		return err
	}
	return in.Decode(&struct{}{}) // until the parent has no more to ask; f ends with the process
}

// watchPatience is how long a process may take.
const watchPatience = 30 * time.Minute

func clusterConfig(url string) *rest.Config {
	return &rest.Config{Host: url, QPS: -1, ContentConfig: rest.ContentConfig{
		ContentType: apiruntime.ContentTypeJSON, AcceptContentTypes: apiruntime.ContentTypeJSON,
	}}
}

func (j watchJob) measure(ctx context.Context, f follower) (watchSample, error) {
	var s watchSample
	var err error
	if s.Synced, s.CPU, err = spent(func() error { return f.sync(ctx) }); err != nil {
		return s, err
	}
	if s.Idle, s.IdleCPU, err = spent(func() error { return wait(ctx, j.Idle) }); err != nil {
		return s, err
	}
	if s.Lags, err = j.write(ctx, f); err != nil {
		return s, err
	}
	if s.Peak, err = peakMemory(j.System); err != nil {
		return s, err
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Live = int64(m.HeapAlloc)
	runtime.KeepAlive(f)
	return s, nil
}

// write changes objects one after the other and says how long each change was on its way.
func (j watchJob) write(ctx context.Context, f follower) ([]time.Duration, error) {
	client, err := dynamic.NewForConfig(clusterConfig(j.Cluster))
	if err != nil {
		return nil, err
	}
	var lags []time.Duration
	for n := range j.Writes {
		i := (j.Round*j.Writes + n) * 97 % j.Objects
		patch := fmt.Appendf(nil, `{"data":{"changed":%q}}`, time.Now().String())
		made := time.Now()
		if _, err := client.Resource(configMaps).Namespace(watchedNamespace(i)).
			Patch(ctx, watchedName(i), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return nil, err
		}
		at, err := f.arrived(ctx, watchedName(i), made)
		if err != nil {
			return nil, err
		}
		lags = append(lags, at.Sub(made)-f.window())
	}
	return lags, nil
}

// spent is the time that f takes.
func spent(f func() error) (wall, cpu time.Duration, err error) {
	before, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return 0, 0, err
	}
	wall = time.Since(began)
	after, err := cpuTime()
	return wall, after - before, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrivals are when changes arrived, of one destination or of several.
type arrivals chan arrival

type arrival struct {
	what string
	at   time.Time
}

func (a arrivals) add(ctx context.Context, what string) {
	select {
	case a <- arrival{what, time.Now()}:
	case <-ctx.Done():
	}
}

// until takes arrivals, of which at least so many that count are waited for. It returns when the
// last of them was.
func (a arrivals) until(ctx context.Context, n int, counts func(arrival) bool) (at time.Time, err error) {
	for n > 0 {
		select {
		case next := <-a:
			if counts(next) {
				n, at = n-1, next.at
			}
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
	return at, nil
}
