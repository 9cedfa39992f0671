package kubescribe

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestNoCredentialStandsInTheStatusPageOrItsJSON(t *testing.T) {
	t.Parallel()
	s := serve(t, &StatusHandlerOptions{Allow: func(*http.Request) bool { return true }}, "alpha")
	rules := manyRules("alpha")
	rules.Repositories = append(rules.Repositories, destination.Repository{Ref: destination.Ref{Namespace: "default", Name: "bad"}, URL: "https://user:s3cr3t-password@git.example/x"})
	rules.Destinations = append(rules.Destinations, destination.Spec{Ref: destination.Ref{Namespace: "default", Name: "broken"}, RepositoryRef: rules.Repositories[1].Ref, Branch: "main"})
	require.Error(t, s.SetRules(rules))
	alpha, _ := s.set.Get(destination.Ref{Namespace: "default", Name: "alpha"})
	s.know(t, "alpha", gitsink.Status{Err: &gitsink.Error{Op: "push", Destination: alpha, Err: gitsink.ErrAuth}})
	for _, query := range []string{"", "?format=json"} {
		_, text := s.ask(t, http.MethodGet, query, nil)
		require.NotContains(t, text, "s3cr3t")
		require.Contains(t, text, "https://git.example/org/r")
		require.Contains(t, text, "broken")
	}
}

func TestTheJSONOfTheStatusHasStableNames(t *testing.T) {
	t.Parallel()
	ref, st := writtenTo("prod")
	st.Tip, st.LastSeed, st.LastCommit = "0123", pageTime.Add(-time.Hour), pageTime.Add(-3*time.Hour)
	st.Line = queue.KeyStats{
		Waiting: 3, InHand: 1, Bytes: 42, Oldest: pageTime.Add(-7 * time.Second), Attempts: 2, Parked: pageTime.Add(-time.Second),
		Until: pageTime.Add(time.Minute), Permanent: true, Err: &gitsink.Error{Op: "push", Err: gitsink.ErrAuth},
	}
	st.Held = &orphan.TooManyError{Found: *orphan.NewFound([]string{"a.yaml", "b.yaml"}), Files: 3}
	st.Watch = source.DestinationStatus{
		Streams: 2, Complete: 1, Waiting: 7, Seeds: 1, RefusedCount: 5, Err: errors.New("slow"),
		Refused:    []source.Refused{{ID: event.ID{Resource: "secrets", Name: "x"}, Err: event.ErrSecret}},
		Incomplete: []source.Incomplete{{Collection: event.Collection{Resource: "pods", All: true}, Err: errors.New("no")}},
		Faults:     []*ruleset.TypeError{{Rule: types.NamespacedName{Name: "r"}, Resource: "pod", Err: ruleset.ErrNotServed}},
	}
	st.InvalidRules = []types.NamespacedName{{Namespace: "n", Name: "bad"}}
	all := only(ref, st)
	all.Queue, all.Err = queue.Stats{Lines: 1, Waiting: 3, InHand: 1, Bytes: 42, Parked: 1}, errors.New("v1beta1")
	maker := reporter{now: pageTime}
	report := maker.report(all, []namedRule{
		{types.NamespacedName{Namespace: "n", Name: "bad"}, RuleStatus{Err: errors.New("bad verb")}}, {name: types.NamespacedName{Name: "r"}},
	}, statusFilter{})
	recorder := httptest.NewRecorder()
	writeJSON(recorder, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, report)
	golden, err := os.ReadFile("testdata/status.json")
	require.NoError(t, err)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, recorder.Body.Bytes(), "", "  "))
	require.Empty(t, cmp.Diff(string(golden), indented.String()))
}

// A program reads the names in the documentation, so both have to be complete.
func TestEachNameInTheJSONOfTheStatusIsDocumented(t *testing.T) {
	t.Parallel()
	comment, err := os.ReadFile("statuspage.go")
	require.NoError(t, err)
	page, err := os.ReadFile("docs/status-page.md")
	require.NoError(t, err)
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] || of == reflect.TypeFor[time.Time]() {
			return
		}
		seen[of] = true
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			require.NotEmpty(t, name, field.Name)
			if name == "-" {
				continue
			}
			require.Regexp(t, `^[a-z][a-zA-Z]*$`, name)
			require.Regexp(t, `(?m)^//.*\b`+name+`\b`, string(comment))
			require.Contains(t, string(page), "`"+name+"`")
			visit(field.Type)
		}
	}
	visit(reflect.TypeFor[statusReport]())
	require.Greater(t, len(seen), 8)
}

func TestJSONIsForWhoeverPrefersIt(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "prod")
	const page, data = "text/html; charset=utf-8", "application/json"
	for _, c := range []struct{ query, accept, want string }{
		{"", "", page}, {"", "*/*", page}, {"", "application/json", data}, {"", "application/json, text/plain, */*", data},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", page}, {"", "text/html;q=0.4, application/json;q=0.5", data},
		{"", "text/html, application/json;q=0.5", page}, {"?format=json", "text/html", data}, {"?format=html", "application/json", page},
	} {
		answer, _ := s.ask(t, http.MethodGet, c.query, nil, "Accept", c.accept)
		require.Equal(t, c.want, answer.Header.Get("Content-Type"), c)
	}
}
