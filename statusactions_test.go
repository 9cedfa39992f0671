package kubescribe

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
)

// allowed are options with which everybody may act.
var allowed = &StatusHandlerOptions{Allow: func(*http.Request) bool { return true }}

// heldFiles is a status with deletions that are held.
func heldFiles(paths ...string) gitsink.Status {
	return gitsink.Status{LastSeed: someTime, Held: &orphan.TooManyError{Found: *orphan.NewFound(paths), Files: 30}}
}

// form returns the fields of the form of an action, as the page has them.
func form(t *testing.T, page, action string) url.Values {
	t.Helper()
	for _, text := range regexp.MustCompile(`(?s)<form class="actions.*?</form>`).FindAllString(page, -1) {
		if !strings.Contains(text, `name="action" value="`+action+`"`) {
			continue
		}
		require.Contains(t, text, `method="post" action=""`)
		fields := url.Values{"action": {action}}
		for _, field := range regexp.MustCompile(`type="hidden" name="(\w+)" value="(.*?)"`).FindAllStringSubmatch(text, -1) {
			fields.Set(field[1], unescaped(field[2]))
		}
		return fields
	}
	require.Fail(t, "the page has no form", action)
	return nil
}

// given returns the approvals of the destination prod.
func (s *served) given() approvals {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.approvals[destination.Ref{Namespace: "default", Name: "prod"}]; a != nil {
		return *a
	}
	return approvals{}
}

func TestAnApprovalByTheStatusPageIsForTheFilesThatItShowed(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	shown := heldFiles("a.yaml", "b.yaml")
	s.know(t, "prod", shown)
	_, page := s.ask(t, http.MethodGet, "?q=prod", nil)
	answer, _ := s.ask(t, http.MethodPost, "?q=prod", form(t, page, "approve"))
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, "?did=approve&q=prod&to=default%2Fprod", answer.Header.Get("Location"), "relative: a prefix was cut from the path")
	require.Equal(t, &shown.Held.Found, s.given().sweep.Seen)
	require.False(t, s.given().sweep.All)
	_, page = s.ask(t, http.MethodGet, answer.Header.Get("Location"), nil)
	require.Contains(t, page, "The deletions were approved for the next sweep: default/prod.")
	require.Contains(t, page, ">Approved<")
}

func TestAnApprovalOfWhatTheStatusPageShowsNoMoreIsRefused(t *testing.T) {
	t.Parallel()
	many := make([]string, 20)
	for i := range many {
		many[i] = string(rune('a'+i)) + ".yaml"
	}
	other := slices.Clone(many)
	other[19] = "z.yaml" // no part of the sample, and as many
	for name, now := range map[string]gitsink.Status{
		"another file": heldFiles(other...), "one more": heldFiles(append(slices.Clone(many), "z.yaml")...), "none": {LastSeed: someTime},
	} {
		s := serve(t, allowed, "prod")
		s.know(t, "prod", heldFiles(many...))
		_, page := s.ask(t, http.MethodGet, "", nil)
		s.know(t, "prod", now)
		answer, body := s.ask(t, http.MethodPost, "", form(t, page, "approve"))
		require.Equal(t, http.StatusConflict, answer.StatusCode, name)
		require.Contains(t, body, "Nothing was done")
		require.Equal(t, approvals{}, s.given(), name)
	}
	s := serve(t, allowed, "prod")
	for _, shown := range []string{"", "0123"} {
		answer, _ := s.ask(t, http.MethodPost, "", url.Values{"action": {"approve"}, "destination": {"default/prod"}, "shown": {shown}})
		require.Equal(t, http.StatusConflict, answer.StatusCode, "nothing is held: Approve would approve whatever a sweep finds")
		require.Equal(t, approvals{}, s.given())
	}
}

func TestAnApprovalOfAnotherFolderThanWasShownIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	s.know(t, "prod", heldFiles("a.yaml"))
	_, page := s.ask(t, http.MethodGet, "", nil)
	rules := manyRules("prod")
	rules.Destinations[0].BaseFolder = "elsewhere"
	require.NoError(t, s.SetRules(rules))
	s.know(t, "prod", heldFiles("a.yaml"))
	answer, _ := s.ask(t, http.MethodPost, "", form(t, page, "approve"))
	require.Equal(t, http.StatusConflict, answer.StatusCode)
	require.Equal(t, approvals{}, s.given())
}

