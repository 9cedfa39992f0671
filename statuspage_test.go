package kubescribe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// pageTime is when the pages of made up statuses are made.
var pageTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// pageOf returns the page of made up statuses.
func pageOf(t *testing.T, st Status, rules ...namedRule) string {
	t.Helper()
	maker := reporter{now: pageTime, limit: maxShown}
	var b strings.Builder
	require.NoError(t, newPageTemplate().Execute(&b, &statusPage{Title: "prod", Report: maker.report(st, rules, statusFilter{})}))
	return b.String()
}

// only is a Status of one destination.
func only(ref destination.Ref, st DestinationStatus) Status {
	return Status{Destinations: map[destination.Ref]DestinationStatus{ref: st}}
}

// writtenTo is a destination in sync.
func writtenTo(name string) (destination.Ref, DestinationStatus) {
	st := inSync()
	ref := destination.Ref{Namespace: "default", Name: name}
	st.Destination = destination.Destination{Ref: ref, Repository: "https://git.example/org/r.git", Branch: "main", BaseFolder: "clusters/" + name}
	return ref, st
}

func TestTheStatusPageShowsEachReasonAndItsMessage(t *testing.T) {
	t.Parallel()
	for reason, spoil := range verdicts() {
		ref, st := writtenTo("prod")
		spoil(&st)
		ready, _, message := st.Ready()
		page := pageOf(t, only(ref, st))
		require.Contains(t, page, fmt.Sprintf(`<span class="reason">%s</span>`, reason))
		require.Contains(t, unescaped(page), message)
		word := regexp.MustCompile(`<span class="badge">(.*?)</span>`).FindStringSubmatch(page)[1]
		switch {
		case ready:
			require.Equal(t, "Ready", word)
		case reason == ReasonSeeding:
			require.Equal(t, "Not yet", word)
		default:
			require.Equal(t, "Not ready", word)
		}
	}
}

// unescaped reads what html/template writes in place of quotes.
func unescaped(page string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(page)
}

func TestTheStatusPageShowsWhatWaitsAndWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	ref, st := writtenTo("prod")
	st.Tip, st.LastCommit = "0123456789abcdef0123456789abcdef01234567", pageTime.Add(-3*time.Hour)
	st.Line = queue.KeyStats{
		Waiting: 1234, InHand: 6, Bytes: 3 << 19, Oldest: pageTime.Add(-7 * time.Minute), Attempts: 4, Parked: pageTime.Add(-time.Second),
		Until: pageTime.Add(90 * time.Second), Err: &gitsink.Error{Op: "push", Err: gitsink.ErrAuth},
	}
	held := make([]string, 214)
	for i := range held {
		held[i] = fmt.Sprintf("apps/deployments.apps/%03d.yaml", i)
	}
	st.Held = &orphan.TooManyError{Found: *orphan.NewFound(held), Files: 260}
	st.Unadopted, st.Uncovered, st.Excluded = held[:150], orphan.NewFound([]string{"u.yaml"}), orphan.NewFound([]string{"inner/"})
	for i := range 100 {
		st.Watch.Refused = append(st.Watch.Refused, source.Refused{ID: event.ID{Resource: "secrets", Name: fmt.Sprint("s", i)}, Err: event.ErrSecret})
	}
	st.Watch.RefusedCount = 1777
	verdicts()[ReasonForbidden](&st)
	verdicts()[ReasonTypeNotServed](&st)
	st.Filtered = []gitsink.Filtered{{File: ".gitattributes", Pattern: "*.yaml", Filter: "lfs"}}
	page := pageOf(t, Status{
		Destinations: only(ref, st).Destinations, Err: errors.New("metrics.k8s.io/v1: no answer"),
		Queue: queue.Stats{Waiting: 12345, InHand: 64, Bytes: 5 << 20, Parked: 1},
	})
	for _, words := range []string{
		"metrics.k8s.io/v1: no answer", "12\u202f345", "5.0 MiB", "1\u202f240", "1.5 MiB", "for 7 min", "in 1 min", "3 h ago", ">01234567<",
		"Deletions held: 214 files of 260", "apps/deployments.apps/000.yaml", "and 204 more", "Stay until the folder is adopted: 150 files", "and 50 more",
		"Covered by no rule: 1 file<", "u.yaml", "inner/", "Left out: 1\u202f777 objects", "secrets/s99", "and 1\u202f677 more", "Cannot be listed: 2 collections",
		"too slow", "Types that rules do not get: 1", "filter=lfs", "clusters/prod", "https://git.example/org/r",
	} {
		require.Contains(t, unescaped(page), words)
	}
}

