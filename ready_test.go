package kubescribe

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// inSync is the status of a destination with nothing wrong.
func inSync() DestinationStatus {
	return DestinationStatus{
		Status: gitsink.Status{LastSeed: time.Unix(1, 0), Tip: "c"}, Rules: 1, Synced: true,
		Watch: source.DestinationStatus{Streams: 2, Complete: 2, Seeds: 1},
	}
}

// verdicts has a status for each reason of this package, and for some of package gitsink.
func verdicts() map[Reason]func(*DestinationStatus) {
	pods := event.Collection{Resource: "pods", All: true}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no list"))
	return map[Reason]func(*DestinationStatus){
		ReasonInSync:  func(*DestinationStatus) {},
		ReasonWriting: func(st *DestinationStatus) { st.Synced, st.Line.Waiting, st.Line.InHand = false, 2, 1 },
		ReasonSeeding: func(st *DestinationStatus) {
			st.Synced, st.LastSeed, st.Watch = false, time.Time{}, source.DestinationStatus{Streams: 3, Complete: 1, Waiting: 7}
		},
		ReasonNoRules:     func(st *DestinationStatus) { st.Rules = 0 },
		ReasonRuleInvalid: func(st *DestinationStatus) { st.InvalidRules = []types.NamespacedName{{Name: "r"}, {Name: "s"}} },
		ReasonTypeNotServed: func(st *DestinationStatus) {
			st.Watch.Faults = []*ruleset.TypeError{{Groups: []string{""}, Resource: "pod", Err: ruleset.ErrNotServed}}
		},
		ReasonForbidden: func(st *DestinationStatus) {
			st.Watch.Incomplete = []source.Incomplete{{Collection: pods, Err: errors.New("too slow")}, {Collection: pods, Err: forbidden}}
		},
		ReasonListingFailed: func(st *DestinationStatus) {
			st.Watch.Incomplete = []source.Incomplete{{Collection: pods, Err: errors.New("too slow")}}
		},
		ReasonNotFollowed: func(st *DestinationStatus) {
			st.Watch.NotFollowed = []source.Incomplete{{Collection: pods, Err: errors.New("connection refused")}}
		},
		ReasonFolderExcluded:   func(st *DestinationStatus) { st.Excluded = orphan.NewFound([]string{"apps/"}) },
		ReasonFolderNotAdopted: func(st *DestinationStatus) { st.Unadopted = []string{"a.yaml"} },
		ReasonDeletionsHeld: func(st *DestinationStatus) {
			st.Held = &orphan.TooManyError{Found: *orphan.NewFound([]string{"a.yaml", "b.yaml"}), Files: 3}
		},
		ReasonObjectsLeftOut: func(st *DestinationStatus) {
			st.Watch.Refused, st.Watch.RefusedCount = []source.Refused{{ID: event.ID{Resource: "secrets", Name: "x"}, Err: event.ErrSecret}}, 242
		},
		gitsink.ReasonUnauthorized:      func(st *DestinationStatus) { st.Line.Err = &gitsink.Error{Op: "push", Err: gitsink.ErrAuth} },
		gitsink.ReasonServerUnavailable: func(st *DestinationStatus) { st.Err = &gitsink.Error{Op: "fetch", Err: gitsink.ErrUnavailable} },
	}
}

func TestEachReasonHasAStatusThatIsNotReadyForIt(t *testing.T) {
	t.Parallel()
	for want, spoil := range verdicts() {
		st := inSync()
		spoil(&st)
		ready, reason, message := st.Ready()
		require.Equal(t, want, reason)
		require.Equal(t, want == ReasonInSync || want == ReasonWriting, ready, reason)
		require.NotEmpty(t, message, reason)
		require.NotContains(t, message, "\n")
	}
	for _, reason := range constants(t, "ready.go", "Reason") {
		require.Contains(t, verdicts(), Reason(reason))
	}
}

func TestTheReasonIsWhatSomebodyHasToActUponFirst(t *testing.T) {
	t.Parallel()
	order := []Reason{
		gitsink.ReasonUnauthorized, ReasonRuleInvalid, ReasonNoRules, ReasonTypeNotServed, ReasonForbidden, ReasonFolderExcluded,
		ReasonFolderNotAdopted, ReasonDeletionsHeld, ReasonObjectsLeftOut, ReasonWriting,
	}
	for i := range order {
		st := inSync()
		for _, also := range order[i:] {
			verdicts()[also](&st)
		}
		_, reason, _ := st.Ready()
		require.Equal(t, order[i], reason)
	}
}

func TestTheMessageSaysHowMuchAndOfWhat(t *testing.T) {
	t.Parallel()
	for reason, says := range map[Reason][]string{
		ReasonSeeding:        {"1 of 3 collections are listed", "7 objects wait to be read"},
		ReasonWriting:        {"3 changes wait to be written"},
		ReasonRuleInvalid:    {"/r is left out, and 1 more"},
		ReasonForbidden:      {"pods", "forbidden", "and 1 more"},
		ReasonDeletionsHeld:  {"2 of 3 files", "a.yaml"},
		ReasonObjectsLeftOut: {"secrets", "x", "and 241 more"},
	} {
		st := inSync()
		verdicts()[reason](&st)
		_, _, message := st.Ready()
		for _, words := range says {
			require.Contains(t, message, words, reason)
		}
	}
	st := inSync()
	st.Uncovered = orphan.NewFound([]string{"a.yaml"})
	ready, _, message := st.Ready()
	require.True(t, ready, "nothing is wrong with files that wait for Prune")
	require.Contains(t, message, "1 files that no rule covers")
}

// constants returns the strings of the constants of a file whose names begin with a prefix. One
// that is made of another package's constant has the empty string and is left out.
func constants(t *testing.T, file, prefix string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			if value, is := spec.Values[0].(*ast.BasicLit); is {
				text, err := strconv.Unquote(value.Value)
				require.NoError(t, err)
				values = append(values, text)
			}
		}
		return true
	})
	require.NotEmpty(t, values, fmt.Sprint(file, " has none"))
	return values
}
