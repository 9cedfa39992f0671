package event_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

var team = destination.Destination{
	Ref:        destination.Ref{Namespace: "team-a", Name: "main"},
	Repository: "https://git.example.com/team-a/config.git",
	Branch:     "main",
	BaseFolder: "clusters/prod",
}

var web = event.Resource{
	ID:      event.ID{Group: "apps", Resource: "deployments", Namespace: "default", Name: "web"},
	Version: "v1",
	Kind:    "Deployment",
}

var empty = event.NewInventory(nil, nil)

func TestAnEventIsRefusedUnlessItIsComplete(t *testing.T) {
	for _, c := range []struct {
		name   string
		event  event.Event
		faults []string
	}{
		{"complete create", event.Event{Destination: team, Operation: event.Create, Resource: web, Content: event.NewContent([]byte("a: b\n"))}, nil},
		{"complete update", event.Event{Destination: team, Operation: event.Update, Resource: web, Content: event.NewContent([]byte("a: b\n"))}, nil},
		{"complete delete", event.Event{Destination: team, Operation: event.Delete, Resource: web}, nil},
		{"complete seed sync", event.Event{Destination: team, Operation: event.SeedSync, Inventory: empty}, nil},
		{"zero", event.Event{}, []string{"Destination", "Branch", "Operation"}},
		{"no destination", event.Event{Operation: event.Delete, Resource: web}, []string{"Destination", "Branch"}},
		{"seed sync without destination", event.Event{Operation: event.SeedSync, Inventory: empty}, []string{"Destination", "Branch"}},
		{"empty create", event.Event{Destination: team, Operation: event.Create},
			[]string{"Resource.Resource", "Resource.Name", "Content is empty"}},
		{"delete with content", event.Event{Destination: team, Operation: event.Delete, Resource: web, Content: event.NewContent(nil)}, []string{"Content of a DELETE"}},
		{"delete with live", event.Event{Destination: team, Operation: event.Delete, Resource: web, Inventory: empty}, []string{"Inventory of a DELETE"}},
		{"seed sync with everything else", event.Event{Destination: team, Operation: event.SeedSync, Resource: web, Content: event.NewContent([]byte("x"))},
			[]string{"Resource of a SEED_SYNC", "Content of a SEED_SYNC", "Inventory is nil"}},
		{"create with each condition", event.Event{Destination: team, Operation: event.Create, Resource: web, Content: event.NewContent([]byte("a: b\n")), Precondition: event.IfPresent}, nil},
		{"precondition of another version", event.Event{Destination: team, Operation: event.Create, Resource: web, Content: event.NewContent([]byte("a")), Precondition: 3}, []string{"Precondition 3"}},
		{"precondition that is none", event.Event{Destination: team, Operation: event.Create, Resource: web, Content: event.NewContent([]byte("a")), Precondition: -1}, []string{"Precondition -1"}},
		{"unknown operation", event.Event{Destination: team, Operation: "CONNECT", Resource: web}, []string{`"CONNECT"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.event.Validate()
			if c.faults == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, event.ErrIncomplete)
			for _, fault := range c.faults {
				require.ErrorContains(t, err, fault)
			}
		})
		t.Run("the change of "+c.name, func(t *testing.T) {
			err := c.event.ValidateChange()
			ofChange := slices.DeleteFunc(slices.Clone(c.faults), func(f string) bool { return f == "Destination" || f == "Branch" })
			if len(ofChange) == 0 {
				require.NoError(t, err)
				require.Zero(t, testing.AllocsPerRun(10, func() { _ = c.event.ValidateChange() }))
				return
			}
			require.ErrorIs(t, err, event.ErrIncomplete)
			require.NotContains(t, err.Error(), "Destination")
			for _, fault := range ofChange {
				require.ErrorContains(t, err, fault)
			}
		})
	}
}

func TestNoPrintedFormOfAnEventShowsItsContent(t *testing.T) {
	e := event.Event{Destination: team, Operation: event.Create, Resource: web, Content: event.NewContent([]byte("hunter2"))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "CREATE deployments.apps/default/web for team-a/main", fmt.Sprintf(verb, e))
	}
	require.Equal(t, e.String(), e.MarshalLog())
	sync := event.Event{Destination: team, Operation: event.SeedSync, Inventory: empty}
	require.Equal(t, "SEED_SYNC for team-a/main", sync.String())
}

func TestAnEventKnowsItsWholeDestination(t *testing.T) {
	e := event.Event{Destination: team}
	require.Equal(t, team.Ref, e.DestinationRef())
	require.Equal(t, "main", e.Branch())
	require.Equal(t, "clusters/prod", e.BaseFolder())
}

func TestAPreconditionIsPrintedByItsName(t *testing.T) {
	for c, want := range map[event.Precondition]string{event.Always: "Always", event.IfAbsent: "IfAbsent", event.IfPresent: "IfPresent", 7: "Precondition(7)"} {
		require.Equal(t, want, c.String())
	}
}

func TestAnIDIsPrintedWithItsGroupAndNamespaceIfItHasThem(t *testing.T) {
	require.Equal(t, "deployments.apps/default/web", web.String())
	require.Equal(t, "default/web", web.NamespacedName().String())
	require.Equal(t, "nodes/n1", event.ID{Resource: "nodes", Name: "n1"}.String())
}

func TestAScopeIsPrintedWithItsGroupAndNamespaceIfItHasThem(t *testing.T) {
	require.Equal(t, "deployments.apps in default", event.Collection{Group: "apps", Resource: "deployments", Namespace: "default"}.String())
	require.Equal(t, "pods", event.Collection{Resource: "pods", All: true}.String())
}

func TestAScopeCoversOnlyItsTypeAndNamespace(t *testing.T) {
	all := event.Collection{Resource: "pods", All: true}
	one := event.Collection{Resource: "pods", Namespace: "a"}
	cluster := event.Collection{Resource: "pods"}
	require.True(t, all.Covers(one))
	require.True(t, all.Covers(cluster))
	require.True(t, all.Covers(all))
	require.True(t, one.Covers(one))
	require.False(t, one.Covers(all))
	require.False(t, cluster.Covers(all))
	require.False(t, cluster.Covers(one))
	require.False(t, one.Covers(event.Collection{Resource: "pods", Namespace: "b"}))
	require.False(t, all.Covers(event.Collection{Group: "metrics.k8s.io", Resource: "pods", Namespace: "a"}))
	require.False(t, all.Covers(event.Collection{Resource: "services", Namespace: "a"}))
	require.True(t, event.Collection{Group: "apps", Resource: "deployments", All: true}.Contains(web.ID))
	require.False(t, event.Collection{Resource: "deployments", All: true}.Contains(web.ID), "another group's")
	require.True(t, one.Contains(event.ID{Resource: "pods", Namespace: "a", Name: "x"}))
	require.False(t, one.Contains(event.ID{Resource: "pods", Name: "x"}))
}