func TestTheStatusPageEscapesAndCutsWhatComesFromElsewhere(t *testing.T) {
	t.Parallel()
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	ref, st := writtenTo("<script>alert(1)")
	long := strings.Repeat("long ", 10_000)
	st.Destination.Branch, st.Destination.BaseFolder, st.Tip = evil, evil, evil
	st.Err = errors.New(evil + "\x1b[31m\u202e" + long)
	st.Unadopted, st.Held = []string{evil, long}, &orphan.TooManyError{Found: *orphan.NewFound([]string{evil})}
	st.Watch.Refused = []source.Refused{{ID: event.ID{Resource: evil, Name: evil}, Err: errors.New(evil)}}
	st.Watch.Incomplete = []source.Incomplete{{Collection: event.Collection{Resource: evil}, Err: errors.New(evil)}}
	st.Watch.Faults = []*ruleset.TypeError{{Resource: evil, Err: errors.New(evil)}}
	st.Filtered = []gitsink.Filtered{{File: evil, Pattern: evil, Filter: evil}}
	all := only(ref, st)
	all.Err = errors.New(evil)
	page := pageOf(t, all, namedRule{types.NamespacedName{Namespace: evil, Name: evil}, RuleStatus{Err: errors.New(evil)}})
	require.Equal(t, 1, strings.Count(page, "<script"), "that of the page itself")
	require.NotContains(t, page, "<img")
	require.NotContains(t, page, "\x1b")
	require.NotContains(t, page, "\u202e")
	require.Contains(t, page, "&lt;script&gt;alert(1)")
	require.NotContains(t, page, strings.Repeat("long ", 400))
	require.Less(t, len(page), 64<<10)

	filter := statusFilter{Query: evil, Reason: evil}
	maker := reporter{now: pageTime, actions: true}
	var b strings.Builder
	require.NoError(t, newPageTemplate().Execute(&b, &statusPage{Title: evil, Report: maker.report(all, nil, filter), Filter: filter, Notice: evil, Actions: true}))
	require.Equal(t, 1, strings.Count(b.String(), "<script"))
	require.NotContains(t, b.String(), "<img")
}

// served is a Mirror that does not run, with its page at a prefix.
type served struct {
	*Mirror
	url    string
	client *http.Client
}

// restConfig leads to nobody.
var restConfig = &rest.Config{Host: "http://127.0.0.1:1"}

// serve returns one with a destination of each name.
func serve(t testing.TB, opts *StatusHandlerOptions, names ...string) *served {
	t.Helper()
	m, err := New(restConfig, nil)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(manyRules(names...)))
	return serveMirror(t, m, opts)
}

func serveMirror(t testing.TB, m *Mirror, opts *StatusHandlerOptions) *served {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/deep/status/", http.StripPrefix("/deep/status", StatusHandler(m, opts)))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &served{m, server.URL + "/deep/status/", client}
}

// manyRules has a destination of each name, with a rule.
func manyRules(names ...string) (r Rules) {
	repository := destination.Ref{Namespace: "default", Name: "repo"}
	r.Repositories = []destination.Repository{{Ref: repository, URL: "https://s3cr3t-token@git.example/org/r.git"}}
	for _, name := range names {
		ref := destination.Ref{Namespace: "default", Name: name}
		r.Destinations = append(r.Destinations, destination.Spec{Ref: ref, RepositoryRef: repository, Branch: "main", BaseFolder: "clusters/" + name})
		r.Rules = append(r.Rules, ruleset.Rule{
			Name: types.NamespacedName{Name: name}, Destination: ref,
			Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		})
	}
	return r
}

// know lets a destination have a status.
func (s *served) know(t testing.TB, name string, st gitsink.Status) {
	t.Helper()
	ref := destination.Ref{Namespace: "default", Name: name}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.set.Get(ref)
	require.True(t, ok)
	st.Destination = d
	s.written[ref] = st
}

// answered is an answer whose body was read.
type answered struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
}

// ask sends a request, and returns the answer with its body.
func (s *served) ask(t testing.TB, method, query string, form url.Values, headers ...string) (answered, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+query, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := s.client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answered{answer.StatusCode, answer.Header, answer.ContentLength}, string(body)
}

// names returns the destinations of a page, in their order.
func names(page string) (list []string) {
	for _, found := range regexp.MustCompile(`<strong>(?:<span class="namespace">\w+/</span>)?(.*?)</strong>`).FindAllStringSubmatch(page, -1) {
		list = append(list, found[1])
	}
	return list
}

