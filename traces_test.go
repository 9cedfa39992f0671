package kubescribe_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/doctable"
	"github.com/kubescribe/kubescribe/internal/spans/spanstest"
)

const tracesPage = "docs/monitoring/traces.md"

func TestThePageOnTracesHasTheSpansOfAMirrorAndNothingElse(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	var failed atomic.Bool
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		if !failed.Swap(true) {
			return errors.New("not now")
		}
		return nil
	})
	configMap(t, c, "a", "one")
	r := &spanstest.Recorder{}
	opts := quick(kubescribe.Options{TracerProvider: r})
	opts.Queue.MinBackoff, opts.Queue.MaxBackoff = 10*time.Millisecond, 10*time.Millisecond
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	require.Eventually(t, failed.Load, 30*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return m.Status().Destinations[prodRef].Synced }, 30*time.Second, time.Millisecond)
	configMap(t, c, "a", "two") // which a watch tells
	require.Eventually(t, func() bool { return strings.Contains(repo.Tree("main")["prod/default/configmaps/a.yaml"], "two") }, 30*time.Second, time.Millisecond)
	require.NoError(t, stop())

	attributes := map[string][]string{}
	byID := map[string]spanstest.Span{}
	for _, s := range r.Spans() {
		require.Equal(t, 1, s.Ended, s.Name)
		byID[s.SpanContext().SpanID().String()] = s
		for key, value := range s.Attributes {
			if !slices.Contains(attributes[s.Name], string(key)) {
				attributes[s.Name] = append(attributes[s.Name], string(key))
			}
			require.NotContains(t, value.String(), "://", "%s of %s", key, s.Name)
		}
		for _, text := range s.Errors {
			require.NotContains(t, text, "://")
		}
	}
	tracesAreDocumented(t, attributes)

	push := r.Named("kubescribe.push")[0]
	require.Equal(t, "kubescribe.batch", byID[push.Parent.SpanID().String()].Name)
	plan := r.Named("kubescribe.plan")[0]
	batch := byID[plan.Parent.SpanID().String()]
	require.Equal(t, "kubescribe.batch", batch.Name)
	require.False(t, batch.Parent.IsValid(), "a batch is a trace of its own")
	require.True(t, push.Failed)
	require.Equal(t, gitsink.ReasonPushRejected, push.Attributes["kubescribe.outcome"].AsString())
	linked := map[string]bool{}
	for _, b := range r.Named("kubescribe.batch") {
		for _, link := range b.Links {
			linked[byID[link.SpanID().String()].Name] = true
		}
	}
	require.Equal(t, map[string]bool{"kubescribe.list": true, "kubescribe.watch": true}, linked, "batches are linked to where their events came from")
	reasons := slices.IndexFunc(r.Spans(), func(s spanstest.Span) bool {
		return s.Attributes["kubescribe.reason"].AsString() == gitsink.ReasonPushRejected && len(s.Errors) == 1 && strings.Contains(s.Errors[0], "not now")
	})
	require.GreaterOrEqual(t, reasons, 0, "a batch that failed says why")
}

// tracesAreDocumented compares the table of spans, and the attributes that the page explains.
func tracesAreDocumented(t *testing.T, attributes map[string][]string) {
	t.Helper()
	var table strings.Builder
	table.WriteString("| span | attributes |\n|---|---|\n")
	var all []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		slices.Sort(attributes[name])
		fmt.Fprintf(&table, "| `%s` | `%s` |\n", name, strings.Join(attributes[name], "`, `"))
		all = append(all, attributes[name]...)
	}
	doctable.Require(t, tracesPage, map[string]string{"spans": table.String()})
	page, err := os.ReadFile(tracesPage)
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(page), "## What the attributes say")
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\|").FindAllStringSubmatch(section, -1) {
		explained = append(explained, row[1])
	}
	slices.Sort(all)
	require.ElementsMatch(t, slices.Compact(all), explained)
}