func TestAnAdoptionByTheStatusPageIsForTheFilesThatItShowed(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]gitsink.Status{
		"files of others": {LastSeed: someTime, Unadopted: []string{"a.yaml", "b.yaml"}},
		"another owner":   {Err: &gitsink.Error{Op: "plan", Err: gitsink.ErrOwned}},
	} {
		s := serve(t, allowed, "prod")
		s.know(t, "prod", shown)
		_, page := s.ask(t, http.MethodGet, "", nil)
		fields := form(t, page, "adopt")
		changed := shown
		changed.Unadopted = append(slices.Clone(shown.Unadopted), "c.yaml")
		s.know(t, "prod", changed)
		answer, _ := s.ask(t, http.MethodPost, "", fields)
		require.Equal(t, http.StatusConflict, answer.StatusCode, name)
		require.Zero(t, s.given().adopt)
		s.know(t, "prod", shown)
		answer, _ = s.ask(t, http.MethodPost, "", fields)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, name)
		require.NotZero(t, s.given().adopt)
	}
}

func TestResyncAndWakeAreAskedForByTheStatusPage(t *testing.T) {
	t.Parallel()
	q := &made{}
	m, err := New(restConfig, &Options{QueueImpl: q})
	require.NoError(t, err)
	require.NoError(t, m.SetRules(manyRules("prod")))
	s := serveMirror(t, m, allowed)
	for i, action := range []string{"resync", "wake"} {
		answer, _ := s.ask(t, http.MethodPost, "", url.Values{"action": {action}, "destination": {"default/prod"}})
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, action)
		require.Len(t, q.woken, i+1)
	}
}

func TestTheStatusPageRefusesActionsThatNobodyAllowed(t *testing.T) {
	t.Parallel()
	asked := url.Values{"action": {"approve"}, "destination": {"default/prod"}}
	never := &StatusHandlerOptions{Allow: func(*http.Request) bool { return false }}
	for _, opts := range []*StatusHandlerOptions{nil, {}, never} {
		s := serve(t, opts, "prod")
		s.know(t, "prod", heldFiles("a.yaml"))
		_, page := s.ask(t, http.MethodGet, "?did=approve&to=default/prod", nil)
		require.NotContains(t, page, `method="post"`)
		require.NotContains(t, page, "approved for")
		_, text := s.ask(t, http.MethodGet, "?format=json", nil)
		require.NotContains(t, text, `"shown"`)
		d, _ := s.set.Get(destination.Ref{Namespace: "default", Name: "prod"})
		asked.Set("shown", toApprove(d, s.written[d.Ref]))
		answer, _ := s.ask(t, http.MethodPost, "", asked)
		require.Equal(t, http.StatusForbidden, answer.StatusCode)
		require.Equal(t, approvals{}, s.given())
	}
}

func TestTheStatusPageRefusesActionsOfOtherOrigins(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	s.know(t, "prod", heldFiles("a.yaml"))
	_, page := s.ask(t, http.MethodGet, "", nil)
	fields := form(t, page, "approve")
	host, err := url.Parse(s.url)
	require.NoError(t, err)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		{"Content-Type", "text/plain"}, {"Content-Type", "multipart/form-data; boundary=x"}, {"Content-Type", "application/json"}, {"Content-Type", ""},
	} {
		answer, _ := s.ask(t, http.MethodPost, "", fields, headers...)
		require.Equal(t, http.StatusForbidden, answer.StatusCode, headers)
		require.Equal(t, approvals{}, s.given(), headers)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		answer, _ := s.ask(t, method, "?"+fields.Encode(), nil)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Equal(t, approvals{}, s.given(), "a link changes nothing")
	}
	answer, _ := s.ask(t, http.MethodPost, "?"+fields.Encode(), url.Values{})
	require.Equal(t, http.StatusBadRequest, answer.StatusCode, "the fields count in the form alone")
	answer, _ = s.ask(t, http.MethodPost, "", fields, "Sec-Fetch-Site", "same-origin", "Origin", "http://"+host.Host)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.NotNil(t, s.given().sweep)
}

func TestTheStatusPageRefusesActionsThatAreNone(t *testing.T) {
	t.Parallel()
	s := serve(t, allowed, "prod")
	for _, c := range []struct {
		action, destination string
		want                int
	}{
		{"resync", "default/nobody", http.StatusNotFound}, {"approve", "nobody", http.StatusNotFound}, {"adopt", "", http.StatusNotFound},
		{"wake", "a/b/c", http.StatusNotFound}, {"prune", "default/prod", http.StatusBadRequest}, {"", "", http.StatusBadRequest},
		{"wake", strings.Repeat("x", 32<<10), http.StatusBadRequest},
	} {
		fields := url.Values{"action": {c.action}, "destination": {c.destination}}
		answer, body := s.ask(t, http.MethodPost, "", fields)
		require.Equal(t, c.want, answer.StatusCode, c.action)
		require.Contains(t, body, "Back to the page")
		answer, body = s.ask(t, http.MethodPost, "", fields, "Accept", "application/json")
		require.Equal(t, c.want, answer.StatusCode)
		require.Contains(t, body, `"error":"`)
	}
}
