package ruleset_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// counting is a Condition that says what it is told and counts how often it is asked.
type counting struct {
	holds bool
	err   error
	asked int
	last  ruleset.Input
}

func (c *counting) Holds(in ruleset.Input) (bool, error) {
	c.asked++
	c.last = in
	return c.holds, c.err
}

func TestAConditionSeesTheWholeObjectOnceAndOnlyWhatEverythingElseSelected(t *testing.T) {
	c := &counting{holds: true}
	r := rule("", "r", "a", resources("pods"), resources("*"), ruleset.ResourceRule{APIGroups: []string{""}})
	r.Condition, r.SkipControlled = c, true
	r.Exclude = []ruleset.Exclusion{{Names: []string{"excluded"}}}
	s := compile(t, r, rule("", "other", "b", resources("pods")))
	in := pod("x", "p")
	in.Object = map[string]any{"kind": "Pod"}
	require.Len(t, s.Match(in), 2)
	require.Equal(t, 1, c.asked, "three ResourceRules select the object")
	require.Equal(t, in, c.last)

	controlled := in
	controlled.Controlled = true
	s.Match(controlled)
	s.Match(pod("x", "excluded"))
	require.Equal(t, 1, c.asked)

	c.holds = false
	matches := s.Match(in)
	require.Len(t, matches, 1)
	require.Equal(t, name("git", "b"), matches[0].Destination.Ref)
}

func TestAConditionThatCannotBeEvaluatedKeepsTheFileAsItIs(t *testing.T) {
	c := &counting{err: errors.New("no such key: spec")}
	r := rule("", "broken", "a", resources("pods"))
	r.Condition = c
	matches := compile(t, r).Match(pod("x", "p"))
	require.Len(t, matches, 1, "the object is claimed, else its file would be an orphan")
	require.False(t, matches[0].Writes)
	require.True(t, matches[0].Delete, "once the object is gone, there is nothing left to ask")
	require.ErrorIs(t, matches[0].Err, c.err)
	var fault *ruleset.ConditionError
	require.ErrorAs(t, matches[0].Err, &fault)
	require.Equal(t, name("", "broken"), fault.Rule)
	require.EqualError(t, matches[0].Err, "ClusterWatchRule broken: Condition: no such key: spec")

	matches = compile(t, r, rule("x", "good", "a", operations(resources("pods"), event.Update))).Match(pod("x", "p"))
	require.Len(t, matches, 1)
	require.True(t, matches[0].Writes, "another rule of the destination asks for it")
	require.Equal(t, event.IfPresent, matches[0].Precondition)
	require.ErrorIs(t, matches[0].Err, c.err)
	require.Equal(t, []types.NamespacedName{name("", "broken"), name("x", "good")}, matches[0].Rules)
}
