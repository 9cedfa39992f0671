package kubescribe

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
)

// seal is an Encryptor that cannot be compared: a map is no key, and == on it panics.
type seal map[string]string

func (seal) Encrypt(context.Context, event.Plaintext) ([]byte, error) {
	return nil, nil
}

func (seal) Same(context.Context, event.Plaintext) (bool, error) {
	return false, nil
}

func TestWhatTheMirrorSetsItselfIsRefused(t *testing.T) {
	t.Parallel()
	for says, opts := range map[string]*Options{
		"Run.DrainTimeout is set by the Mirror: set DrainTimeout":                                   {Run: queue.RunOptions{DrainTimeout: 1}},
		"Run.EndTimeout is set by the Mirror":                                                       {Run: queue.RunOptions{EndTimeout: 1}},
		"Source.Encryptor is set by the Mirror: set Write.Encryptor":                                {Source: source.Options{Encryptor: seal{}}},
		"Write.Policy is set by the Mirror: use Rules.Orphans, Layouts and Kustomizations, Approve": {Write: gitsink.WriterOptions{Policy: (&Mirror{}).policy}},
		"CommitPer 9": {Write: gitsink.WriterOptions{CommitPer: 9}},
		`AllowedLocalFolders: "repos": invalid: a path must be absolute`: {Git: gogit.Options{AllowedLocalFolders: []string{"repos"}}},
	} {
		_, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, opts)
		require.ErrorContains(t, err, "kubescribe: Options: ", says)
		require.ErrorContains(t, err, says)
	}
	_, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, &Options{
		Run: queue.RunOptions{DrainTimeout: 1}, Write: gitsink.WriterOptions{CommitPer: 9, Encryptor: seal{}},
	})
	require.ErrorContains(t, err, "Run.DrainTimeout")
	require.ErrorContains(t, err, "CommitPer", "all faults at once")
}

func TestThePartsHaveTheLoggerAndTheMetersOfTheMirror(t *testing.T) {
	t.Parallel()
	var all, own lines
	meters, others := &struct{ noop.MeterProvider }{}, &struct{ noop.MeterProvider }{}
	o := (&Options{Logger: all.logger(), MeterProvider: meters}).withDefaults()
	for _, part := range []logr.Logger{o.Git.Logger, o.Queue.Logger, o.Run.Logger, o.Source.Logger} {
		require.Equal(t, o.Logger, part)
	}
	for _, part := range []metric.MeterProvider{o.Queue.MeterProvider, o.Run.MeterProvider} {
		require.Same(t, meters, part)
	}
	mine := own.logger()
	o = (&Options{
		Logger: all.logger(), MeterProvider: meters, Git: gogit.Options{Logger: mine}, Source: source.Options{Logger: mine},
		Queue: queue.Options{Logger: mine, MeterProvider: others}, Run: queue.RunOptions{Logger: mine, MeterProvider: others},
		Write: gitsink.WriterOptions{Encryptor: seal{}},
	}).withDefaults()
	for _, part := range []logr.Logger{o.Git.Logger, o.Queue.Logger, o.Run.Logger, o.Source.Logger} {
		require.Equal(t, mine, part)
	}
	for _, part := range []metric.MeterProvider{o.Queue.MeterProvider, o.Run.MeterProvider} {
		require.Same(t, others, part)
	}
	require.Equal(t, seal{}, o.Source.Encryptor, "what the Writer encrypts the source must not refuse")
}

func TestTheRunnerHasItsOptionsAndDrainsIfBothSayYes(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	for _, leads := range []bool{false, true} {
		for _, drains := range []bool{false, true} {
			m.opts.StillLeader = func(context.Context) bool { return leads }
			m.opts.Run = queue.RunOptions{MaxConcurrent: 3, MaxPerGroup: 2, Drain: func() bool { return drains }}
			opts := m.runOptions(t.Context())
			require.Equal(t, leads && drains, opts.Drain())
			require.Equal(t, []int{3, 2}, []int{opts.MaxConcurrent, opts.MaxPerGroup})
			require.Equal(t, m.opts.DrainTimeout, opts.DrainTimeout)
			require.Equal(t, handlersEnd, opts.EndTimeout)
		}
	}
}

func TestAReportIsPassedOnAfterTheStatus(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	var passed []gitsink.Report
	m.opts.Write.OnReport = func(r gitsink.Report) {
		passed = append(passed, r)
		st, _ := m.DestinationStatus(m.ref)
		require.Equal(t, "c", st.Tip)
	}
	r := gitsink.Report{Status: gitsink.Status{Destination: m.to, Tip: "c"}}
	m.writerOptions().OnReport(r)
	require.Equal(t, []gitsink.Report{r}, passed)
}

func TestWhatTheUserHearsIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	told := 0
	var o Options
	o.OnStatus = func(destination.Ref, DestinationStatus) { told++ }
	o.Write.OnReport = func(gitsink.Report) { told++ }
	kept := o.withDefaults()
	kept.OnStatus(destination.Ref{}, DestinationStatus{})
	kept.Write.OnReport(gitsink.Report{})
	require.Equal(t, 2, told)
	none := (*Options)(nil).withDefaults()
	none.OnStatus(destination.Ref{}, DestinationStatus{})
	none.Write.OnReport(gitsink.Report{})
}
