package kubescribe_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// What a misspelt value would do otherwise is the default, which for a Policy is to delete.
func TestAnUnknownValueOfAnEnumerationIsAnErrorAtTheDoor(t *testing.T) {
	t.Parallel()
	compile := func(r ruleset.Rule) error {
		set, err := destination.Resolve([]destination.Repository{{Ref: repoRef, URL: "https://host/r"}},
			[]destination.Spec{{Ref: prodRef, RepositoryRef: repoRef, Branch: "main"}})
		require.NoError(t, err)
		r.Name, r.Destination = types.NamespacedName{Name: "r"}, prodRef
		if r.Resources == nil {
			r.Resources = []ruleset.ResourceRule{{}}
		}
		_, err = ruleset.Compile(set, r)
		return err
	}
	written := event.Event{
		Destination: destination.Destination{Ref: prodRef, Repository: "https://host/r", Branch: "main"}, Operation: event.Update,
		Resource: event.Resource{ID: event.ID{Resource: "configmaps", Name: "x"}}, Content: event.NewContent([]byte("x")),
	}
	require.NoError(t, written.Validate())
	for name, c := range map[string]struct {
		give func() error
		says []string // the field, the value, what it may be
	}{
		"orphan.Policy": {func() error {
			_, err := orphan.Find(slices.Values([]string{"a"}), event.DefaultLayout, nil, &orphan.Options{Policy: "never"}, orphan.Approval{})
			return err
		}, []string{"Policy", `"never"`, "Never", "OnDelete", "Always"}},
		"orphan.Policy of a Mirror": {func() error {
			m, err := kubescribe.New(&rest.Config{Host: "https://127.0.0.1:1"}, nil)
			require.NoError(t, err)
			return m.SetRules(kubescribe.Rules{Orphans: map[destination.Ref]orphan.Options{prodRef: {Policy: "never"}}})
		}, []string{"Orphans[default/prod]", "Policy", `"never"`, "Never", "OnDelete", "Always"}},
		"gitsink.CommitPer": {func() error {
			_, err := gitsink.NewWriter(gitsinktest.NewFake(), "c", &gitsink.WriterOptions{CommitPer: 7})
			return err
		}, []string{"CommitPer", "7", "Batch", "PerAuthor", "PerEvent"}},
		"gitsink.CommitPer of a Mirror": {func() error {
			_, err := kubescribe.New(&rest.Config{Host: "https://127.0.0.1:1"}, &kubescribe.Options{Write: gitsink.WriterOptions{CommitPer: -1}})
			return err
		}, []string{"CommitPer", "-1", "Batch", "PerAuthor", "PerEvent"}},
		"event.Precondition": {func() error {
			e := written
			e.Precondition = 9
			return e.Validate()
		}, []string{"Precondition", "9", "Always", "IfAbsent", "IfPresent"}},
		"event.Operation": {func() error {
			e := written
			e.Operation = "update"
			return e.Validate()
		}, []string{"Operation", `"update"`, "CREATE", "UPDATE", "DELETE"}},
		"ruleset.Scope": {func() error {
			return compile(ruleset.Rule{Resources: []ruleset.ResourceRule{{Scope: "cluster"}}})
		}, []string{"Resources[0].Scope", `"cluster"`, "Cluster", "Namespaced"}},
		"ruleset operations": {func() error {
			return compile(ruleset.Rule{Resources: []ruleset.ResourceRule{{Operations: []event.Operation{"create"}}}})
		}, []string{"Resources[0].Operations[0]", `"create"`, "CREATE", "UPDATE", "DELETE"}},
		"ruleset.Preset": {func() error {
			return compile(ruleset.Rule{Skip: []ruleset.Preset{"events"}})
		}, []string{"Skip[0]", `"events"`, "Events", "Leases", "Endpoints", "RootCA"}},
		"protocol": {func() error {
			_, err := destination.Resolve([]destination.Repository{{Ref: repoRef, URL: "ftp://host/r"}}, nil)
			return err
		}, []string{"URL", `"ftp://host/r"`, "ssh", "https"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.give()
			require.Error(t, err)
			for _, word := range c.says {
				require.ErrorContains(t, err, word)
			}
		})
	}
}
