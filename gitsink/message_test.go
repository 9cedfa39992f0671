package gitsink

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// RBAC allows any name without "/" and "%".
func TestNoNameIsMoreThanANameInACommitMessage(t *testing.T) {
	names := []string{
		"a\n\nSigned-off-by: Eve <eve@example.com>", "[skip ci]", "x\n\n\nskip-checks: true", "***NO_CI***",
		"Fixes #1 @org/team", "\x1b[2J", strings.Repeat("é", 4000),
	}
	role := func(name string) event.Event {
		e := write("prod", name, "1")
		e.Resource = event.Resource{Version: "v1", Kind: "ClusterRole", ID: event.ID{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: name}}
		return e
	}
	var all []event.Event
	for _, name := range names {
		all = append(all, role(name))
	}
	batches := [][]event.Event{all}
	for _, e := range all {
		batches = append(batches, []event.Event{e})
	}
	for _, events := range batches {
		sink := &memorySink{}
		d := to("prod")
		d.BaseFolder = "clusters/[ci skip]"
		for i := range events {
			events[i].Destination = d
		}
		w, _ := newTestWriter(t, sink, nil)
		require.NoError(t, w.Handle(t.Context(), batch(events...)))
		message := sink.commits[0].Message
		require.Empty(t, trailers(t, message), message)
		require.NotContains(t, message, "[skip ci]")
		require.NotContains(t, message, "[ci skip]")
		require.NotContains(t, message, "NO_CI**")
		require.NotContains(t, message, "@org")
		require.NotContains(t, message, "\x1b")
		require.LessOrEqual(t, len(message), 1000+len(events)*400)
		subject, body, _ := strings.Cut(message, "\n")
		require.LessOrEqual(t, len(subject), 400)
		for line := range strings.Lines(strings.TrimSpace(body)) {
			require.True(t, strings.HasPrefix(line, "- "), line)
		}
	}
}

// trailers asks git.
func trailers(t *testing.T, message string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "interpret-trailers", "--parse")
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}