func TestTheStatusPageFiltersByWordsStateAndReason(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "alpha", "beta", "gamma")
	s.know(t, "beta", gitsink.Status{Err: &gitsink.Error{Op: "push", Err: gitsink.ErrAuth}})
	for query, want := range map[string][]string{
		"":                               {"alpha", "beta", "gamma"},
		"?q=":                            {"alpha", "beta", "gamma"},
		"?q=ALPHA":                       {"alpha"},
		"?q=clusters/gam+git.example":    {"gamma"},
		"?q=alpha+gamma":                 nil,
		"?q=credentials":                 {"beta"},
		"?q=s3cr3t":                      nil,
		"?state=ready":                   nil,
		"?state=notReady":                {"alpha", "beta", "gamma"},
		"?reason=Unauthorized":           {"beta"},
		"?reason=Seeding&q=a":            {"alpha", "gamma"},
		"?reason=Seeding&state=ready":    nil,
		"?q=" + strings.Repeat("a", 999): nil,
	} {
		answer, page := s.ask(t, http.MethodGet, query, nil)
		require.Equal(t, http.StatusOK, answer.StatusCode, query)
		require.Equal(t, want, names(page), query)
		if want == nil {
			require.Contains(t, page, "No destination matches")
		}
		_, text := s.ask(t, http.MethodGet, query, nil, "Accept", "application/json")
		var report statusReport
		require.NoError(t, json.Unmarshal([]byte(text), &report))
		require.Len(t, report.Destinations, len(want), query)
		require.Equal(t, len(want), report.Matching)
		require.Equal(t, 3, report.NotReady, "the totals are of all")
	}
	answer, page := s.ask(t, http.MethodGet, "?state=sick", nil)
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
	require.Contains(t, unescaped(page), `the parameter "state" is neither "ready" nor "notReady"`)
}

func TestTheStatusPageShowsTheFirstOfManyAndJSONAll(t *testing.T) {
	t.Parallel()
	many := make([]string, 1012)
	for i := range many {
		many[i] = fmt.Sprintf("d%04d", i)
	}
	s := serve(t, nil, many...)
	s.know(t, "d0999", gitsink.Status{Err: gitsink.ErrAuth})
	_, page := s.ask(t, http.MethodGet, "", nil)
	require.Len(t, names(page), 200)
	require.Contains(t, page, "and 812 more: narrow the search")
	_, text := s.ask(t, http.MethodGet, "?format=json", nil)
	var report statusReport
	require.NoError(t, json.Unmarshal([]byte(text), &report))
	require.Len(t, report.Destinations, 1012)
}

func TestDestinationsThatAreNotReadyComeFirst(t *testing.T) {
	t.Parallel()
	all := Status{Destinations: map[destination.Ref]DestinationStatus{}}
	for _, name := range []string{"a", "b", "c", "d"} {
		ref, st := writtenTo(name)
		if name > "b" {
			verdicts()[ReasonNoRules](&st)
		}
		all.Destinations[ref] = st
	}
	require.Equal(t, []string{"c", "d", "a", "b"}, names(pageOf(t, all)))
}

func TestTheStatusPageShowsRulesWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "alpha", "beta")
	rules := manyRules("alpha", "beta")
	rules.Rules[1].Resources[0].Operations = []event.Operation{"create"}
	rules.Rules = append(rules.Rules, rules.Rules[1])
	require.ErrorIs(t, s.SetRules(rules), ruleset.ErrInvalid)
	_, page := s.ask(t, http.MethodGet, "", nil)
	require.Contains(t, page, "Something is wrong with 1 of 2 rules.")
	require.Contains(t, unescaped(page), gitsink.Brief(s.RuleStatus(types.NamespacedName{Name: "beta"}).Err))
	fault := &ruleset.TypeError{Resource: "pod", Err: fmt.Errorf("%w: did you mean pods?", ruleset.ErrNotServed)}
	page = pageOf(t, Status{}, namedRule{types.NamespacedName{Name: "r"}, RuleStatus{Faults: []*ruleset.TypeError{fault}}})
	require.Contains(t, page, "did you mean pods?")
}

func TestTheStatusPageOfAMirrorWithoutRulesSaysSo(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	_, page := s.ask(t, http.MethodGet, "", nil)
	require.Contains(t, page, "There are no destinations")
	require.Contains(t, page, "There are no rules")
	_, text := s.ask(t, http.MethodGet, "?format=json", nil)
	require.Contains(t, text, `"destinations":[]`)
	require.Contains(t, text, `"faulty":[]`)
}

func TestWhatIsPlainIsShownAsItIs(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		for _, text := range []string{string([]byte{byte(i)}), "a" + string([]byte{byte(i)}) + "b"} {
			require.Equal(t, quote.Line(text), shown(text), "%q", text)
		}
	}
	require.Len(t, shown(strings.Repeat("a", 5000)), maxText)
}

func TestTimesAndNumbersAreWrittenForPeople(t *testing.T) {
	t.Parallel()
	for past, want := range map[time.Duration]string{
		0: "just now", time.Second: "1 s ago", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", 47 * time.Hour: "47 h ago",
		72 * time.Hour: "3 days ago", -time.Millisecond: "in 1 s", -5 * time.Minute: "in 5 min",
	} {
		require.Equal(t, want, ago(pageTime.Add(-past), pageTime))
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567", -1000: "-1\u202f000"} {
		require.Equal(t, want, number(n))
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 62: "4.0 EiB"} {
		require.Equal(t, want, sizeOf(n))
	}
}
